import { redirect } from '@sveltejs/kit';
import { session } from '$lib/session.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async () => {
	const settings = await session.loadSettings();
	if (settings.setupRequired) redirect(307, '/setup');
	return { settings };
};
