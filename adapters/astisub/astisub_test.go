package astisub_test

import (
	"bytes"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/revenge-media/revenge/adapters/astisub"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

func parse(t *testing.T, format string, data []byte) []media.Cue {
	t.Helper()
	cues, err := astisub.New().Parse(format, data)
	if err != nil {
		t.Fatal(err)
	}
	return cues
}

func TestEveryFormatGivesPlainCues(t *testing.T) {
	want := []media.Cue{{Start: 1.5, End: 3, Text: "Fish & chips\nfor two < three"}, {Start: 4, End: 5.25, Text: "The end"}}
	for format, text := range map[string]string{
		"srt": "2\n00:00:04,000 --> 00:00:05,250\n{\\an8}<font color=\"#ff0000\">The end</font>\n\n1\n00:00:01,500 --> 00:00:03,000\n<i>Fish</i> &amp; chips\nfor two < three\n",
		"vtt": "WEBVTT\n\nNOTE nothing\n\n1\n00:01.500 --> 00:03.000 line:0\n<v Anna>Fish &amp; chips\nfor two &lt; three\n\n00:04.000 --> 00:05.250\n<c.red>The end</c>\n",
		"ass": "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: Default,Arial,20\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n" +
			"Dialogue: 0,0:00:01.50,0:00:03.00,Default,,0,0,0,,{\\i1}Fish{\\i0} & chips\\Nfor two < three\nDialogue: 0,0:00:04.00,0:00:05.25,Default,,0,0,0,,{\\pos(1,2)}The end\n",
	} {
		got := parse(t, format, []byte(text))
		if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("%s: %+v", format, got)
		}
	}
}

