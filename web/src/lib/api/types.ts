import type { components } from './schema';

/** The bodies of the HTTP API. Durations and positions are seconds, sizes bytes, times RFC 3339. */
type Schemas = components['schemas'];

export interface Page<T> {
	items: T[];
	nextCursor?: string;
	total?: number;
}
export type ServerSettings = Schemas['PublicSettings'];
export type User = Schemas['User'];
export type Session = Schemas['SessionItem'];
export type Me = Schemas['Me'];
export type Preferences = Schemas['Preferences'];
export type Image = Schemas['Image'];
export type WatchState = Schemas['WatchState'];
export type MovieItem = Schemas['MovieItem'];
export type Movie = Schemas['Movie'];
export type Credit = Schemas['Credit'];
export type Count = Schemas['Count'];
export type IndexEntry = Schemas['IndexEntry'];
export type HistoryEntry = Schemas['HistoryEntry'];
export type MovieStats = Schemas['MovieStats'];
export type Chapter = Schemas['Chapter'];
export type MediaFile = Schemas['File'];
export type LibraryPath = Schemas['LibraryPath'];
export type Library = Schemas['Library'];
export type LibraryAccess = Schemas['LibraryAccess'];
export type Scan = Schemas['Scan'];
export type Directories = Schemas['Listing'];
export type Capabilities = Schemas['Capabilities'];
export type Reason = Schemas['Reason'];
export type Playback = Schemas['Plan'];
export type PlaybackVersion = Schemas['VersionPlan'];
export type PlaybackPart = Schemas['PartPlan'];
export type PlaybackAudio = Schemas['AudioPlan'];
export type PlaybackSubtitle = Schemas['SubtitlePlan'];
