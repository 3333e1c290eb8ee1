import { redirect } from '@sveltejs/kit';
import { goto } from '$app/navigation';
import { api, type Me, type ServerSettings } from '$lib/api';
import { signedOut } from '$lib/api/client';
import { asProblem } from '$lib/api/problem';
import { getLocale, isLocale, setLocale } from '$lib/paraglide/runtime';

/** Who is signed in, and what the server says about itself. The credential is a cookie that scripts cannot read. */
class SessionStore {
	me = $state<Me>();
	settings = $state<ServerSettings>();

	constructor() {
		signedOut.handler = () => {
			if (!this.me) return;
			this.me = undefined;
			const here = location.pathname + location.search;
			void goto(`/login?next=${encodeURIComponent(here)}`, { replaceState: true });
		};
	}

	can = (permission: string) => this.me?.permissions.includes(permission) ?? false;

	get name() {
		return this.me ? this.me.user.displayName || this.me.user.username : '';
	}

	async loadSettings(): Promise<ServerSettings> {
		return (this.settings ??= await api.settings());
	}

	/** Lets signed-in people pass; sends others to set-up or sign-in and back. */
	async require(url: URL): Promise<Me> {
		if (this.me) return this.me;
		const settings = await this.loadSettings();
		if (settings.setupRequired) redirect(307, '/setup');
		try {
			this.me = await api.me();
		} catch (error) {
			if (asProblem(error).status === 401)
				redirect(307, `/login?next=${encodeURIComponent(url.pathname + url.search)}`);
			throw error;
		}
		void this.#applyLanguage();
		return this.me;
	}

	signedIn(me: Me) {
		this.me = me;
		if (this.settings) this.settings = { ...this.settings, setupRequired: false };
		void this.#applyLanguage();
	}

	async signOut() {
		await api.auth.logout();
		this.me = undefined;
		// A full load drops everything that was kept in memory for this account.
		location.assign('/login');
	}

	/** The account's language wins over the browser's. */
	async #applyLanguage() {
		const { language } = await api.preferences.get();
		if (isLocale(language) && language !== getLocale()) void setLocale(language);
	}
}

export const session = new SessionStore();
