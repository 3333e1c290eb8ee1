export type Theme = 'system' | 'dark' | 'light';
const key = 'revenge.theme';

function stored(): Theme {
	try {
		const value = localStorage.getItem(key);
		return value === 'dark' || value === 'light' ? value : 'system';
	} catch {
		return 'system';
	}
}

/** Dark, light or what the system says; static/theme.js applies it before the first paint. */
class ThemeStore {
	wanted = $state<Theme>('system');
	#light: MediaQueryList | undefined;
	#system = $state<'dark' | 'light'>('dark');
	now = $derived(this.wanted === 'system' ? this.#system : this.wanted);

	start() {
		this.wanted = stored();
		this.#light = matchMedia('(prefers-color-scheme: light)');
		const read = () => (this.#system = this.#light?.matches ? 'light' : 'dark');
		read();
		this.#light.addEventListener('change', read);
	}

	set(theme: Theme) {
		this.wanted = theme;
		try {
			localStorage.setItem(key, theme);
		} catch {
			// Storage is blocked: the choice holds until the page is closed.
		}
	}
}

export const theme = new ThemeStore();
