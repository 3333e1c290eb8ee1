import { localPath } from '$lib/local';
import { session } from '$lib/session.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url }) => {
	await session.require(url);
	return { next: localPath(url.searchParams.get('next')), settings: await session.loadSettings() };
};
