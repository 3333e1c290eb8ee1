/** Reads a small setting of this browser; the fallback when there is none, or storage is blocked. */
export function recall<T>(key: string, fallback: T): T {
	try {
		const text = localStorage.getItem(`revenge.${key}`);
		return text === null ? fallback : (JSON.parse(text) as T);
	} catch {
		return fallback;
	}
}

/** Keeps a small setting of this browser, where storage allows it. Never credentials. */
export function remember(key: string, value: unknown) {
	try {
		localStorage.setItem(`revenge.${key}`, JSON.stringify(value));
	} catch {
		// Blocked or full: the setting holds until the page is closed.
	}
}
