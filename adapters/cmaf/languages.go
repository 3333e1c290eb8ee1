package cmaf

import (
	"strings"

	"golang.org/x/text/language"
)

// The languages whose bibliographic code (ISO 639-2/B, in facts and Matroska) differs from the terminological one (/T, in MP4).
var bibliographic = map[string]string{"sqi": "alb", "hye": "arm", "eus": "baq", "mya": "bur", "zho": "chi", "ces": "cze", "nld": "dut", "fra": "fre", "kat": "geo",
	"deu": "ger", "ell": "gre", "isl": "ice", "mkd": "mac", "mri": "mao", "msa": "may", "fas": "per", "ron": "rum", "slk": "slo", "bod": "tib", "cym": "wel"}

var terminological = func() map[string]string {
	m := map[string]string{}
	for t, b := range bibliographic {
		m[b] = t
	}
	return m
}()

// languageB returns the ISO 639-2/B code of any tag (BCP 47, 639-1, 639-2), "" for none and the undetermined.
func languageB(tag string) string {
	tag = strings.ToLower(strings.TrimSpace(tag))
	code, _, _ := strings.Cut(strings.ReplaceAll(tag, "_", "-"), "-")
	if len(code) == 2 {
		base, err := language.ParseBase(code)
		if err != nil {
			return ""
		}
		code = base.ISO3()
	}
	if len(code) != 3 || code == "und" || code == "zxx" || code == "mis" || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz") != "" {
		return ""
	}
	if b, ok := bibliographic[code]; ok {
		return b
	}
	return code
}

// languageT is the reverse for a media header: ISO 639-2/T, "und" for none.
func languageT(b string) string {
	if b == "" {
		return "und"
	}
	if t, ok := terminological[b]; ok {
		return t
	}
	return b
}

// macLanguages are QuickTime's first codes (before 0x400 the field is no ISO code).
var macLanguages = []string{"eng", "fre", "ger", "ita", "dut", "swe", "spa", "dan", "por", "nor", "heb", "jpn", "ara", "fin", "gre", "ice", "mlt", "tur", "hrv", "chi", "urd", "hin", "tha", "kor"}

// packedLanguage reads the three letters of a media header, five bits each.
func packedLanguage(v uint16) string {
	if v < 0x400 || v == 0x7fff {
		if int(v) < len(macLanguages) && v > 0 {
			return macLanguages[v]
		}
		return ""
	}
	return languageB(string([]byte{byte(v>>10&31) + 0x60, byte(v>>5&31) + 0x60, byte(v&31) + 0x60}))
}
