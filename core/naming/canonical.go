package naming

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Canonical is the one way to write what n says: "Title (Year) {edition-extended} {tmdb-603} [1080p bluray h264]-GROUP".
// Parse(Canonical(n)) says what n says, for every n that Parse made. What that form cannot say ("The Cut 1080p" as a
// title) is written out field by field in braces.
func Canonical(n Name) string {
	plain := canonicalPlain(n)
	if says(Parse(plain), n) {
		return plain
	}
	return canonicalExplicit(n)
}

// says tells whether two names mean the same film and copy, wherever they were read.
func says(a, b Name) bool {
	a.Input, b.Input = "", ""
	if len(a.Edition) == 0 && len(b.Edition) == 0 {
		a.Edition, b.Edition = nil, nil
	}
	if len(a.HDR) == 0 && len(b.HDR) == 0 {
		a.HDR, b.HDR = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

func canonicalPlain(n Name) string {
	var b strings.Builder
	b.WriteString(n.Title)
	if n.Year > 0 {
		b.WriteString(" (" + strconv.Itoa(n.Year) + ")")
	}
	if len(n.Edition) > 0 {
		b.WriteString(" {edition-" + strings.Join(n.Edition, ",") + "}")
	}
	if n.IMDbID != "" {
		b.WriteString(" {imdb-" + n.IMDbID + "}")
	}
	if n.TMDbID > 0 {
		b.WriteString(" {tmdb-" + strconv.Itoa(n.TMDbID) + "}")
	}
	words := []string{n.Resolution, n.Source, n.VideoCodec}
	words = append(words, n.HDR...)
	words = append(words, n.ThreeD)
	if n.Remux {
		words = append(words, "remux")
	}
	if n.Proper {
		words = append(words, "proper")
	}
	if described := strings.Join(strings.Fields(strings.Join(words, " ")), " "); described != "" {
		b.WriteString(" [" + described + "]")
	}
	if n.Group != "" {
		b.WriteString("-" + n.Group)
	}
	if n.Part > 0 {
		b.WriteString(" - cd" + strconv.Itoa(n.Part))
		if n.PartCount > 0 {
			b.WriteString("of" + strconv.Itoa(n.PartCount))
		}
	}
	if n.Extra != "" {
		b.WriteString("-" + n.Extra)
	}
	if n.Stub {
		b.WriteString(".disc")
	}
	return b.String()
}

var explicitField = regexp.MustCompile(`\{([a-z]+)-([^{}]*)\}`)

const explicitStart = "{title-"

func canonicalExplicit(n Name) string {
	var b strings.Builder
	field := func(key, value string) {
		if value != "" {
			b.WriteString("{" + key + "-" + strings.NewReplacer("{", "", "}", "", "/", " ", `\`, " ").Replace(value) + "}")
		}
	}
	number := func(key string, value int) {
		if value != 0 {
			field(key, strconv.Itoa(value))
		}
	}
	flag := func(key string, value bool) {
		if value {
			field(key, "yes")
		}
	}
	if n.Title == "" {
		b.WriteString(explicitStart + "}")
	}
	field("title", n.Title)
	number("year", n.Year)
	field("edition", strings.Join(n.Edition, ","))
	field("imdb", n.IMDbID)
	number("tmdb", n.TMDbID)
	field("resolution", n.Resolution)
	field("source", n.Source)
	field("codec", n.VideoCodec)
	field("hdr", strings.Join(n.HDR, ","))
	field("pictures", n.ThreeD)
	flag("remux", n.Remux)
	flag("proper", n.Proper)
	field("group", n.Group)
	number("part", n.Part)
	number("parts", n.PartCount)
	field("extra", n.Extra)
	flag("ignored", n.Kind == KindIgnored)
	if n.Stub {
		b.WriteString(".disc")
	}
	return b.String()
}

var (
	explicitResolution = regexp.MustCompile(`^\d{3,4}p$`)
	explicitIMDb       = regexp.MustCompile(`^tt\d{1,12}$`)
)

const mostParts = 99 // what the plain form's two digits say

// parseExplicit reads what canonicalExplicit wrote. A stranger may have written it: a value that no plain name could say is not taken.
func parseExplicit(name string) release {
	var r release
	for _, m := range explicitField.FindAllStringSubmatch(name, -1) {
		value := strings.Map(func(c rune) rune {
			if unicode.IsControl(c) || c == unicode.ReplacementChar {
				return -1
			}
			return c
		}, m[2])
		known := func(k kind, into *string) {
			if vocabulary[k][value] {
				*into = value
			}
		}
		number := func(least, most int) int {
			if n, err := strconv.Atoi(value); err == nil && n >= least && n <= most {
				return n
			}
			return 0
		}
		switch m[1] {
		case "title":
			r.title = value
		case "year":
			r.year, r.bracketed = number(firstYear, lastBracket), true
		case "edition":
			for edition := range strings.SplitSeq(value, ",") {
				if edition != "" {
					r.editions = addOnce(r.editions, edition)
				}
			}
		case "imdb":
			if explicitIMDb.MatchString(value) {
				r.imdb = value
			}
		case "tmdb":
			r.tmdb = number(1, largestID)
		case "resolution":
			if explicitResolution.MatchString(value) {
				r.resolution = value
			}
		case "source":
			known(tagSource, &r.source)
		case "codec":
			known(tagCodec, &r.codec)
		case "hdr":
			for format := range strings.SplitSeq(value, ",") {
				if vocabulary[tagHDR][format] {
					r.hdr = addOnce(r.hdr, format)
				}
			}
		case "pictures":
			known(tag3D, &r.threeD)
		case "remux":
			r.remux = true
		case "proper":
			r.proper = true
		case "group":
			r.group = value
		case "part":
			r.part = number(1, mostParts)
		case "parts":
			r.partCount = number(1, mostParts)
		case "extra":
			if extraKinds[value] {
				r.extra = value
			}
		case "ignored":
			r.ignored = true
		}
	}
	return r
}
