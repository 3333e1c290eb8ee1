import { error } from '@sveltejs/kit';
import { m } from '$lib/paraglide/messages';
import { session } from '$lib/session.svelte';
import type { LayoutLoad } from './$types';

export const load: LayoutLoad = async ({ parent }) => {
	await parent();
	if (!session.can('library.manage')) error(403, m.admin_only());
};
