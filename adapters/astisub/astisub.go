// Package astisub reads subtitle files with go-astisub: any usual encoding in, plain text cues out.
package astisub

import (
	"bytes"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	vendor "github.com/asticode/go-astisub"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

// MaxBytes and MaxLines bound a subtitle file: the library takes five kilobytes for a line, and keeps some of them.
const (
	MaxBytes = 10 << 20
	MaxLines = 200_000
)

// Parser implements media.SubtitleParser. It has no state.
type Parser struct{}

var _ media.SubtitleParser = Parser{}

// New returns a Parser.
func New() Parser { return Parser{} }

// Parse reads a whole file.
func (Parser) Parse(format string, data []byte) (cues []media.Cue, err error) {
	if len(data) > MaxBytes {
		return nil, unreadable(nil, "it has more than 10 MiB")
	}
	read := map[string]func(io.Reader) (*vendor.Subtitles, error){
		"srt": vendor.ReadFromSRT, "vtt": vendor.ReadFromWebVTT,
		"ass": readSSA, "ssa": readSSA,
	}[strings.ToLower(format)]
	if read == nil {
		return nil, unreadable(nil, "its format is not known")
	}
	// The library indexes into what it takes for complete lines; a damaged file is an error, not the end of the server.
	defer func() {
		if recover() != nil {
			cues, err = nil, unreadable(nil, "it is damaged")
		}
	}()
	text := decode(data)
	if strings.IndexByte(text, 0) >= 0 {
		return nil, unreadable(nil, "it is not text")
	}
	if strings.Count(text, "\n") > MaxLines {
		return nil, unreadable(nil, "it has more than 200,000 lines")
	}
	found, err := read(strings.NewReader(text))
	if err != nil {
		return nil, unreadable(err, "it is damaged")
	}
	for _, item := range found.Items {
		cue := media.Cue{Start: item.StartAt.Seconds(), End: item.EndAt.Seconds(), Text: plain(item)}
		if cue.Text != "" && cue.End > cue.Start && cue.Start >= 0 {
			cues = append(cues, cue)
		}
	}
	if len(cues) == 0 && strings.TrimSpace(text) != "" && len(found.Items) == 0 {
		return nil, unreadable(nil, "there is no subtitle in it")
	}
	slices.SortStableFunc(cues, func(a, b media.Cue) int {
		switch {
		case a.Start < b.Start:
			return -1
		case a.Start > b.Start:
			return 1
		default:
			return 0
		}
	})
	return cues, nil
}

func readSSA(r io.Reader) (*vendor.Subtitles, error) {
	return vendor.ReadFromSSAWithOptions(r, vendor.SSAOptions{OnUnknownSectionName: func(string) {}, OnInvalidLine: func(string) {}})
}

func unreadable(cause error, why string) error {
	return fault.Wrap(cause, fault.Invalid, "subtitles.unreadable", "The subtitle file cannot be read: %s.", why)
}

// decode turns the usual encodings into UTF-8: by byte order mark, else UTF-8 where it is valid, else UTF-16 where every other byte is
// zero, else the code page that the text looks like.
func decode(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte{0xEF, 0xBB, 0xBF}):
		data = data[3:]
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}), bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		return decoded(unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(data))
	case looksUTF16(data, 1):
		return decoded(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder().Bytes(data))
	case looksUTF16(data, 0):
		return decoded(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder().Bytes(data))
	}
	if utf8.Valid(data) {
		return string(data)
	}
	return decoded(codePage(data).NewDecoder().Bytes(data))
}

func decoded(text []byte, _ error) string { return strings.ToValidUTF8(string(text), "\uFFFD") }

// looksUTF16 tells whether nearly every second byte from offset on is zero, as in Latin text without a byte order mark.
func looksUTF16(data []byte, offset int) bool {
	sample := data[:min(len(data), 512)]
	zeros := 0
	for i := offset; i < len(sample); i += 2 {
		if sample[i] == 0 {
			zeros++
		}
	}
	return len(sample) >= 8 && zeros > len(sample)/2*8/10
}

// codePage guesses a Windows code page from which bytes stand among the letters. In Cyrillic text (1251) nearly all letters are
// above 0xC0; Central European text (1250) has letters at 0x8A–0x9F and 0xB9–0xBF where Western text (1252) has signs.
func codePage(data []byte) *charmap.Charmap {
	var ascii, high, central int
	for i, b := range data {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z':
			ascii++
		case b >= 0xC0:
			high++
		case b == 0x9C || b == 0x9A || b == 0x9E || b == 0x9F || b == 0xB9 || b == 0xBF || b == 0xB3 || b == 0x8C || b == 0x8A || b == 0x8E:
			if i > 0 && isLetter(data[i-1]) || i+1 < len(data) && isLetter(data[i+1]) {
				central++
			}
		}
	}
	switch {
	case high > 2*ascii:
		return charmap.Windows1251
	case central > 2:
		return charmap.Windows1250
	default:
		return charmap.Windows1252
	}
}

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0xC0 }

var (
	// overrides are ASS commands, which also leak into SRT files: {\an8}, {\i1}.
	overrides = regexp.MustCompile(`\{\\[^}]*\}`)
	// tags are markup as SRT and WebVTT have it; a lone '<' stays.
	tags   = regexp.MustCompile(`</?[a-zA-Z][^<>]*>|<\d\d:[\d:.]+>`)
	breaks = strings.NewReplacer(`\N`, "\n", `\n`, "\n", `\h`, " ", "\r", "")
)

// plain joins the lines of an item without any markup.
func plain(item *vendor.Item) string {
	var lines []string
	for _, line := range item.Lines {
		var b strings.Builder
		for _, part := range line.Items {
			b.WriteString(part.Text)
		}
		text := tags.ReplaceAllString(overrides.ReplaceAllString(breaks.Replace(b.String()), ""), "")
		for piece := range strings.SplitSeq(html.UnescapeString(text), "\n") {
			if piece = strings.TrimSpace(piece); piece != "" {
				lines = append(lines, piece)
			}
		}
	}
	return strings.Join(lines, "\n")
}
