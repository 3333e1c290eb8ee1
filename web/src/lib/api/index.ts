import { bodyOf, client } from './client';
import type { components, operations } from './schema';
import type * as t from './types';

export type * from './types';
export { Problem, asProblem } from './problem';

/** What restricts and sorts the list of films. */
export type MovieQuery = Omit<
	NonNullable<operations['listMovies']['parameters']['query']>,
	'limit' | 'cursor' | 'includeTotal'
>;
export type FileState = NonNullable<NonNullable<operations['listFiles']['parameters']['query']>['state']>;

interface Paging {
	cursor?: string;
	limit?: number;
	includeTotal?: boolean;
}
type Signal = { signal?: AbortSignal };

/** The first page has no cursor. */
const paging = ({ cursor, ...rest }: Paging): Paging => ({ ...rest, cursor: cursor || undefined });
const film = (id: string) => ({ params: { path: { id } } });
const byId = film;

/** When this browser last changed what a film says about the account: lists fetched before are out of date. */
export const watched = { at: 0 };
function watching<T>(request: Promise<T>): Promise<T> {
	return request.finally(() => (watched.at = Date.now()));
}

/** Every request that the interface makes, by what it is about. */
export const api = {
	settings: () => bodyOf(client.GET('/api/v1/settings')),

	setup: {
		check: (code: string) => bodyOf(client.POST('/api/v1/setup/check', { body: { code } })),
		claim: (body: { code: string; username: string; password: string }) =>
			bodyOf(client.POST('/api/v1/setup/claim', { body: { ...body, cookie: true } }))
	},
	auth: {
		logout: () => bodyOf(client.POST('/api/v1/auth/logout'))
	},
	me: () => bodyOf(client.GET('/api/v1/users/me')),
	preferences: {
		get: () => bodyOf(client.GET('/api/v1/users/me/preferences')),
		set: (body: components['schemas']['PreferencesPatchBody']) =>
			bodyOf(client.PATCH('/api/v1/users/me/preferences', { body }))
	},
	sessions: {
		list: () => bodyOf(client.GET('/api/v1/sessions')),
		revoke: (id: string) => bodyOf(client.DELETE('/api/v1/sessions/{id}', byId(id))),
		revokeOthers: () =>
			bodyOf(client.DELETE('/api/v1/sessions', { params: { query: { keepCurrent: true } } }))
	},

	movies: {
		page: (query: MovieQuery, page: Paging, { signal }: Signal = {}) =>
			bodyOf(client.GET('/api/v1/movies', { params: { query: { ...query, ...paging(page) } }, signal })),
		index: (query: MovieQuery, { signal }: Signal = {}) =>
			bodyOf(client.GET('/api/v1/movies/index', { params: { query }, signal })),
		recentlyAdded: (page: Paging) =>
			bodyOf(client.GET('/api/v1/movies/recently-added', { params: { query: paging(page) } })),
		continueWatching: (page: Paging) =>
			bodyOf(client.GET('/api/v1/movies/continue-watching', { params: { query: paging(page) } })),
		dismiss: (id: string) => bodyOf(client.DELETE('/api/v1/movies/{id}/continue-watching', film(id))),
		history: (page: Paging) =>
			bodyOf(client.GET('/api/v1/movies/watch-history', { params: { query: paging(page) } })),
		stats: () => bodyOf(client.GET('/api/v1/movies/stats')),
		genres: () => bodyOf(client.GET('/api/v1/genres')),
		get: (id: string) => bodyOf(client.GET('/api/v1/movies/{id}', film(id))),
		files: (id: string) => bodyOf(client.GET('/api/v1/movies/{id}/files', film(id))),
		cast: (id: string) => bodyOf(client.GET('/api/v1/movies/{id}/cast', film(id))),
		crew: (id: string) => bodyOf(client.GET('/api/v1/movies/{id}/crew', film(id))),
		setWatched: (id: string, seen: boolean) =>
			watching(
				seen
					? bodyOf(client.POST('/api/v1/movies/{id}/watched', film(id)))
					: bodyOf(client.DELETE('/api/v1/movies/{id}/watched', film(id)))
			),
		saveProgress: (
			id: string,
			body: { position: number; duration: number; fileId?: string; paused?: boolean },
			keepalive = false
		) => watching(bodyOf(client.POST('/api/v1/movies/{id}/progress', { ...film(id), body, keepalive }))),
		resetProgress: (id: string) => watching(bodyOf(client.DELETE('/api/v1/movies/{id}/progress', film(id)))),
		playback: (id: string, body: { capabilities: t.Capabilities; version?: string; part?: string }) =>
			bodyOf(client.POST('/api/v1/movies/{id}/playback', { ...film(id), body }))
	},

	libraries: {
		list: () => bodyOf(client.GET('/api/v1/libraries')),
		get: (id: string) => bodyOf(client.GET('/api/v1/libraries/{id}', byId(id))),
		create: (body: { name: string; paths: string[]; restricted: boolean; open: boolean; locale: string }) =>
			bodyOf(client.POST('/api/v1/admin/libraries', { body })),
		change: (id: string, body: components['schemas']['UpdateLibraryInputBody']) =>
			bodyOf(client.PATCH('/api/v1/admin/libraries/{id}', { ...byId(id), body })),
		remove: (id: string) => bodyOf(client.DELETE('/api/v1/admin/libraries/{id}', byId(id))),
		addPath: (id: string, path: string) =>
			bodyOf(client.POST('/api/v1/admin/libraries/{id}/paths', { ...byId(id), body: { path } })),
		removePath: (id: string, pathId: string) =>
			bodyOf(
				client.DELETE('/api/v1/admin/libraries/{id}/paths/{pathId}', { params: { path: { id, pathId } } })
			),
		access: (id: string) => bodyOf(client.GET('/api/v1/admin/libraries/{id}/access', byId(id))),
		grant: (id: string, userId: string) =>
			bodyOf(client.POST('/api/v1/admin/libraries/{id}/access', { ...byId(id), body: { userId } })),
		withdraw: (id: string, userId: string) =>
			bodyOf(
				client.DELETE('/api/v1/admin/libraries/{id}/access/{userId}', { params: { path: { id, userId } } })
			),
		scan: (id: string) => bodyOf(client.GET('/api/v1/admin/libraries/{id}/scan', byId(id))),
		startScan: (id: string) => bodyOf(client.POST('/api/v1/admin/libraries/{id}/scan', byId(id))),
		stopScan: (id: string) => bodyOf(client.DELETE('/api/v1/admin/libraries/{id}/scan', byId(id))),
		confirmMissing: (id: string, pathId?: string) =>
			bodyOf(
				client.POST('/api/v1/admin/libraries/{id}/missing/confirm', {
					...byId(id),
					body: pathId ? { pathId } : {}
				})
			)
	},
	admin: {
		users: () => bodyOf(client.GET('/api/v1/admin/users', { params: { query: { limit: 100 } } })),
		directories: (handle: string | undefined, titles: boolean) =>
			bodyOf(
				client.GET('/api/v1/admin/directories', {
					params: { query: { path: handle, titles: titles || undefined } }
				})
			),
		files: (state: FileState, libraryId: string, page: Paging) =>
			bodyOf(client.GET('/api/v1/admin/files', { params: { query: { state, libraryId, ...paging(page) } } })),
		readAgain: (id: string) => bodyOf(client.POST('/api/v1/admin/files/{id}/read', byId(id))),
		ignore: (id: string) => bodyOf(client.POST('/api/v1/admin/files/{id}/ignore', byId(id)))
	}
};

/** The widths in which the server keeps pictures. */
export const imageWidths = [160, 320, 480, 640, 960, 1280, 1920] as const;

export const imageUrl = (image: t.Image, width: (typeof imageWidths)[number]) =>
	`/api/v1/images/${image.kind}/${image.id}?width=${width}&v=${image.hash}`;

/** A srcset of all widths up to the first that is no smaller than the picture. */
export function imageSet(image: t.Image): string {
	const first = imageWidths.findIndex((width) => width >= image.width);
	return imageWidths
		.slice(0, first < 0 ? undefined : first + 1)
		.map((width) => `${imageUrl(image, width)} ${width}w`)
		.join(', ');
}
