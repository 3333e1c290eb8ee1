import { call, type Query } from './client';
import type * as t from './types';

export type * from './types';
export { Problem, asProblem } from './problem';

interface Paging {
	cursor?: string;
	limit?: number;
	includeTotal?: boolean;
}
type Signal = { signal?: AbortSignal };
const paging = (p: Paging): Query => ({ cursor: p.cursor, limit: p.limit, includeTotal: p.includeTotal });

/** Every request that the interface makes, by what it is about. */
export const api = {
	settings: () => call<t.ServerSettings>('GET', '/settings'),

	setup: {
		check: (code: string) => call('POST', '/setup/check', { body: { code } }),
		claim: (body: { code: string; username: string; password: string; displayName?: string; email?: string }) =>
			call<t.Me>('POST', '/setup/claim', { body: { ...body, cookie: true } })
	},
	auth: {
		login: (login: string, password: string) =>
			call<t.Me>('POST', '/auth/login', { body: { login, password, cookie: true } }),
		logout: () => call('POST', '/auth/logout')
	},
	me: () => call<t.Me>('GET', '/users/me'),
	preferences: {
		get: () => call<t.Preferences>('GET', '/users/me/preferences'),
		set: (change: Partial<t.Preferences>) =>
			call<t.Preferences>('PATCH', '/users/me/preferences', { body: change })
	},
	sessions: {
		list: () => call<t.List<t.Session>>('GET', '/sessions'),
		revoke: (id: string) => call('DELETE', `/sessions/${id}`),
		revokeOthers: () => call('DELETE', '/sessions', { query: { keepCurrent: true } })
	},

	movies: {
		page: (filter: Query, page: Paging, { signal }: Signal = {}) =>
			call<t.Page<t.MovieItem>>('GET', '/movies', { query: { ...filter, ...paging(page) }, signal }),
		index: (filter: Query, { signal }: Signal = {}) =>
			call<t.List<t.IndexEntry>>('GET', '/movies/index', { query: filter, signal }),
		recentlyAdded: (page: Paging) =>
			call<t.Page<t.MovieItem>>('GET', '/movies/recently-added', { query: paging(page) }),
		continueWatching: (page: Paging) =>
			call<t.Page<t.MovieItem>>('GET', '/movies/continue-watching', { query: paging(page) }),
		dismiss: (id: string) => call('DELETE', `/movies/${id}/continue-watching`),
		history: (page: Paging) =>
			call<t.Page<t.HistoryEntry>>('GET', '/movies/watch-history', { query: paging(page) }),
		stats: () => call<t.MovieStats>('GET', '/movies/stats'),
		genres: () => call<t.List<t.Count>>('GET', '/genres'),
		get: (id: string) => call<t.Movie>('GET', `/movies/${id}`),
		files: (id: string) => call<t.List<t.MediaFile>>('GET', `/movies/${id}/files`),
		cast: (id: string) => call<t.List<t.Credit>>('GET', `/movies/${id}/cast`),
		crew: (id: string) => call<t.List<t.Credit>>('GET', `/movies/${id}/crew`),
		setWatched: (id: string, watched: boolean) =>
			call<t.WatchState>(watched ? 'POST' : 'DELETE', `/movies/${id}/watched`),
		progress: (id: string) => call<t.WatchState>('GET', `/movies/${id}/progress`),
		saveProgress: (
			id: string,
			body: { position: number; duration: number; fileId?: string; paused?: boolean },
			keepalive = false
		) => call<t.WatchState>('POST', `/movies/${id}/progress`, { body, keepalive }),
		resetProgress: (id: string) => call('DELETE', `/movies/${id}/progress`),
		playback: (id: string, body: { capabilities: t.Capabilities; version?: string; part?: string }) =>
			call<t.Playback>('POST', `/movies/${id}/playback`, { body })
	},

	libraries: {
		list: () => call<t.List<t.Library>>('GET', '/libraries'),
		get: (id: string) => call<t.Library>('GET', `/libraries/${id}`),
		create: (body: { name: string; paths: string[]; restricted: boolean; open: boolean; locale: string }) =>
			call<t.Library>('POST', '/admin/libraries', { body }),
		change: (id: string, body: Partial<Pick<t.Library, 'name' | 'restricted' | 'open' | 'locale'>>) =>
			call<t.Library>('PATCH', `/admin/libraries/${id}`, { body }),
		remove: (id: string) => call('DELETE', `/admin/libraries/${id}`),
		addPath: (id: string, path: string) =>
			call<t.LibraryPath>('POST', `/admin/libraries/${id}/paths`, { body: { path } }),
		removePath: (id: string, pathId: string) => call('DELETE', `/admin/libraries/${id}/paths/${pathId}`),
		access: (id: string) => call<t.List<t.LibraryAccess>>('GET', `/admin/libraries/${id}/access`),
		grant: (id: string, userId: string) => call('POST', `/admin/libraries/${id}/access`, { body: { userId } }),
		withdraw: (id: string, userId: string) => call('DELETE', `/admin/libraries/${id}/access/${userId}`),
		scan: (id: string) => call<t.Scan>('GET', `/admin/libraries/${id}/scan`),
		startScan: (id: string) => call<t.Scan>('POST', `/admin/libraries/${id}/scan`),
		stopScan: (id: string) => call('DELETE', `/admin/libraries/${id}/scan`),
		confirmMissing: (id: string, pathId?: string) =>
			call<t.Library>('POST', `/admin/libraries/${id}/missing/confirm`, { body: pathId ? { pathId } : {} })
	},
	admin: {
		users: () => call<t.Page<t.User>>('GET', '/admin/users', { query: { limit: 100 } }),
		directories: (handle: string | undefined, titles: boolean) =>
			call<t.Directories>('GET', '/admin/directories', { query: { path: handle, titles: titles || undefined } }),
		files: (state: string, libraryId: string, page: Paging) =>
			call<t.Page<t.MediaFile>>('GET', '/admin/files', { query: { state, libraryId, ...paging(page) } }),
		readAgain: (id: string) => call<t.MediaFile>('POST', `/admin/files/${id}/read`),
		ignore: (id: string) => call<t.MediaFile>('POST', `/admin/files/${id}/ignore`)
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
