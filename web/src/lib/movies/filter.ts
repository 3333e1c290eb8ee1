import type { MovieQuery } from '$lib/api';

/** What the grid shows: the address bar is its only home. */
export interface Filter {
	q: string;
	libraryId: string;
	genres: string[];
	yearFrom?: number;
	yearTo?: number;
	watched: 'all' | 'unwatched' | 'started' | 'watched';
	picture: 'any' | 'hd' | '4k';
	hdr: boolean;
	audio: string;
	subtitles: string;
	person: string;
	sort: Sort;
	seed?: number;
}

export const sorts = [
	'title', '-title', '-year', 'year', '-added', 'added', '-rating', 'rating', 'runtime', '-runtime', 'random'
] as const; // prettier-ignore
export type Sort = (typeof sorts)[number];

const whole = (text: string | null) => (text && /^\d{1,9}$/.test(text) ? Number(text) : undefined);
const oneOf = <T extends string>(text: string | null, allowed: readonly T[], otherwise: T): T =>
	allowed.includes(text as T) ? (text as T) : otherwise;

/** Reads the filter of an address; what it does not understand is left out. */
export function readFilter(search: URLSearchParams): Filter {
	return {
		q: search.get('q')?.trim() ?? '',
		libraryId: search.get('library') ?? '',
		genres: [...new Set(search.getAll('genre').filter(Boolean))],
		yearFrom: whole(search.get('from')),
		yearTo: whole(search.get('to')),
		watched: oneOf(search.get('watched'), ['all', 'unwatched', 'started', 'watched'], 'all'),
		picture: oneOf(search.get('picture'), ['any', 'hd', '4k'], 'any'),
		hdr: search.get('hdr') === '1',
		audio: search.get('audio') ?? '',
		subtitles: search.get('subtitles') ?? '',
		person: search.get('person') ?? '',
		sort: oneOf(search.get('sort'), sorts, 'title'),
		seed: whole(search.get('seed'))
	};
}

/** Writes a filter as an address's search, defaults left out, in a fixed order. */
export function writeFilter(f: Filter): string {
	const search = new URLSearchParams();
	const put = (key: string, value: string | number | undefined | false) => {
		if (value) search.append(key, String(value));
	};
	put('q', f.q);
	put('library', f.libraryId);
	for (const genre of f.genres) put('genre', genre);
	put('from', f.yearFrom);
	put('to', f.yearTo);
	put('watched', f.watched !== 'all' && f.watched);
	put('picture', f.picture !== 'any' && f.picture);
	put('hdr', f.hdr && 1);
	put('audio', f.audio);
	put('subtitles', f.subtitles);
	put('person', f.person);
	put('sort', f.sort !== 'title' && f.sort);
	put('seed', f.sort === 'random' && f.seed);
	const text = search.toString();
	return text ? `?${text}` : '';
}

const hd = ['720p', '1080p', '1440p', '2160p', '4320p'];
const uhd = ['2160p', '4320p'];

/** The filter as the server's query. */
export const queryOf = (f: Filter): MovieQuery => ({
	q: f.q || undefined,
	libraryId: f.libraryId || undefined,
	genre: f.genres.length ? f.genres : undefined,
	yearFrom: f.yearFrom,
	yearTo: f.yearTo,
	watched: f.watched === 'watched' ? true : f.watched === 'unwatched' ? false : undefined,
	inProgress: f.watched === 'started' ? true : undefined,
	resolution: f.picture === 'hd' ? hd : f.picture === '4k' ? uhd : undefined,
	hdr: f.hdr || undefined,
	audioLanguage: f.audio || undefined,
	subtitleLanguage: f.subtitles || undefined,
	person: f.person || undefined,
	sort: f.sort,
	seed: f.sort === 'random' ? f.seed : undefined
});

/** The same filter with nothing restricted; search words and sort stay. */
export const cleared = (f: Filter): Filter => ({
	...readFilter(new URLSearchParams()),
	sort: f.sort,
	seed: f.seed
});

/** Whether anything but the sort restricts the list. */
export const restricts = (f: Filter) => writeFilter({ ...f, sort: 'title' }) !== '';
