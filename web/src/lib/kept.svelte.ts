import { account } from './api/account';
import { letters } from './keys.svelte';
import { recall, remember } from './stored';
import { theme, type Theme } from './theme.svelte';

/** How much denser (1) or looser (-1) the wall of posters is. */
export const density = (() => {
	let now = $state(recall('density', 0));
	return {
		get now() {
			return now;
		},
		set now(to: number) {
			now = to;
			remember('density', to);
		}
	};
})();

/** The looks that follow an account from browser to browser: what the server keeps, and where this page has it. */
const looks: Record<string, { get: () => unknown; set: (value: unknown) => void }> = {
	'web.theme': {
		get: () => theme.wanted,
		set: (to) => ['system', 'dark', 'light'].includes(to as Theme) && theme.set(to as Theme)
	},
	'web.density': {
		get: () => density.now,
		set: (to) => [-1, 0, 1].includes(to as number) && (density.now = to as number)
	},
	'web.letterKeys': { get: () => letters.on, set: (to) => typeof to === 'boolean' && (letters.on = to) }
};

/** The account's own looks; this browser's storage is their cache, so that a page has them before its first paint. */
class Kept {
	async load() {
		const { values } = await account.kept().catch(() => ({ values: {} as Record<string, unknown> }));
		for (const [name, look] of Object.entries(looks)) if (name in values) look.set(values[name]);
	}

	/** Applies a look at once and keeps it with the account; what could not be kept there holds in this browser. */
	async set(name: 'web.theme' | 'web.density' | 'web.letterKeys', value: unknown) {
		looks[name]?.set(value);
		await account.keep({ [name]: value });
	}
}

export const kept = new Kept();
