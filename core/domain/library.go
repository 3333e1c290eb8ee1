package domain

import "time"

// Library is a set of folders of films with one access list.
type Library struct {
	ID   ID     `json:"id"`
	Name string `json:"name"`
	// Restricted libraries are seen only by admin and, where the access list names them, by legacy:read.
	Restricted bool `json:"restricted"`
	// Open libraries are seen by every account; others by those on the access list (and admin).
	Open      bool          `json:"open"`
	Locale    string        `json:"locale" doc:"BCP 47 tag whose articles sort titles ignore"`
	Paths     []LibraryPath `json:"paths"`
	CreatedAt time.Time     `json:"createdAt"`
	UpdatedAt time.Time     `json:"updatedAt"`
}

// PathState says whether what is missing below a path may be believed (R10).
type PathState string

// The states of a library path.
const (
	PathOK PathState = "ok"
	// PathFrozen: so much vanished, or an I/O error was met, that nothing is marked missing and no purge clock
	// runs until the files are back or an administrator confirms.
	PathFrozen PathState = "frozen"
)

// LibraryPath is one folder of a library. Raw is the path's bytes as the system has them, Path the display form.
type LibraryPath struct {
	ID        ID        `json:"id"`
	LibraryID ID        `json:"libraryId"`
	Raw       []byte    `json:"-"`
	Path      string    `json:"path"`
	State     PathState `json:"state" enum:"ok,frozen"`
	// Reason says in words why the path is frozen; "" while ok.
	Reason string `json:"reason,omitempty"`
	// Vanished counts the known files that are not there now (frozen) within the last 24 hours.
	Vanished  int        `json:"vanished"`
	FrozenAt  *time.Time `json:"frozenAt,omitempty"`
	ScannedAt *time.Time `json:"scannedAt,omitempty"`
	// ConfirmedAt is when an administrator last said that what had vanished is gone: R10 counts from then on.
	ConfirmedAt *time.Time `json:"-"`
}

// LibraryAccess is one entry of a library's access list.
type LibraryAccess struct {
	LibraryID ID        `json:"libraryId"`
	UserID    ID        `json:"userId"`
	Username  string    `json:"username"`
	GrantedAt time.Time `json:"grantedAt"`
}

// ScanState is where a scan stands.
type ScanState string

// The states of a scan.
const (
	ScanQueued    ScanState = "queued"
	ScanRunning   ScanState = "running"
	ScanDone      ScanState = "done"
	ScanCancelled ScanState = "cancelled"
	ScanFailed    ScanState = "failed"
)

// ScanStage is what a running scan does now; every stage has its own counter.
type ScanStage string

// The stages of a scan in order.
const (
	StageFind    ScanStage = "find"    // walk the folders
	StageRead    ScanStage = "read"    // fingerprint and probe
	StageMatch   ScanStage = "match"   // names, NFO, grouping into films
	StageArtwork ScanStage = "artwork" // pictures and frames
)

// Scan is one run over a library, or over some of its folders (targeted, after file events).
type Scan struct {
	ID        ID        `json:"id"`
	LibraryID ID        `json:"libraryId"`
	State     ScanState `json:"state" enum:"queued,running,done,cancelled,failed"`
	Stage     ScanStage `json:"stage" enum:"find,read,match,artwork"`
	// Trigger is "manual", "event", "schedule" or "created".
	Trigger string `json:"trigger" enum:"manual,event,schedule,created"`
	// Folders restricts a targeted scan to these raw paths below the library; empty for a full one.
	Folders [][]byte `json:"-"`
	// Cursor is where the current stage goes on after a kill; opaque to all but the scan itself.
	Cursor []byte `json:"-"`
	// Found, Read, Matched, Artwork count files (found, read) and films (matched, artwork) done; *Total what is known to be to do.
	Found        int `json:"found"`
	ReadTotal    int `json:"readTotal"`
	Read         int `json:"read"`
	Failed       int `json:"failed"`
	MatchTotal   int `json:"matchTotal"`
	Matched      int `json:"matched"`
	ArtworkTotal int `json:"artworkTotal"`
	Artwork      int `json:"artwork"`
	// Added, Changed, Moved and Missing count files against the state before the scan.
	Added   int `json:"added"`
	Changed int `json:"changed"`
	Moved   int `json:"moved"`
	Missing int `json:"missing"`
	// Error says why a scan failed and what to do.
	Error      string     `json:"error,omitempty"`
	CreatedAt  time.Time  `json:"createdAt"`
	StartedAt  *time.Time `json:"startedAt,omitempty"`
	FinishedAt *time.Time `json:"finishedAt,omitempty"`
}

