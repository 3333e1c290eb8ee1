// Package language turns the codes that containers, file names and players use for a language into each other.
package language

import (
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// bibliographic codes of ISO 639-2 where they differ from the terminology ones.
var bibliographic = map[string]string{
	"sqi": "alb", "hye": "arm", "eus": "baq", "mya": "bur", "zho": "chi", "ces": "cze", "nld": "dut", "fra": "fre", "kat": "geo", "deu": "ger",
	"ell": "gre", "isl": "ice", "mkd": "mac", "mri": "mao", "msa": "may", "fas": "per", "ron": "rum", "slk": "slo", "bod": "tib", "cym": "wel",
}

var terminology = func() map[string]string {
	t := make(map[string]string, len(bibliographic))
	for terminology, bibliographic := range bibliographic {
		t[bibliographic] = terminology
	}
	return t
}()

// Code returns the ISO 639-2/B code, which domain.Media uses, of a two- or three-letter code with or without a region ("de-AT", "deu", "ger"
// are all "ger"); "" for none and for "und".
func Code(any string) string {
	t := Terminology(any)
	if b, ok := bibliographic[t]; ok {
		return b
	}
	return t
}

// Terminology returns the ISO 639-2/T code, which MP4 uses; "" for none and for "und".
func Terminology(any string) string {
	code, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(any, "_", "-")), "-")
	if t, ok := terminology[code]; ok {
		return t
	}
	base, err := language.ParseBase(code)
	if err != nil || code == "und" || code == "" {
		return ""
	}
	return base.ISO3()
}

// Tag returns the shortest BCP 47 tag; "" for none.
func Tag(any string) string {
	t := Terminology(any)
	if t == "" {
		return ""
	}
	base, err := language.ParseBase(t)
	if err != nil {
		return t
	}
	return base.String()
}

// Name returns the language's English name; "" for none.
func Name(any string) string {
	t := Tag(any)
	if t == "" {
		return ""
	}
	return display.English.Languages().Name(language.Make(t))
}
