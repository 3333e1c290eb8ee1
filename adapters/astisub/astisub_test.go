package astisub_test

import (
	"bytes"
	"strings"
	"testing"

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

func FuzzParse(f *testing.F) {
	f.Add("srt", []byte("1\n00:00:01,000 --> 00:00:02,000\nx\n"))
	f.Add("vtt", []byte("WEBVTT\n\n00:01.000 --> 00:02.000\n<b>x\n"))
	f.Add("ass", []byte("[Events]\nFormat: Start, End, Text\nDialogue: 0:00:01.00,0:00:02.00,x\n"))
	f.Fuzz(func(t *testing.T, format string, data []byte) {
		cues, err := astisub.New().Parse(format, data)
		if err != nil && fault.CodeOf(err) != "subtitles.unreadable" {
			t.Fatal(err)
		}
		for _, c := range cues {
			if c.End <= c.Start || c.Text == "" || strings.Contains(c.Text, "\r") {
				t.Fatalf("%+v", c)
			}
		}
	})
}
