package naming

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var extraKinds = set("trailer sample scene clip interview behindthescenes deleted featurette short theme_song theme_video bonus other")

// extraFolders are folders' names and the kind of extras in them.
var extraFolders = map[string]string{
	"trailers": "trailer", "trailer": "trailer", "behind the scenes": "behindthescenes", "deleted scenes": "deleted", "deleted and alternate scenes": "deleted",
	"interviews": "interview", "scenes": "scene", "samples": "sample", "sample": "sample", "shorts": "short", "featurettes": "featurette",
	"featurette": "featurette", "clips": "clip", "extras": "other", "extra": "other", "other": "other", "others": "other", "bonus": "other",
	"bonus features": "other", "special features": "other", "backdrops": "theme_video", "theme-music": "theme_song", "proof": "sample", "teasers": "trailer",
}

// extraSuffix: "-trailer", "-scene2", "-trailer-1"; a hyphen is needed because most of these words are titles' words.
var extraSuffix = regexp.MustCompile(`(?i)^(.+?)[\s._]*-[\s._]?(trailer|teaser|sample|proof|scene|clip|interview|behindthescenes|behind the scenes|deleted|deletedscene|deleted scene|featurette|short|extra|other)s?[\s._-]?\d{0,2}$`)

// looseSuffix: ".trailer", "_sample", " sample": only where the name is otherwise a release or the word is not a title's.
var looseSuffix = regexp.MustCompile(`^(.+?)([._ ])(?i:(trailer|sample))\d{0,2}$`)

var suffixKinds = map[string]string{
	"trailer": "trailer", "teaser": "trailer", "sample": "sample", "proof": "sample", "scene": "scene", "clip": "clip", "interview": "interview",
	"behindthescenes": "behindthescenes", "behind the scenes": "behindthescenes", "deleted": "deleted", "deletedscene": "deleted", "deleted scene": "deleted",
	"featurette": "featurette", "short": "short", "extra": "other", "other": "other",
}

var wholeExtra = regexp.MustCompile(`(?i)^(trailer|teaser|sample|proof)[\s._-]?\d{0,2}$`)

// takeExtra is the kind of extra that a name's end says, and the name of the film before it.
func takeExtra(name string) (string, string) {
	if m := wholeExtra.FindStringSubmatch(name); m != nil {
		return name, suffixKinds[strings.ToLower(m[1])]
	}
	if m := submatch(extraSuffix, name, strings.Contains(name, "-")); m != nil {
		word := strings.ToLower(m[2])
		spaced := regexpSpacedHyphen.MatchString(name[len(m[1]):])
		if !spaced || word == "trailer" || word == "sample" || word == "teaser" {
			return m[1], suffixKinds[word]
		}
	}
	if m := submatch(looseSuffix, name, mayContain(name, "trailer", "sample")); m != nil {
		word := name[len(m[1])+1:]
		lower := word == strings.ToLower(word)
		if released(m[1]) || m[2] != " " && lower && !strings.Contains(m[1], " ") && (m[1] != strings.ToLower(m[1]) || !strings.ContainsAny(m[1], "._")) || m[2] == "." && lower {
			return m[1], strings.ToLower(m[3])
		}
	}
	return innerExtra(name)
}

// IsSample tells whether Parse takes a path for a sample of a film. It is cheap for those that have no such word in them.
func IsSample(path string) bool {
	if !mayContain(path, "sample", "proof") {
		return false
	}
	n := Parse(path)
	return n.Kind == KindIgnored && n.Extra == "sample"
}

// mayContain tells whether a text has one of some words of small ASCII letters in it, in any case. A text with other characters may: how
// they are folded is not looked at.
func mayContain(text string, words ...string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] >= utf8.RuneSelf {
			return true
		}
		for _, word := range words {
			if text[i]|0x20 == word[0] && len(text)-i >= len(word) && strings.EqualFold(text[i:i+len(word)], word) {
				return true
			}
		}
	}
	return false
}

// submatch is FindStringSubmatch where a cheaper look says that there may be a match: these patterns are matched against every name, and few
// names have what they ask for.
func submatch(pattern *regexp.Regexp, text string, may bool) []string {
	if !may {
		return nil
	}
	return pattern.FindStringSubmatch(text)
}

