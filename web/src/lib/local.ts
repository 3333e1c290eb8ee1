/**
 * A path of this site from an address parameter; anything else becomes the home page (S14). Tabs and line breaks go first, as browsers take
 * them out of an address before they read it (WHATWG URL, 4.4): "/\t/evil" leads elsewhere.
 */
export const localPath = (next: string | null) => {
	const path = (next ?? '').replace(/[\t\n\r]/g, '');
	return /^\/(?![/\\])/.test(path) ? path : '/';
};
