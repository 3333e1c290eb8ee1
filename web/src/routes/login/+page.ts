import { redirect } from '@sveltejs/kit';
import { localPath } from '$lib/local';
import { session } from '$lib/session.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url }) => {
	const settings = await session.loadSettings();
	if (settings.setupRequired) redirect(307, '/setup');
	return { next: localPath(url.searchParams.get('next')), settings };
};
