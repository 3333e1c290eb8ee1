package naming

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Kind says what a path is to a library.
type Kind string

// The kinds of paths.
const (
	KindMovie   Kind = "movie"   // a film, one of its versions or parts
	KindExtra   Kind = "extra"   // a trailer, a deleted scene: belongs to a film
	KindIgnored Kind = "ignored" // no film: samples, systems' files, names that say nothing
)

// Name is what a path says about the film in it. Fields that it does not say are zero.
type Name struct {
	Input      string   `json:"input"`
	Kind       Kind     `json:"kind"`
	Title      string   `json:"title,omitempty"`
	Year       int      `json:"year,omitempty"`
	Edition    []string `json:"edition,omitempty"`    // sorted: extended, directors_cut, final_cut…; EditionLabel says them to readers
	Resolution string   `json:"resolution,omitempty"` // lines and p: 1080p, for interlaced pictures too
	Source     string   `json:"source,omitempty"`     // bluray, webdl, dvdrip…
	VideoCodec string   `json:"videoCodec,omitempty"` // h264, h265, xvid…
	HDR        []string `json:"hdr,omitempty"`        // HDR, HDR10, HDR10+, DV, HLG
	ThreeD     string   `json:"threeD,omitempty"`     // 3d, or how the two pictures lie: hsbs, sbs, htab, tab, hou, ou, mvc
	Remux      bool     `json:"remux,omitempty"`
	Proper     bool     `json:"proper,omitempty"` // a corrected release: PROPER, REPACK, RERIP, REAL
	Group      string   `json:"group,omitempty"`  // who made the copy
	Part       int      `json:"part,omitempty"`   // from 1
	PartCount  int      `json:"partCount,omitempty"`
	Extra      string   `json:"extra,omitempty"` // trailer, sample, deleted, behindthescenes…
	IMDbID     string   `json:"imdbId,omitempty"`
	TMDbID     int      `json:"tmdbId,omitempty"`
	Stub       bool     `json:"stub,omitempty"` // a .disc file stands for a film on a shelf
}

// Parse reads a path relative to (or below) a library, or a bare release name. Both kinds of slashes separate
// folders; " / " in a name does not. Any bytes are allowed.
func Parse(input string) Name {
	n := Name{Input: input, Kind: KindMovie}
	components, absolute := splitPath(input)
	if len(components) == 0 {
		n.Kind = KindIgnored
		return n
	}
	for i := range components {
		if ignoredAt(components, i) {
			n.Kind = KindIgnored
		}
	}
	file := components[len(components)-1]
	ext := extensionOf(file)
	if ext != "" && !videoExtensions[ext] && len(components) > 1 || knownPicture[ext] {
		n.Kind = KindIgnored
	}
	n.Stub = ext == "disc"

	dirs, base, disc := filmLevel(components)
	part := 0
	for len(dirs) > 0 { // ".../Film/cd 1/file.avi"
		m := partFolder.FindStringSubmatch(strings.TrimSpace(dirs[len(dirs)-1]))
		if m == nil {
			break
		}
		if part == 0 {
			part = partNumber(m[1])
		}
		dirs = dirs[:len(dirs)-1]
	}
	r := parseRelease(base)
	if n.Stub && !strings.HasPrefix(base, explicitStart) {
		r.extra = ""
	}
	if audioExtensions[ext] {
		r.extra = ""
		if strings.EqualFold(base, "theme") {
			r.extra, n.Kind = "theme_song", KindMovie
		}
	}
	if folder := folderExtra(dirs, absolute); folder != "" && !disc {
		r.extra = folder
		dirs = dirs[:len(dirs)-1]
		r.title = "" // what an extra's own name says is the extra's title, not the film's
	}
	r = withFolders(r, base, dirs)
	if part > 0 {
		r.part = part
	}
	if r.source == "" {
		switch {
		case ext == "m2ts" || disc && strings.EqualFold(components[len(components)-1], "index.bdmv"):
			r.source = "bluray"
		case ext == "vob" || ext == "ifo":
			r.source = "dvd"
		}
	}
	r.fill(&n)
	switch {
	case n.Kind == KindIgnored:
	case r.ignored:
		n.Kind = KindIgnored
	case n.Extra == "sample":
		n.Kind = KindIgnored
	case n.Extra != "":
		n.Kind = KindExtra
	case n.Title == "":
		n.Kind = KindIgnored
	}
	return n
}

