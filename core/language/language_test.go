package language_test

import (
	"testing"

	"github.com/revenge-media/revenge/core/language"
)

func TestAllCodesOfALanguageAreOne(t *testing.T) {
	t.Parallel()
	for given, want := range map[string][4]string{
		"ger": {"ger", "deu", "de", "German"}, "deu": {"ger", "deu", "de", "German"}, "de": {"ger", "deu", "de", "German"}, "DE-at": {"ger", "deu", "de", "German"},
		"eng": {"eng", "eng", "en", "English"}, "en_US": {"eng", "eng", "en", "English"}, "chi": {"chi", "zho", "zh", "Chinese"}, "fre": {"fre", "fra", "fr", "French"},
		"jpn": {"jpn", "jpn", "ja", "Japanese"}, "fil": {"fil", "fil", "fil", "Filipino"}, "": {}, "und": {}, "x!": {},
	} {
		if got := [4]string{language.Code(given), language.Terminology(given), language.Tag(given), language.Name(given)}; got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}
