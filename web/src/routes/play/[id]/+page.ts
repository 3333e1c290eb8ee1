import { api } from '$lib/api';
import { capabilities } from '$lib/player/capabilities';
import { session } from '$lib/session.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url, params }) => {
	await session.require(url);
	const version = url.searchParams.get('version') ?? undefined;
	const start = url.searchParams.get('start');
	const [movie, files, playback] = await Promise.all([
		api.movies.get(params.id),
		api.movies.files(params.id),
		api.movies.playback(params.id, { capabilities: capabilities(), version })
	]);
	return { movie, files: files.items, playback, version, start: start === null ? undefined : Number(start) || 0 };
};
