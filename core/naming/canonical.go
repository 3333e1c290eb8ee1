package naming

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// Canonical is the one way to write what n says: "Title (Year) {edition-extended} {tmdb-603} [1080p bluray h264]-GROUP".
// For a film or an extra Parse(Canonical(n)) says what n says. What that form cannot say ("The Cut 1080p" as a
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
	if n.Stub {
		b.WriteString(".disc")
	}
	return b.String()
}

// parseExplicit reads what canonicalExplicit wrote.
func parseExplicit(name string) release {
	var r release
	list := func(value string) []string { return strings.Split(value, ",") }
	for _, m := range explicitField.FindAllStringSubmatch(name, -1) {
		value := m[2]
		number, _ := strconv.Atoi(value)
		switch m[1] {
		case "title":
			r.title = value
		case "year":
			r.year, r.bracketed = number, true
		case "edition":
			r.editions = list(value)
		case "imdb":
			r.imdb = value
		case "tmdb":
			r.tmdb = number
		case "resolution":
			r.resolution = value
		case "source":
			r.source = value
		case "codec":
			r.codec = value
		case "hdr":
			r.hdr = list(value)
		case "pictures":
			r.threeD = value
		case "remux":
			r.remux = true
		case "proper":
			r.proper = true
		case "group":
			r.group = value
		case "part":
			r.part = number
		case "parts":
			r.partCount = number
		case "extra":
			r.extra = value
		}
	}
	return r
}
