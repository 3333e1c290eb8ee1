// Sets the theme before the first paint; a file, because the content security policy allows no inline script of ours.
(function () {
	var wanted = 'system';
	try {
		wanted = localStorage.getItem('revenge.theme') || 'system';
	} catch {
		// Storage is blocked: follow the system.
	}
	var dark = wanted === 'system' ? !matchMedia('(prefers-color-scheme: light)').matches : wanted === 'dark';
	document.documentElement.dataset.theme = dark ? 'dark' : 'light';
})();
