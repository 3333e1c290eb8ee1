package cmaf

import (
	"context"
	"html"
	"regexp"
	"slices"
	"strings"

	"github.com/revenge-media/revenge/ports/media"
)

const (
	// maxCueText bounds the text of one cue, maxCues their number, maxText the text of all of them, which may have been compressed a
	// thousandfold: a film has about two thousand cues of 40 bytes. What is beyond is left out.
	maxCueText = 64 << 10
	maxCues    = 200_000
	maxText    = 16 << 20
)

// Cues implements media.Packager. A Matroska file is walked from end to end for them, headers only.
func (p *Packager) Cues(ctx context.Context, in media.Input, data []byte, number int) ([]media.Cue, error) {
	x, t, err := indexed(in, data, number)
	if err != nil {
		return nil, err
	}
	plain := map[string]func([]byte) string{"subrip": plainSubRip, "webvtt": plainWebVTT, "ass": plainASS, "ssa": plainASS, "mov_text": plainTX3G}[t.codec]
	if t.codec == "webvtt" && !x.matroska {
		plain = plainWVTT
	}
	if string(t.config) == webmText {
		plain = plainWebM
	}
	if t.kind != kindText || plain == nil {
		return nil, noSegment("Track %d (%s) is no text.", number, t.codec)
	}
	var cues []media.Cue
	if x.matroska {
		cues, err = x.matroskaCues(ctx, in, t, plain)
	} else {
		cues, err = x.mp4Cues(ctx, in, number, plain)
	}
	slices.SortStableFunc(cues, func(a, b media.Cue) int {
		switch {
		case a.Start < b.Start:
			return -1
		case a.Start > b.Start:
			return 1
		}
		return 0
	})
	for i := range cues { // a cue without an end lasts until the next, ten seconds at most
		if c := &cues[i]; c.End <= c.Start {
			if c.End = c.Start + 10; i+1 < len(cues) && cues[i+1].Start > c.Start {
				c.End = min(c.End, cues[i+1].Start)
			}
		}
	}
	return cues, err
}

func (x *index) mp4Cues(ctx context.Context, in media.Input, number int, plain func([]byte) string) ([]media.Cue, error) {
	t := &x.tracks[number]
	w := newWindow(ctx, in.Reader, in.Size, 256<<10)
	var cues []media.Cue
	size := 0
	for n := range x.starts {
		samples, _, err := x.segment(ctx, in, number, n)
		if err != nil {
			return nil, err
		}
		for _, s := range samples {
			if s.size > maxCueText || s.size < 2 || len(cues) >= maxCues || size > maxText {
				continue
			}
			b, err := w.bytes(s.offset, int(s.size))
			if err != nil {
				return nil, err
			}
			if text := plain(b); text != "" {
				size += len(text)
				start := float64(s.dts+int64(s.cto)-t.edit) / float64(t.timescale)
				cues = append(cues, media.Cue{Start: max(0, start), End: start + float64(s.dur)/float64(t.timescale), Text: text})
			}
		}
	}
	return joinCues(cues), nil
}

// joinCues puts a cue that was split at a sample's border, as wvtt does, together again.
func joinCues(cues []media.Cue) []media.Cue {
	var joined []media.Cue
	for _, c := range cues {
		if n := len(joined); n > 0 && joined[n-1].Text == c.Text && c.Start-joined[n-1].End < 0.001 {
			joined[n-1].End = c.End
			continue
		}
		joined = append(joined, c)
	}
	return joined
}

func (x *index) matroskaCues(ctx context.Context, in media.Input, t *track, plain func([]byte) string) ([]media.Cue, error) {
	m := mkvSegments{x, newWindow(ctx, in.Reader, in.Size, walkWindow)}
	var cues []media.Cue
	size := 0
	err := walkBlocks(m.w, x.from, x.to, func(b *block) error {
		if b.number != t.number || b.size > maxCueText || len(cues) >= maxCues || size > maxText {
			return nil
		}
		frames, err := m.packets(nil, t, b)
		if err != nil {
			return err
		}
		for _, p := range frames {
			data, err := m.w.bytes(p.offset, int(p.size))
			if err != nil {
				return err
			}
			if data = slices.Concat(p.prefix, data); t.zlib {
				data = inflate(data)
			}
			if text := plain(data); text != "" {
				size += len(text)
				scale := float64(x.gridScale)
				cues = append(cues, media.Cue{Start: float64(p.time) / scale, End: float64(p.time+p.dur) / scale, Text: text})
			}
		}
		return nil
	})
	return cues, err
}

var (
	tags      = regexp.MustCompile(`</?[A-Za-z0-9][^<>\n]*>`)
	overrides = regexp.MustCompile(`\{[^{}\n]*\}`)
	drawing   = regexp.MustCompile(`\{[^}]*\\p[1-9]`)
)

// tidyText makes lines end in '\n' only, without blank ones, controls and broken characters.
func tidyText(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"), "\ufffd")
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == 0xfeff {
			return -1
		}
		return r
	}, s)
	var lines []string
	for _, l := range strings.Split(s, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "\n")
}

// plainSubRip strips tags and the ASS overrides that stray into SubRip.
func plainSubRip(b []byte) string {
	return tidyText(tags.ReplaceAllString(overrides.ReplaceAllString(string(b), ""), ""))
}

// plainWebVTT strips tags and resolves character references.
func plainWebVTT(b []byte) string {
	return tidyText(html.UnescapeString(tags.ReplaceAllString(string(b), "")))
}

// webmText marks, as config, tracks whose blocks begin with identifier and settings (D_WEBVTT).
const webmText = "D_WEBVTT"

// plainWebM strips identifier and settings, the first two lines of WebM's D_WEBVTT blocks.
func plainWebM(b []byte) string {
	parts := strings.SplitN(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n", 3)
	return plainWebVTT([]byte(parts[len(parts)-1]))
}

// plainASS takes the text behind the eight fields of an event in Matroska; drawings are no text.
func plainASS(b []byte) string {
	parts := strings.SplitN(string(b), ",", 9)
	text := parts[len(parts)-1]
	if len(parts) < 9 || drawing.MatchString(text) {
		return ""
	}
	text = strings.NewReplacer(`\N`, "\n", `\n`, "\n", `\h`, " ").Replace(overrides.ReplaceAllString(text, ""))
	return tidyText(text)
}

// plainTX3G reads timed text (3GPP TS 26.245): a 16-bit length, then UTF-8 or UTF-16 with a mark.
func plainTX3G(b []byte) string {
	if len(b) < 2 {
		return ""
	}
	text := b[2:min(len(b), 2+int(at16(b, 0)))]
	if mark := at16(text, 0); mark == 0xfeff || mark == 0xfffe {
		return tidyText(decodeUTF16(text))
	}
	return tidyText(string(text))
}

// plainWVTT reads the payloads of a WebVTT sample (ISO/IEC 14496-30).
func plainWVTT(b []byte) string {
	var lines []string
	_ = eachBox(b, func(kind string, body []byte) error {
		if payload, ok := child(body, "payl"); ok && kind == "vttc" {
			lines = append(lines, plainWebVTT(payload))
		}
		return nil
	})
	return tidyText(strings.Join(lines, "\n"))
}
