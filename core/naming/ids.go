package naming

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

var (
	bracketedID = regexp.MustCompile(`(?i)[\[{(]\s*(imdb|tmdb|tvdb)(?:id)?\s*[=\-: ]\s*(tt\d{1,12}|\d{1,12})?\s*[\]})]`)
	bareIMDb    = regexp.MustCompile(`(?i)(^|[\s._\-\[({])(tt\d{7,9})($|[\s._\-\])}])`)
	keyedID     = regexp.MustCompile(`(?i)(?:imdb|imdbid)[-=:]$`) // its bracket did not match
	editionTag  = regexp.MustCompile(`(?i)\{\s*edition\s*[-=]\s*([^{}]*)\}|\[\s*edition\s*[-=]\s*([^\[\]]*)\]`)
)

// largestID is what stores keep as an id; theirs are far from it.
const largestID = math.MaxInt32

type ids struct {
	imdb string
	tmdb int
}

// takeIDs finds the first IMDb and TMDB id that a name says and returns the name without them, so that their
// digits are taken for nothing else. Brackets that do not match say no id.
func takeIDs(name string) (string, ids) {
	var found ids
	if !mayContain(name, "imdb", "tmdb", "tvdb", "tt") {
		return name, found
	}
	name = bracketedID.ReplaceAllStringFunc(name, func(whole string) string {
		if strings.IndexByte("[{(", whole[0]) != strings.IndexByte("]})", whole[len(whole)-1]) {
			return whole
		}
		m := bracketedID.FindStringSubmatch(whole)
		id := strings.ToLower(m[2])
		switch source := strings.ToLower(m[1]); {
		case source == "imdb" && strings.HasPrefix(id, "tt"):
			if found.imdb == "" {
				found.imdb = id
			}
		case source == "tmdb" && isDigits(id):
			if n, err := strconv.Atoi(id); err == nil && n <= largestID && found.tmdb == 0 {
				found.tmdb = n
			}
		}
		return " "
	})
	if m := bareIMDb.FindStringSubmatchIndex(name); m != nil && !keyedID.MatchString(name[:m[4]]) {
		if found.imdb == "" {
			found.imdb = strings.ToLower(name[m[4]:m[5]])
		}
		name = strings.TrimRight(name[:m[4]], "-[({ ") + " " + strings.TrimLeft(name[m[5]:], ")]}")
	}
	return name, found
}

// takeEditions finds editions written by hand and returns the name without them.
func takeEditions(name string) (string, []string) {
	var found []string
	if !mayContain(name, "edition") {
		return name, nil
	}
	name = editionTag.ReplaceAllStringFunc(name, func(whole string) string {
		m := editionTag.FindStringSubmatch(whole)
		for part := range strings.SplitSeq(m[1]+m[2], ",") {
			for _, edition := range editionsIn(part) {
				found = addOnce(found, edition)
			}
		}
		return " "
	})
	return name, found
}
