package domain

import (
	"fmt"
	"time"
)

// Movie is a film of a library in full.
type Movie struct {
	ID        ID `json:"id"`
	LibraryID ID `json:"libraryId"`
	// Identity is the film itself, whatever library it is in: "tmdb:653", "imdb:tt0013442", else "movie:<id>".
	// Watch state hangs on it (SPEC 4).
	Identity      string   `json:"identity"`
	Title         string   `json:"title"`
	SortTitle     string   `json:"sortTitle"`
	OriginalTitle string   `json:"originalTitle,omitempty"`
	Year          int      `json:"year,omitempty"`
	Tagline       string   `json:"tagline,omitempty"`
	Overview      string   `json:"overview,omitempty"`
	Runtime       float64  `json:"runtime"`          // seconds; from the streams, else the metadata
	Rating        float64  `json:"rating,omitempty"` // 0–10
	Votes         int      `json:"votes,omitempty"`
	Certification string   `json:"certification,omitempty"`
	ReleaseDate   string   `json:"releaseDate,omitempty"` // RFC 3339 full-date
	IMDbID        string   `json:"imdbId,omitempty"`
	TMDbID        int      `json:"tmdbId,omitempty"`
	Genres        []string `json:"genres"`
	Countries     []string `json:"countries,omitempty"`
	Studios       []string `json:"studios,omitempty"`
	Directors     []string `json:"directors,omitempty"`
	// Available is false while every file is missing: shown greyed, cannot play.
	Available bool `json:"available"`
	// Facts for tags and filters, over all versions: the best resolution, HDR, audio and subtitle languages, versions and files.
	Resolution        string    `json:"resolution,omitempty"`
	HDR               bool      `json:"hdr"`
	AudioLanguages    []string  `json:"audioLanguages,omitempty"`
	SubtitleLanguages []string  `json:"subtitleLanguages,omitempty"`
	Versions          int       `json:"versions"`
	Poster            *Image    `json:"poster,omitempty"`
	Backdrop          *Image    `json:"backdrop,omitempty"`
	AddedAt           time.Time `json:"addedAt"`
	UpdatedAt         time.Time `json:"updatedAt"`
	// MetadataSource is "nfo" or "name": where title and facts came from.
	MetadataSource string `json:"metadataSource"`
	// State is the asking user's; nil where nobody asked.
	State *WatchState `json:"state,omitempty"`
}

// MovieItem is a film in a list.
type MovieItem struct {
	ID         ID          `json:"id"`
	LibraryID  ID          `json:"libraryId"`
	Title      string      `json:"title"`
	SortTitle  string      `json:"sortTitle"`
	Year       int         `json:"year,omitempty"`
	Runtime    float64     `json:"runtime"`
	Rating     float64     `json:"rating,omitempty"`
	Resolution string      `json:"resolution,omitempty"`
	HDR        bool        `json:"hdr"`
	Versions   int         `json:"versions"`
	Available  bool        `json:"available"`
	Poster     *Image      `json:"poster,omitempty"`
	Backdrop   *Image      `json:"backdrop,omitempty"`
	AddedAt    time.Time   `json:"addedAt"`
	State      *WatchState `json:"state,omitempty"`
}

// MovieIdentity returns the identity of a film: the provider's id where there is one, else its own.
func MovieIdentity(id ID, tmdb int, imdb string) string {
	switch {
	case tmdb > 0:
		return fmt.Sprintf("tmdb:%d", tmdb)
	case imdb != "":
		return "imdb:" + imdb
	default:
		return "movie:" + id.String()
	}
}

// Credit is one person's part in a film.
type Credit struct {
	Person string `json:"person"`
	// Department is "cast", "directing", "writing", "production", "camera", "sound", "editing", "crew".
	Department string `json:"department"`
	Role       string `json:"role,omitempty"` // the character, or the job
	Order      int    `json:"order"`
}

// Count is a value with how many films have it.
type Count struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

// IndexEntry is one letter, decade or year of a sorted list, and the cursor that starts there.
type IndexEntry struct {
	Label  string `json:"label"`
	Count  int    `json:"count"`
	Cursor string `json:"cursor"`
}

// MovieSort is an order of a list of films. Every one ends with the id, so that it is total.
type MovieSort string

// The sorts. A leading '-' in the API reverses.
const (
	SortTitle   MovieSort = "title"
	SortYear    MovieSort = "year"
	SortAdded   MovieSort = "added"
	SortRating  MovieSort = "rating"
	SortRuntime MovieSort = "runtime"
	SortRandom  MovieSort = "random" // stable for a Seed
)