func TestUsualEncodingsAreRecognised(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		as   encoding.Encoding
	}{
		"utf-8":        {"Grüße aus Köln", encoding.Nop},
		"utf-8 bom":    {"Grüße aus Köln", unicode.UTF8BOM},
		"utf-16le bom": {"Grüße aus Köln", unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)},
		"utf-16be":     {"Greetings", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)},
		"utf-16le":     {"Greetings", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
		"western":      {"Grüße aus Köln, où ça déjà", charmap.Windows1252},
		"cyrillic":     {"Привет из Москвы, как дела", charmap.Windows1251},
		"central":      {"Dziś wieczorem będzie ładna świąteczna wieś, źle się śmiać", charmap.Windows1250},
	} {
		data, err := c.as.NewEncoder().Bytes([]byte("1\n00:00:01,000 --> 00:00:02,000\n" + c.text + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := parse(t, "srt", data); len(got) != 1 || got[0].Text != c.text {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWhatIsNoSubtitleFileIsAFault(t *testing.T) {
	for name, c := range map[string]struct {
		format string
		data   []byte
	}{
		"binary":         {"srt", append([]byte{0x1A, 0x45, 0xDF, 0xA3}, make([]byte, 500)...)},
		"unknown format": {"sub", []byte("{1}{2}x")},
		"too many lines": {"srt", []byte("1\n00:00:01,000 --> 00:00:02,000\n" + strings.Repeat("x\n", astisub.MaxLines))},
		"too large":      {"srt", bytes.Repeat([]byte("x"), astisub.MaxBytes+1)},
		"prose":          {"srt", []byte("Once upon a time\n")},
		"half a time":    {"srt", []byte("1\n00:00:01,000 --> \nx\n")},
		"half a line":    {"ass", []byte("[Events]\nFormat: Start\nDialogue: ")},
	} {
		if cues, err := astisub.New().Parse(c.format, c.data); fault.CodeOf(err) != "subtitles.unreadable" && len(cues) > 0 {
			t.Errorf("%s: %+v %v", name, cues, err)
		}
	}
	if cues := parse(t, "srt", nil); len(cues) != 0 {
		t.Error("an empty file has cues")
	}
}

// allocated is how many bytes the process has allocated since it began.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// The shapes that are worst for a reader of lines, as large as files may be, cost a multiple of their size in memory and are read in seconds.
func TestHostileShapesCostLittle(t *testing.T) {
	fill := func(head, body string) []byte {
		return []byte(head + strings.Repeat(body, (1<<20-len(head))/len(body)))
	}
	for name, c := range map[string]struct {
		format string
		data   []byte
	}{
		"one line":          {"srt", fill("1\n00:00:01,000 --> 00:00:02,000\n", "x")},
		"open tags":         {"srt", fill("1\n00:00:01,000 --> 00:00:02,000\n", "<")},
		"nested tags":       {"srt", fill("1\n00:00:01,000 --> 00:00:02,000\n", "<b>")},
		"open overrides":    {"srt", fill("1\n00:00:01,000 --> 00:00:02,000\n", `{\`)},
		"empty lines":       {"srt", fill("1\n00:00:01,000 --> 00:00:02,000\nx", "\n")},
		"times alone":       {"srt", fill("", "00:00:01,000 --> 00:00:02,000\n")},
		"cues":              {"srt", fill("", "1\n00:00:01,000 --> 00:00:02,000\nx\n\n")},
		"lines of a cue":    {"srt", fill("1\n00:00:01,000 --> 00:00:02,000\n", "x\n")},
		"arrows":            {"vtt", fill("WEBVTT\n\n", "-->")},
		"nested classes":    {"vtt", fill("WEBVTT\n\n00:01.000 --> 00:02.000\n", "<c.a>")},
		"open voices":       {"vtt", fill("WEBVTT\n\n00:01.000 --> 00:02.000\n", "<v ")},
		"regions":           {"vtt", fill("WEBVTT\n\n", "REGION\nid:a\n\n")},
		"notes":             {"vtt", fill("WEBVTT\n\n", "NOTE\n")},
		"styles":            {"vtt", fill("WEBVTT\n\n", "STYLE\n::cue {}\n\n")},
		"references":        {"vtt", fill("WEBVTT\n\n00:01.000 --> 00:02.000\n", "&amp;")},
		"sections":          {"ass", fill("", "[Events]\n")},
		"formats":           {"ass", fill("[Events]\n", "Format: Start, End, Text\n")},
		"commas":            {"ass", fill("[Events]\nFormat: Start, End, Text\nDialogue: ", ",")},
		"styles of effects": {"ass", fill("[V4+ Styles]\nFormat: Name\n", "Style: a\n")},
		"effects":           {"ass", fill("[Events]\nFormat: Start, End, Text\nDialogue: 0:00:01.00,0:00:02.00,", `{\i1}x`)},
		"code page":         {"srt", fill("1\n00:00:01,000 --> 00:00:02,000\n", "\xff")},
	} {
		before, begun := allocated(), time.Now()
		_, _ = astisub.New().Parse(c.format, c.data)
		used, took := allocated()-before, time.Since(begun)
		t.Logf("%s: %d times its size in memory, %v", name, used/uint64(len(c.data)), took)
		if used > memoryFor(c.data) || took > 20*time.Second { // milliseconds in practice; quadratic shapes take minutes
			t.Errorf("%s: %d MiB in memory for a file of one, %v", name, used>>20, took)
		}
	}
}

// memoryFor bounds what is allocated for a file: a constant, and a multiple of its bytes and of the lines that are read.
func memoryFor(data []byte) uint64 {
	lines := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r"))
	if lines > astisub.MaxLines {
		lines = 0
	}
	return uint64(4<<20 + 150*len(data) + 6000*lines)
}

func FuzzParse(f *testing.F) {
	for _, format := range []string{"srt", "vtt", "ass", "ssa"} {
		for _, text := range []string{
			"1\n00:00:01,000 --> 00:00:02,000\nx\n", "\ufeff1\r\n0:0:1.5 --> 00:00:02,000 X1:1\r\n<i>a</i>{\\an8}\r\nb\r\n\r\n",
			"WEBVTT\n\n00:01.000 --> 00:02.000\n<b>x\n", "WEBVTT - a\n\nNOTE b\n\nSTYLE\n::cue{}\n\nREGION\nid:a\n\n1\n00:01.000 --> 01:00:02.000 align:start region:a\n<v Bob>Tom &amp; <c.x>J</c>\n",
			"[Script Info]\nScriptType: v4.00+\n[V4+ Styles]\nFormat: Name, Fontsize\nStyle: D,20\n[Events]\nFormat: Layer, Start, End, Style, Text\nDialogue: 0,0:00:01.00,0:00:02.00,D,{\\p1}x\\Ny\n",
			"[Events]\nFormat: Start, End, Text\nDialogue: 0:00:01.00,0:00:02.00,x\n", "\xff\xfe1\x00\n\x00", "1\n00:00:01,000 --> 00:00:02,000\n\xcf\xf0\xe8\xe2\xe5\xf2\n",
		} {
			f.Add(format, []byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, format string, data []byte) {
		before := allocated()
		cues, err := astisub.New().Parse(format, data)
		if used, limit := allocated()-before, memoryFor(data); used > limit {
			t.Fatalf("%d bytes allocated, more than %d, for a file of %d", used, limit, len(data))
		}
		if err != nil && fault.CodeOf(err) != "subtitles.unreadable" {
			t.Fatal(err)
		}
		for _, c := range cues {
			if !(c.End > c.Start) || c.Start < 0 || c.Text == "" || strings.Contains(c.Text, "\r") || !utf8.ValidString(c.Text) {
				t.Fatalf("%+v", c)
			}
		}
	})
}