// Active tells whether the scan is queued or running.
func (s Scan) Active() bool { return s.State == ScanQueued || s.State == ScanRunning }

// FileState is what is known of a file on disk.
type FileState string

// The states of a file.
const (
	FileFound       FileState = "found"       // seen, not read yet
	FileGrowing     FileState = "growing"     // still written to; read when its size is stable
	FileReady       FileState = "ready"       // read; playable as far as the decision says
	FileFailed      FileState = "failed"      // cannot be read; Reason says why
	FileUnsupported FileState = "unsupported" // a BDMV or VIDEO_TS folder, a disc image: listed, cannot play yet
	FileMissing     FileState = "missing"     // was there, is not now; purged 30 days after MissingSince (R10)
	FileIgnored     FileState = "ignored"     // an administrator said so, or a sample
)

// FileKind tells a film from what comes with it.
type FileKind string

// The kinds of file.
const (
	KindMovie FileKind = "movie"
	KindExtra FileKind = "extra"
)

// File is one video file (or disc folder) of a library.
type File struct {
	ID        ID        `json:"id"`
	LibraryID ID        `json:"libraryId"`
	PathID    ID        `json:"pathId"`
	MovieID   *ID       `json:"movieId,omitempty"`
	Raw       []byte    `json:"-"` // path relative to the library path, '/' separated, any bytes but NUL
	Path      string    `json:"path"`
	Kind      FileKind  `json:"kind" enum:"movie,extra"`
	State     FileState `json:"state" enum:"found,growing,ready,failed,unsupported,missing,ignored"`
	// ReasonCode is stable ("probe.truncated"); Reason is for a person: what is wrong and what to do.
	ReasonCode string    `json:"reasonCode,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	Size       int64     `json:"size"`
	ModifiedAt time.Time `json:"modifiedAt"`
	// Fingerprint is hex of a hash over size and sampled content: equal for moved and copied files; "" for empty or unread ones.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Revision changes whenever the content may have: URLs and segments carry it. Hex.
	Revision string `json:"revision"`
	// Version names this version among the film's ("4K HDR", "Director's Cut"), "" where there is only one.
	Version    string   `json:"version,omitempty"`
	VersionKey string   `json:"versionKey"` // groups the parts of one version
	Part       int      `json:"part"`       // 1-based position among the parts of its version; 0 when not split
	Edition    []string `json:"edition,omitempty"`
	Resolution string   `json:"resolution,omitempty"` // "2160p", "1080p", "720p", "sd"… from the streams, else the name
	Source     string   `json:"source,omitempty"`
	ExtraKind  string   `json:"extraKind,omitempty"` // trailer, featurette, behindthescenes, deleted, interview, scene, short, other
	Title      string   `json:"title,omitempty"`     // of an extra
	// Media is what probing found; nil until the file is ready.
	Media *Media `json:"media,omitempty"`
	// Sidecars are subtitle files beside it.
	Sidecars     []Sidecar  `json:"sidecars,omitempty"`
	MissingSince *time.Time `json:"missingSince,omitempty"`
	// VanishedAt is when a walk did not find it any more: a candidate that is not marked missing before its path is judged (R10).
	VanishedAt *time.Time `json:"-"`
	// Inode identifies the file on its device while mounted; "" where unknown.
	Inode string `json:"-"`
	// Beside is hex of a hash over the names, sizes and times of what lies beside the file and belongs to it (metadata, pictures, subtitles).
	Beside string `json:"-"`
	// MatchedAt is when its folder was last grouped into films; nil asks for it.
	MatchedAt *time.Time `json:"-"`
	AddedAt   time.Time  `json:"addedAt"`
	UpdatedAt time.Time  `json:"updatedAt"`
}

// Sidecar is a text subtitle file beside a film.
type Sidecar struct {
	Raw             []byte `json:"raw"`  // relative to the library path
	Name            string `json:"name"` // display form of the file's own name
	Language        string `json:"language,omitempty"`
	Title           string `json:"title,omitempty"`
	Format          string `json:"format"` // srt, vtt, ass, ssa
	Forced          bool   `json:"forced"`
	Default         bool   `json:"default"`
	HearingImpaired bool   `json:"hearingImpaired"`
	Size            int64  `json:"size"`
}

// Directory is one folder of the path picker.
type Directory struct {
	Name   string `json:"name"`
	Path   string `json:"path"`   // display form
	Handle string `json:"handle"` // base64url of the path's bytes: what the API takes back
	// Videos counts video files below, bounded in time; Partial says that counting stopped early.
	Videos  int  `json:"videos"`
	Partial bool `json:"partial"`
}
