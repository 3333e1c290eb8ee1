package naming

import (
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// Sidecar is what the name of a subtitle file beside a video says.
type Sidecar struct {
	Title           string `json:"title,omitempty"`
	Language        string `json:"language,omitempty"` // BCP 47: "en", "pt-BR"; "" when the name says none
	Forced          bool   `json:"forced,omitempty"`
	Default         bool   `json:"default,omitempty"`
	HearingImpaired bool   `json:"hearingImpaired,omitempty"`
	Format          string `json:"format"` // the extension: srt, ass, vtt, sup…
}

var subtitleExtensions = set("srt ass ssa vtt sub idx sup smi ttml dfxp")

// ParseSidecar reads the name of file as a subtitle file of video; both are names or paths in one folder. It is
// false when file is no subtitle file or another video's.
//
// Behind the video's name stand, in any order and between dots (or brackets, blanks, hyphens), a language (code or
// English name), flags (forced, foreign, default, sdh, cc) and a title. "hi" is Hindi when it stands alone and
// means hearing-impaired beside a language. Of two languages the last counts and the other is the title.
func ParseSidecar(video, file string) (Sidecar, bool) {
	video, file = baseOf(video), baseOf(file)
	ext := extensionOf(file)
	if !subtitleExtensions[ext] {
		return Sidecar{}, false
	}
	s := Sidecar{Format: ext}
	whole, name := stem(video), stem(file)
	if len(name) < len(whole) || !strings.EqualFold(name[:len(whole)], whole) {
		return Sidecar{}, false
	}
	rest := name[len(whole):]
	if rest == "" {
		return s, true
	}
	if !strings.ContainsRune(". -_([", rune(rest[0])) {
		return Sidecar{}, false
	}
	words := strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune(".()[]", r) })
	var title []string
	hindi := -1
	for i := len(words) - 1; i >= 0; i-- {
		word := strings.Trim(words[i], " -_")
		switch key := strings.ToLower(word); key {
		case "":
		case "forced", "foreign":
			s.Forced = true
		case "default":
			s.Default = true
		case "sdh", "cc", "hearing impaired", "hearing-impaired", "hearing_impaired":
			s.HearingImpaired = true
		case "hi":
			hindi = i
		default:
			if tag := languageOf(word); tag != "" && s.Language == "" {
				s.Language = tag
				continue
			}
			title = append(title, word)
		}
	}
	if hindi >= 0 {
		if s.Language != "" {
			s.HearingImpaired = true
		} else {
			s.Language = "hi"
		}
	}
	slices.Reverse(title)
	s.Title = strings.Join(title, ".")
	return s, true
}

func baseOf(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

// languageNames are languages by their English and their own names.
var languageNames = sync.OnceValue(func() map[string]string {
	names := map[string]string{}
	for _, code := range strings.Fields("en fr de es it pt nl sv da nb nn no fi is pl cs sk hu ro bg el tr ru uk sr hr bs sl mk sq et lv lt he ar fa hi ur bn ta te ml kn mr gu pa th vi id ms tl ja ko zh ca eu gl ga cy ka hy az kk mn") {
		tag := language.MustParse(code)
		names[strings.ToLower(display.English.Languages().Name(tag))] = code
		names[strings.ToLower(display.Self.Name(tag))] = code
	}
	names["norwegian"], names["mandarin"], names["cantonese"], names["brazilian"], names["latino"] = "no", "zh", "yue", "pt-BR", "es-419"
	delete(names, "")
	return names
})

// longCodes are the languages without a two-letter code that subtitles come in; most other three-letter codes are
// words of titles too.
var longCodes = set("fil yue cmn haw ceb mai bho awa gsw nds")

// languageOf is the language that a word names, or "": a two- or three-letter code, a code with a region or script,
// or a name.
func languageOf(word string) string {
	key := strings.ToLower(word)
	if code, ok := languageNames()[key]; ok {
		return code
	}
	primary, suffix, _ := strings.Cut(strings.ReplaceAll(word, "_", "-"), "-")
	if len(primary) < 2 || len(primary) > 3 {
		return ""
	}
	base, err := language.ParseBase(primary)
	if err != nil || len(base.String()) > 2 && !longCodes[base.String()] {
		return ""
	}
	if suffix == "" {
		return base.String()
	}
	tag, err := language.Parse(base.String() + "-" + suffix)
	if err != nil {
		return ""
	}
	return tag.String()
}
