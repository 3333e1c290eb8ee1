package cmaf

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

func TestLanguagesAreBibliographicInFactsAndTerminologicalInMP4(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{"de": "ger", "deu": "ger", "ger": "ger", "pt-BR": "por", "zh-Hans": "chi", "und": "", "": "", "xx-": "", "en_US": "eng", "e1g": "", "zxx": "", "FR": "fre"} {
		if got := languageB(tag); got != want {
			t.Errorf("languageB(%q) = %q, want %q", tag, got, want)
		}
	}
	for b, want := range map[string]string{"ger": "deu", "eng": "eng", "": "und", "fre": "fra"} {
		if got := languageT(b); got != want {
			t.Errorf("languageT(%q) = %q, want %q", b, got, want)
		}
	}
	if packedLanguage(2) != "ger" || packedLanguage(0x7fff) != "" || packedLanguage(packed("deu")) != "ger" {
		t.Error("packed languages")
	}
}

func TestAACConfigurationsTellTheWholeSound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config         []byte
		codec          string
		rate, channels int
	}{
		"LC stereo":                   {[]byte{0x11, 0x90}, "mp4a.40.2", 48000, 2},
		"LC 5.1":                      {[]byte{0x11, 0xb0}, "mp4a.40.2", 48000, 6},
		"HE":                          {[]byte{0x2b, 0x11, 0x88, 0x00}, "mp4a.40.5", 48000, 2},
		"HE v2":                       {[]byte{0xeb, 0x09, 0x88, 0x00}, "mp4a.40.29", 48000, 2},
		"HE, backward compatible":     {[]byte{0x13, 0x10, 0x56, 0xe5, 0x98}, "mp4a.40.5", 48000, 2},
		"LC of a file of early years": {oldAACConfig("A_AAC/MPEG4/LC", 44100, 44100, 2), "mp4a.40.2", 44100, 2},
		"none":                        {oldAACConfig("A_AAC/MPEG4/LC", 44101, 44100, 2), "", 0, 2},
	} {
		if d := aacTrack(c.config, 2); d.codecString != c.codec || d.sampleRate != c.rate || d.channels != c.channels || (d.entry == nil) != (c.codec == "") {
			t.Errorf("%s: %q, %d Hz, %d channels", name, d.codecString, d.sampleRate, d.channels)
		}
	}
}

func TestPCMOfQuickTimeHasFFmpegsNames(t *testing.T) {
	t.Parallel()
	little := map[string][]byte{"enda": {0, 1}}
	for _, c := range []struct {
		kind     string
		bits     int
		flags    uint32
		children map[string][]byte
		want     string
		bytes    int
	}{
		{"sowt", 16, 0, nil, "pcm_s16le", 2}, {"twos", 24, 0, nil, "pcm_s24be", 3}, {"raw ", 8, 0, nil, "pcm_u8", 1}, {"in24", 16, 0, little, "pcm_s24le", 3}, {"in32", 16, 0, nil, "pcm_s32be", 4},
		{"fl32", 16, 0, little, "pcm_f32le", 4}, {"fl64", 16, 0, nil, "pcm_f64be", 8}, {"lpcm", 24, 2, nil, "pcm_s24be", 3}, {"lpcm", 32, 1, nil, "pcm_f32le", 4},
		{"ipcm", 16, 0, map[string][]byte{"pcmC": {0, 0, 0, 0, 1, 24}}, "pcm_s24le", 3}, {"fpcm", 16, 0, map[string][]byte{"pcmC": {0, 0, 0, 0, 0, 32}}, "pcm_f32be", 4}, {"alaw", 16, 0, nil, "", 0},
	} {
		got := pcmCodec(c.kind, c.bits, c.flags, c.children)
		if got != c.want || pcmBytes(got) != c.bytes {
			t.Errorf("%s with %d bits is %q of %d bytes", c.kind, c.bits, got, pcmBytes(got))
		}
	}
}

// failing is a file whose disk gives up at a place.
type failing struct {
	b   []byte
	at  int64
	err error
}

func (f failing) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > f.at {
		return 0, f.err
	}
	return bytes.NewReader(f.b).ReadAt(b, off)
}

func TestFailingDisksAndShrinkingFilesAreToldApart(t *testing.T) {
	t.Parallel()
	f := film4{tracks: []track4{{handler: "vide", entry: vp09(), samples: numbered(300, 20), duration: 40, sync: []uint32{1, 100, 200}}}}
	data := f.bytes()
	p := New(Config{Target: 2})
	_, index, err := p.Index(t.Context(), input(data))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		err  error
		code string
	}{"disk": {errors.New("input/output error"), "media.read_failed"}, "shrunk": {io.EOF, media.CodeTruncated}} {
		in := media.Input{Reader: failing{data, 17 << 10, c.err}, Size: int64(len(data))}
		if err := p.Segment(t.Context(), in, index, 0, 1, io.Discard); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
		in.Reader = failing{data, 100, c.err}
		if _, err := p.Probe(t.Context(), in); fault.CodeOf(err) != c.code {
			t.Errorf("%s, probing: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Probe(ctx, input(data)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := p.Segment(ctx, input(data), index, 0, 1, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
