import { redirect } from '@sveltejs/kit';
import { api } from '$lib/api';
import { session } from '$lib/session.svelte';
import type { PageLoad } from './$types';

/** A claimed server goes on with its first library, where there is none yet and the visitor may make one. */
export const load: PageLoad = async ({ url }) => {
	const settings = await session.loadSettings();
	if (settings.setupRequired) return { step: 'claim' as const, settings };
	await session.require(url);
	const libraries = session.can('library.manage') ? (await api.libraries.list()).items : undefined;
	if (!libraries || libraries.length > 0) redirect(307, '/');
	return { step: 'library' as const, settings };
};