// MovieFilter restricts a list of films. Zero fields do not restrict; in JSON, which tells kept lists apart, they are left out.
type MovieFilter struct {
	Query            string    `json:",omitzero"` // words of the title or original title, folded
	LibraryID        *ID       `json:",omitzero"`
	Genres           []string  `json:",omitzero"` // any of
	YearFrom         int       `json:",omitzero"`
	YearTo           int       `json:",omitzero"` // inclusive
	RatingFrom       float64   `json:",omitzero"`
	Watched          *bool     `json:",omitzero"` // by the asking user
	InProgress       *bool     `json:",omitzero"`
	Resolutions      []string  `json:",omitzero"` // any of
	HDR              *bool     `json:",omitzero"`
	AudioLanguage    string    `json:",omitzero"`
	SubtitleLanguage string    `json:",omitzero"`
	Person           string    `json:",omitzero"`
	Sort             MovieSort `json:",omitzero"`
	Descending       bool      `json:",omitzero"`
	Seed             int64     `json:",omitzero"`
}

// ImageKind is what a picture shows.
type ImageKind string

// The kinds of picture.
const (
	ImagePoster   ImageKind = "poster"
	ImageBackdrop ImageKind = "backdrop"
	ImageLogo     ImageKind = "logo"
)

// Image is a picture of a film. URLs are made by the host: /api/v1/images/{id}/{size}?v={hash}.
type Image struct {
	ID     ID        `json:"id"`
	Kind   ImageKind `json:"kind" enum:"poster,backdrop,logo"`
	Width  int       `json:"width"`
	Height int       `json:"height"`
	// Thumbhash is base64 (standard, unpadded allowed) of a thumbhash: a placeholder of about 25 bytes.
	Thumbhash string `json:"thumbhash"`
	// Hash is hex over the source's content: changes with it.
	Hash string `json:"hash"`
}

// StoredImage is an Image with where it came from.
type StoredImage struct {
	Image
	MovieID   ID
	LibraryID ID
	// Source is "local" (a file beside the film), "embedded" or "frame".
	Source string
	// SourcePathID and SourceRaw name the local file; Blob is the key of the stored original.
	SourcePathID *ID
	SourceRaw    []byte
	Blob         string
	// SourceRevision is the size and time, or the file revision, that it was made from.
	SourceRevision string
	UpdatedAt      time.Time
}

// WatchState is what a user's watch events add up to for one film.
type WatchState struct {
	// Position is seconds into the film (over all parts of a version); Duration what it was measured against.
	Position float64 `json:"position"`
	Duration float64 `json:"duration"`
	// Progress is 0–1. Watched turns true at 90 % (SPEC 4) or by hand.
	Progress     float64    `json:"progress"`
	Watched      bool       `json:"watched"`
	PlayCount    int        `json:"playCount"`
	LastPlayedAt *time.Time `json:"lastPlayedAt,omitempty"`
	WatchedAt    *time.Time `json:"watchedAt,omitempty"`
	// FileID is the file that was playing last, where it still exists.
	FileID *ID `json:"fileId,omitempty"`
}

// WatchEventKind is what happened.
type WatchEventKind string

// The kinds of watch event.
const (
	WatchProgress  WatchEventKind = "progress"
	WatchWatched   WatchEventKind = "watched"
	WatchUnwatched WatchEventKind = "unwatched"
	WatchReset     WatchEventKind = "reset"     // progress deleted
	WatchDismissed WatchEventKind = "dismissed" // removed from continue watching, position kept
)

// WatchEvent is append-only (SPEC 4): never changed but for the identity, when a film is re-keyed.
type WatchEvent struct {
	ID          ID             `json:"id"`
	UserID      ID             `json:"userId"`
	Identity    string         `json:"identity"`
	MovieID     ID             `json:"movieId"`
	Title       string         `json:"title"` // as it was, so that a history survives its film
	Year        int            `json:"year,omitempty"`
	Kind        WatchEventKind `json:"kind" enum:"progress,watched,unwatched,reset,dismissed"`
	Fingerprint string         `json:"fingerprint,omitempty"`
	FileID      *ID            `json:"fileId,omitempty"`
	Position    float64        `json:"position"`
	Duration    float64        `json:"duration"`
	At          time.Time      `json:"at"`
}

// HistoryEntry is one film a user watched, newest first.
type HistoryEntry struct {
	Event WatchEvent `json:"event"`
	// Movie is nil when the film is gone or no longer visible to the user.
	Movie *MovieItem `json:"movie,omitempty"`
}

// MovieStats are a user's figures over what they may see.
type MovieStats struct {
	Movies     int     `json:"movies"`
	Runtime    float64 `json:"runtime"` // seconds, all films
	Size       int64   `json:"size"`    // bytes, all files
	Watched    int     `json:"watched"`
	InProgress int     `json:"inProgress"`
	Missing    int     `json:"missing"`
	Genres     []Count `json:"genres"`
}
