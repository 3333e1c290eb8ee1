import { redirect } from '@sveltejs/kit';
import { goto } from '$app/navigation';
import { api, type Me, type ServerSettings } from '$lib/api';
import type { SignIn } from '$lib/api/account';
import { hears } from '$lib/api/client';
import { asProblem } from '$lib/api/problem';
import { kept } from '$lib/kept.svelte';
import { getLocale, isLocale, setLocale } from '$lib/paraglide/runtime';
import { proof } from '$lib/proof.svelte';

/** Who is signed in, and what the server says about itself. The credential is a cookie that scripts cannot read. */
class SessionStore {
	me = $state<Me>();
	settings = $state<ServerSettings>();

	/** Pages are about whoever is signed in for as long as they are shown: only the next one is about nobody. */
	#leaving = false;

	constructor() {
		hears.signedOut = async () => {
			if (!this.me || this.#leaving) return;
			this.#leaving = true;
			const here = location.pathname + location.search;
			try {
				await goto(`/login?next=${encodeURIComponent(here)}`, { replaceState: true });
			} finally {
				this.me = undefined;
				this.#leaving = false;
			}
		};
		hears.mustEnrol = () => {
			if (location.pathname !== '/enrol') void goto('/enrol', { replaceState: true });
		};
		hears.proof = (why) => proof.ask(why);
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
		if (this.me && !this.me.mustEnrol) return this.me;
		const settings = await this.loadSettings();
		if (settings.setupRequired) redirect(307, '/setup');
		try {
			this.me = await api.me();
		} catch (error) {
			if (asProblem(error).status === 401)
				redirect(307, `/login?next=${encodeURIComponent(url.pathname + url.search)}`);
			if (asProblem(error).code === 'auth.enrolment_required') redirect(307, '/enrol');
			throw error;
		}
		if (this.me.mustEnrol) {
			if (url.pathname !== '/enrol') redirect(307, '/enrol');
			return this.me;
		}
		void this.#applyPreferences();
		return this.me;
	}

	/** Reads the account again, after it was changed. */
	async refresh() {
		this.me = await api.me();
	}

	/** Takes the answer of a sign-in; what it does not tell of the account is read at once. */
	async signedIn({ user, session, permissions, mustEnrol }: SignIn) {
		if (!user || !session) return;
		this.me = {
			user,
			session,
			permissions: permissions ?? [],
			mustEnrol: mustEnrol ?? false,
			mfaEnabled: session.mfaVerified
		};
		if (this.settings) this.settings = { ...this.settings, setupRequired: false };
		await this.refresh().catch(() => {});
		if (!this.me?.mustEnrol) void this.#applyPreferences();
	}

	async signOut() {
		this.#leaving = true;
		try {
			await api.auth.logout();
		} catch (error) {
			this.#leaving = false;
			throw error;
		}
		// A full load drops everything that was kept in memory for this account.
		location.assign('/login');
	}

	/** The account's language and looks win over the browser's. */
	async #applyPreferences() {
		void kept.load();
		const { language } = await api.preferences.get();
		if (isLocale(language) && language !== getLocale()) void setLocale(language);
	}
}

export const session = new SessionStore();
