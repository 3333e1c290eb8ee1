import { redirect } from '@sveltejs/kit';
import { account, type OidcChoice } from '$lib/api/account';
import { localPath } from '$lib/local';
import { session } from '$lib/session.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url }) => {
	const settings = await session.loadSettings();
	if (settings.setupRequired) redirect(307, '/setup');
	// Without the list the other ways in still work.
	const providers = await account.providers().then(
		({ items }) => items,
		(): OidcChoice[] => []
	);
	return { next: localPath(url.searchParams.get('next')), settings, providers };
};