var regexpSpacedHyphen = regexp.MustCompile(`^\s+-\s+`)

// released tells whether a name says anything about a copy or a year.
func released(name string) bool {
	l := lex(name)
	for i := 1; i < len(l.tokens); i++ {
		if l.yearAt(i) > 0 {
			return true
		}
		if t, ok := l.tagAt(i); ok && t.strength == strong {
			return true
		}
	}
	return false
}

// innerExtra finds "Film.Featurette.About.It.1080p", "Film.2012.Trailer.1080p" and "Film_1080p_x264_proof-GRP": words
// that are no title's behind the year or the quality, and a featurette and deleted scenes before them.
func innerExtra(name string) (string, string) {
	if !mayContain(name, "featurette", "deleted", "trailer", "teaser", "proof", "sample") {
		return name, ""
	}
	l := lex(name)
	quality, year := len(l.tokens), len(l.tokens)
	for i := len(l.tokens) - 1; i > 0; i-- {
		if t, ok := l.tagAt(i); ok && t.strength == strong {
			quality = i
		} else if l.yearAt(i) > 0 && year == len(l.tokens) {
			year = i
		}
	}
	if quality == len(l.tokens) {
		return name, ""
	}
	for i := 1; i < len(l.tokens); i++ {
		behind := i > min(quality, year)
		switch l.tokens[i].key {
		case "featurette", "featurettes":
			return name, "featurette"
		case "deleted":
			if i+1 < len(l.tokens) && strings.HasPrefix(l.tokens[i+1].key, "scene") {
				return name, "deleted"
			}
		case "trailer", "teaser":
			if behind && l.tokens[i].sep != "-" {
				return name, "trailer"
			}
		case "proof", "sample":
			if behind {
				return name, "sample"
			}
		}
	}
	return name, ""
}

// folderExtra is the kind of extra that the folders above a file say. A library's root or a film may have an
// extra's name too ("/data/trailers", "/movies/Extras (2005)"): it counts only inside a film's folder.
func folderExtra(dirs []string, absolute bool) string {
	for depth := 1; depth <= 2 && depth <= len(dirs); depth++ {
		at := len(dirs) - depth
		name := strings.ToLower(strings.TrimSpace(dirs[at]))
		extra, ok := extraFolders[name]
		if !ok || depth == 2 && (!strings.HasSuffix(name, "s") || name == "samples") {
			continue
		}
		if inFilmFolder(dirs, at, absolute) {
			return extra
		}
		return ""
	}
	return ""
}

// inFilmFolder tells whether the folder at an index stands in a film's folder and not in a library's root.
func inFilmFolder(dirs []string, at int, absolute bool) bool {
	if at == 0 {
		return !absolute
	}
	for i := at - 1; i >= 0; i-- {
		if isLibraryRoot(dirs[i]) {
			return i < at-1
		}
	}
	return !absolute || at >= 3 || lex(dirs[at-1]).hasYear()
}

func (l lexed) hasYear() bool {
	for i := range l.tokens {
		if l.yearAt(i) > 0 {
			return true
		}
	}
	return false
}

// libraryRoots are names of folders that hold films' folders.
var libraryRoots = map[string]bool{
	"movies": true, "films": true, "filme": true, "pelis": true, "peliculas": true, "media": true, "video": true, "videos": true, "tv": true,
	"downloads": true, "downloaded": true, "download": true, "library": true, "mnt": true, "volume1": true, "home": true, "test": true, "server": true, "kino": true, "cinema": true,
}

func isLibraryRoot(dir string) bool {
	dir = strings.ToLower(strings.TrimSpace(dir))
	if strings.HasPrefix(dir, "movies ") || strings.HasPrefix(dir, "movies(") || strings.HasPrefix(dir, "films ") {
		return !lex(dir).hasYear()
	}
	r, size := utf8.DecodeRuneInString(dir)
	return libraryRoots[dir] || size == len(dir) && unicode.IsLetter(r) || dir == "#" || dir == "0-9" // shelves by letter
}
