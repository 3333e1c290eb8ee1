import { error } from '@sveltejs/kit';
import { permissionOf } from '$lib/admin';
import { m } from '$lib/paraglide/messages';
import { session } from '$lib/session.svelte';
import type { LayoutLoad } from './$types';

export const load: LayoutLoad = async ({ parent, url }) => {
	await parent();
	const needed = permissionOf(url.pathname);
	if (!needed || !session.can(needed)) error(403, m.admin_only_permission());
};