var knownPicture = set("jpg jpeg png gif webp tbn bmp db ini")

func (r release) fill(n *Name) {
	n.Title, n.Year, n.Edition = r.title, r.year, r.editions
	n.Resolution, n.Source, n.VideoCodec, n.HDR, n.ThreeD = r.resolution, r.source, r.codec, r.hdr, r.threeD
	n.Remux, n.Proper, n.Group = r.remux, r.proper, r.group
	n.Part, n.PartCount, n.Extra = r.part, r.partCount, r.extra
	n.IMDbID, n.TMDbID = r.imdb, r.tmdb
}

// longestPath is how much of a path's end is read: no system has longer ones.
const longestPath = 8192

// splitPath cuts a path at its slashes, except those between blanks ("Film / Movie").
func splitPath(input string) (components []string, absolute bool) {
	if strings.HasPrefix(input, "/") || strings.HasPrefix(input, `\`) || len(input) > 2 && input[1] == ':' && (input[2] == '/' || input[2] == '\\') {
		absolute = true
	}
	if len(input) > longestPath {
		input = input[len(input)-longestPath:]
	}
	start := 0
	add := func(end int) {
		if part := input[start:end]; strings.Trim(part, " ") != "" && part != "." && part != ".." {
			components = append(components, part)
		}
		start = end + 1
	}
	for i := 0; i < len(input); i++ {
		if input[i] != '/' && input[i] != '\\' {
			continue
		}
		if i > 0 && i+1 < len(input) && input[i-1] == ' ' && input[i+1] == ' ' || insideBracket(input[start:i], input[i+1:]) {
			continue
		}
		add(i)
	}
	add(len(input))
	return components, absolute
}

// insideBracket tells whether a slash stands in a bracket: "(S:317/L:28)".
func insideBracket(before, after string) bool {
	if next := strings.IndexAny(after, `/\`); next >= 0 {
		after = after[:next]
	}
	for _, pair := range []string{"()", "[]"} {
		if strings.Count(before, pair[:1]) > strings.Count(before, pair[1:]) && strings.Count(after, pair[1:]) > strings.Count(after, pair[:1]) {
			return true
		}
	}
	return false
}

// filmLevel is the name that stands for the film and the folders above it: the file's, or for the files of a
// disc's structure the name of the folder that holds it. A file of the folder's own name below a "Film.mkv"
// folder stays the file.
func filmLevel(components []string) (dirs []string, base string, disc bool) {
	for i, c := range components {
		switch strings.ToUpper(c) {
		case "VIDEO_TS", "BDMV", "AUDIO_TS":
			if i == 0 {
				return nil, "", true
			}
			dirs, base = components[:i-1], components[i-1]
			if partFolder.MatchString(strings.TrimSpace(base)) && len(dirs) > 0 {
				return components[:i], "", true
			}
			return dirs, stem(base), true
		}
	}
	last := len(components) - 1
	base = stem(components[last])
	if inner := extensionOf(base); inner != "" && videoExtensions[inner] && !IsVideo(components[last]) && len(base) > len(inner)+1 {
		base = stem(base) // "Film.avi.otrkey", "Film.mkv.torrent"
	}
	return components[:last], base, false
}

var (
	genericName = regexp.MustCompile(`(?i)^(?:movie|film|video|file|main|feature|index|title|track|abc|b00bs|untitled|stream|new|cd|dvd|disc|\d{5}|t\d\d|title[_ ]?t?\d+|(?:movie|film|video|file)[ _.-]?\d{1,3}|backup_\d{5,}s\d{2}-\d{2}|\d{6}_\d{2})$`)
	// abbreviation: "dmd-aw", "personnea_mp"
	abbreviation = regexp.MustCompile(`^[a-z0-9]{1,12}[-_][a-z0-9]{1,8}$`)
	hashName     = regexp.MustCompile(`^(?:[0-9a-fA-F]{24,}|[A-Z]{11}\d{3}|[a-z]{12}\d{3})$`)
)

// looksRandom tells whether a name is a hash or what an obfuscator made: it says nothing about a film.
func looksRandom(name string) bool {
	words := strings.Fields(name)
	if len(words) == 0 {
		return false
	}
	for _, word := range words {
		if hashName.MatchString(word) || checksumWord.MatchString(strings.ToLower(word)) && len(words) == 1 && strings.ContainsAny(word, "0123456789") && !isDigits(word) {
			continue
		}
		digits, changes := 0, 0
		last := 0
		for _, r := range word {
			class := 0
			switch {
			case unicode.IsDigit(r):
				class = 1
				digits++
			case unicode.IsUpper(r):
				class = 2
			case unicode.IsLower(r):
				class = 3
			default:
				return false
			}
			if last != 0 && class != last {
				changes++
			}
			last = class
		}
		if len(word) < 10 || digits == 0 || changes*3 < len(word) {
			return false
		}
	}
	return true
}

// withFolders completes what a file's name says by what the folders above it say. A folder called "Title (Year)"
// knows the title better than a file's abbreviation of it; a file that says its own year is believed.
func withFolders(r release, base string, dirs []string) release {
	blank := r.title == "" || looksRandom(base)
	if len(dirs) > 0 && genericName.MatchString(base) {
		above := dirs[len(dirs)-1]
		blank = blank || !isLibraryRoot(above) && extraFolders[strings.ToLower(above)] == ""
	}
	if blank {
		r.title, r.year = "", 0 // a bare number of a generic name is no year
		if looksRandom(base) {
			r = release{part: r.part, extra: r.extra}
		}
	}
	for up := 1; up <= 3 && up <= len(dirs); up++ {
		dir := dirs[len(dirs)-up]
		if dir == "" || isLibraryRoot(dir) || strings.HasSuffix(dir, ":") {
			break
		}
		f := parseRelease(stemVideo(dir))
		if r.imdb == "" && r.tmdb == 0 && (up == 1 || blank) {
			r.ids = f.ids
		}
		if looksRandom(dir) || f.title == "" || f.part > 0 && partFolder.MatchString(dir) {
			continue
		}
		if r.title == "" {
			r.title, r.year, r.bracketed = f.title, f.year, f.bracketed
			r.inherit(f)
			if r.part == 0 && up == 1 {
				r.part, r.partCount = f.part, f.partCount
			}
			return r
		}
		if up > 1 {
			break
		}
		file, folder := fold(r.title), fold(f.title)
		related := strings.Contains(file, folder) || strings.Contains(folder, file)
		switch {
		case r.year == 0 && f.year > 0 && f.bracketed:
			r.title, r.year = f.title, f.year
			r.inherit(f)
		case r.year == 0 && f.year > 0 && (related || f.tags > 0 && r.tags == 0):
			r.year = f.year
			r.title = f.title
			r.inherit(f)
		case r.year == 0 && f.tags > r.tags && r.tags == 0 && !related && f.group != "", r.year == 0 && r.tags == 0 && !related && abbreviation.MatchString(base):
			r.title = f.title
			r.inherit(f)
		case r.year == 0 && related && f.tags > 0 && base == strings.ToLower(base):
			r.title = f.title // "arw-repack-film.dvdrip.xvid" in "Film.REPACK.DVDRip.XviD-ARROW"
			r.inherit(f)
		case r.year > 0 && f.year == r.year && (related || r.tags == 0) && f.bracketed:
			r.title = f.title
			r.inherit(f)
		case r.year > 0 && f.year == r.year && f.tags > 0:
			if strings.ToLower(r.title) == r.title && !strings.Contains(r.title, " ") {
				r.title = f.title // "lost-captainphillips.2013.1080p"
			}
			r.inherit(f)
		}
		break
	}
	return r
}

// inherit takes what a folder says about the copy and the file does not.
func (r *release) inherit(f release) {
	if len(r.editions) == 0 {
		r.editions = slices.Clone(f.editions)
	}
	if r.resolution == "" {
		r.resolution = f.resolution
	}
	if r.source == "" {
		r.source = f.source
		r.remux = r.remux || f.remux
	}
	if r.codec == "" {
		r.codec = f.codec
	}
	if r.group == "" {
		r.group = f.group
	}
	if len(r.hdr) == 0 {
		r.hdr = f.hdr
	}
	if r.threeD == "" {
		r.threeD = f.threeD
	}
	r.proper = r.proper || f.proper
}

// stemVideo is a folder's name without a video's extension: downloaders name folders after their file.
func stemVideo(dir string) string {
	if IsVideo(dir) {
		return stem(dir)
	}
	return dir
}
