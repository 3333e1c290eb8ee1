import { api } from '$lib/api';
import { capabilities } from '$lib/player/capabilities';
import { session } from '$lib/session.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url, params }) => {
	await session.require(url);
	const version = url.searchParams.get('version') ?? undefined;
	const part = url.searchParams.get('part') ?? undefined;
	const start = url.searchParams.get('start');
	const [movie, files, playback] = await Promise.all([
		api.movies.get(params.id),
		api.movies.files(params.id),
		api.movies.playback(params.id, { capabilities: capabilities(), version, part })
	]);
	return {
		movie,
		files: files.items,
		playback,
		version,
		extra: files.items.find((file) => file.id === part && file.kind === 'extra'),
		start: start === null ? undefined : Number(start) || 0
	};
};
