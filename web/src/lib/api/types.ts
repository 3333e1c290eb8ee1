/** The bodies of the HTTP API. Durations and positions are seconds, sizes bytes, times RFC 3339. */

export interface Page<T> {
	items: T[];
	nextCursor?: string;
	total?: number;
}
export interface List<T> {
	items: T[];
}
export interface ServerSettings {
	setupRequired: boolean;
	name: string;
	version: string;
	language: string;
	passwordMinLength: number;
}
export interface User {
	id: string;
	username: string;
	displayName: string;
	email?: string;
	roles: string[];
	disabled: boolean;
	lastLoginAt?: string;
}
export interface Session {
	id: string;
	device: string;
	userAgent: string;
	ip: string;
	createdAt: string;
	lastSeenAt: string;
	expiresAt: string;
	current?: boolean;
}
export interface Me {
	user: User;
	permissions: string[];
	session: Session;
}
export interface Preferences {
	audioLanguage: string;
	subtitleLanguage: string;
	subtitleMode: 'auto' | 'on' | 'off';
	language: string;
}
export interface Image {
	id: string;
	kind: 'poster' | 'backdrop' | 'logo';
	width: number;
	height: number;
	thumbhash: string;
	hash: string;
}
export interface WatchState {
	position: number;
	duration: number;
	progress: number;
	watched: boolean;
	playCount: number;
	lastPlayedAt?: string;
	watchedAt?: string;
	fileId?: string;
}
export interface MovieItem {
	id: string;
	libraryId: string;
	title: string;
	sortTitle: string;
	year?: number;
	runtime: number;
	rating?: number;
	resolution?: string;
	hdr: boolean;
	versions: number;
	available: boolean;
	poster?: Image;
	backdrop?: Image;
	addedAt: string;
	state?: WatchState;
}
export interface Movie extends MovieItem {
	originalTitle?: string;
	tagline?: string;
	overview?: string;
	votes?: number;
	certification?: string;
	releaseDate?: string;
	imdbId?: string;
	tmdbId?: number;
	genres: string[];
	countries?: string[];
	studios?: string[];
	directors?: string[];
	audioLanguages?: string[];
	subtitleLanguages?: string[];
}
export interface Credit {
	person: string;
	department: string;
	role?: string;
	order: number;
}
export interface Count {
	value: string;
	count: number;
}
export interface IndexEntry {
	label: string;
	count: number;
	cursor: string;
}
export interface HistoryEntry {
	event: {
		id: string;
		movieId: string;
		title: string;
		year?: number;
		kind: 'progress' | 'watched' | 'unwatched' | 'reset' | 'dismissed';
		position: number;
		duration: number;
		at: string;
	};
	movie?: MovieItem;
}
export interface MovieStats {
	movies: number;
	runtime: number;
	size: number;
	watched: number;
	inProgress: number;
	missing: number;
	genres: Count[];
}
export interface Chapter {
	start: number;
	end: number;
	title?: string;
}
export interface Media {
	container: string;
	duration: number;
	bitRate: number;
	video: {
		index: number;
		codec: string;
		profile?: string;
		width: number;
		height: number;
		bitDepth?: number;
		hdr?: string;
		attachedPicture?: boolean;
	}[];
	audio: {
		index: number;
		codec: string;
		profile?: string;
		channels: number;
		language?: string;
		title?: string;
		default: boolean;
		commentary: boolean;
	}[];
	subtitles: {
		index: number;
		codec: string;
		language?: string;
		title?: string;
		forced: boolean;
		text: boolean;
	}[];
	chapters: Chapter[];
}
export interface MediaFile {
	id: string;
	libraryId: string;
	pathId: string;
	movieId?: string;
	path: string;
	kind: 'movie' | 'extra';
	state: 'found' | 'growing' | 'ready' | 'failed' | 'unsupported' | 'missing' | 'ignored';
	reasonCode?: string;
	reason?: string;
	size: number;
	version?: string;
	versionKey: string;
	part: number;
	edition?: string[];
	resolution?: string;
	source?: string;
	extraKind?: string;
	title?: string;
	media?: Media;
	sidecars?: { name: string; language?: string; format: string }[];
	missingSince?: string;
	addedAt: string;
	updatedAt: string;
}
export interface LibraryPath {
	id: string;
	libraryId: string;
	path: string;
	state: 'ok' | 'frozen';
	reason?: string;
	vanished: number;
	scannedAt?: string;
}
export interface Library {
	id: string;
	name: string;
	restricted: boolean;
	open: boolean;
	locale: string;
	paths: LibraryPath[];
	updatedAt: string;
}
export interface LibraryAccess {
	libraryId: string;
	userId: string;
	username: string;
	grantedAt: string;
}
export interface Scan {
	id: string;
	libraryId: string;
	state: 'queued' | 'running' | 'done' | 'cancelled' | 'failed';
	stage: 'find' | 'read' | 'match' | 'artwork';
	trigger: string;
	found: number;
	readTotal: number;
	read: number;
	failed: number;
	matchTotal: number;
	matched: number;
	artworkTotal: number;
	artwork: number;
	added: number;
	changed: number;
	moved: number;
	missing: number;
	error?: string;
	createdAt: string;
	startedAt?: string;
	finishedAt?: string;
}
export interface Directory {
	name: string;
	path: string;
	handle: string;
	videos: number;
	partial: boolean;
}
export interface Directories {
	path: string;
	handle: string;
	parent?: string;
	items: Directory[];
	titles?: { title: string; year?: number }[];
	videos: number;
	partial: boolean;
}

/** What this browser can play. */
export interface Capabilities {
	containers: string[];
	video: { codec: string; codecString?: string; maxWidth?: number; maxHeight?: number }[];
	audio: string[];
	hls: boolean;
	maxAudioChannels: number;
}
export type Method = 'direct' | 'remux' | 'audio-encode' | 'unplayable';
export interface Reason {
	code: string;
	message: string;
	track?: number;
}
export interface PlaybackAudio {
	index: number;
	language?: string;
	title?: string;
	channels: number;
	codec: string;
	method: 'copy' | 'encode' | 'unplayable';
	reason?: string;
	default: boolean;
	selected: boolean;
	/** Name of the rendition in the HLS playlist. */
	name: string;
}
export interface PlaybackSubtitle {
	id: string;
	language?: string;
	title?: string;
	forced: boolean;
	default: boolean;
	hearingImpaired: boolean;
	format: string;
	url?: string;
	selected: boolean;
	text: boolean;
	reason?: string;
}
export interface PlaybackPart {
	fileId: string;
	/** Where this part begins on the whole film's axis. */
	start: number;
	duration: number;
	method: Method;
	reasons: Reason[];
	url: string;
	mime: string;
	audio: PlaybackAudio[];
	subtitles: PlaybackSubtitle[];
	chapters: Chapter[];
}
export interface PlaybackVersion {
	key: string;
	label: string;
	method: Method;
	reasons: Reason[];
	size: number;
	duration: number;
	parts: string[];
}
export interface Playback {
	movieId: string;
	title: string;
	duration: number;
	position: number;
	versions: PlaybackVersion[];
	selected?: { key: string; parts: PlaybackPart[] };
}
