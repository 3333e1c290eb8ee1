package playback

import (
	"fmt"
	"math"
	"strings"

	"github.com/revenge-media/revenge/ports/media"
)

// rendition is one EXT-X-MEDIA of sound.
type rendition struct {
	name, language, codecs, uri string
	channels                    int
	selected                    bool
}

// variant is the one EXT-X-STREAM-INF of a master playlist.
type variant struct {
	bandwidth     int64 // bits a second
	codecs        string
	width, height int
	frameRate     float64
	uri           string
}

// attribute quotes a value: RFC 8216, 4.2 allows neither quotes nor line breaks in it.
func attribute(s string) string {
	return `"` + strings.Map(func(r rune) rune {
		if r == '"' || r < ' ' || r == 0x7f {
			return '\''
		}
		return r
	}, s) + `"`
}

// masterPlaylist writes a master playlist (RFC 8216, 4.3.4) of one picture and a group of sound tracks.
func masterPlaylist(v variant, audio []rendition) string {
	var b strings.Builder
	b.WriteString("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n")
	codecs := []string{}
	add := func(codec string) {
		for _, c := range codecs {
			if c == codec {
				return
			}
		}
		codecs = append(codecs, codec)
	}
	complete := v.codecs != ""
	add(v.codecs)
	for _, selected := range []bool{true, false} {
		for _, a := range audio {
			if a.selected == selected {
				complete = complete && a.codecs != ""
				add(a.codecs)
			}
		}
	}
	for _, a := range audio {
		fmt.Fprintf(&b, `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME=%s`, attribute(a.name))
		if a.language != "" {
			fmt.Fprintf(&b, ",LANGUAGE=%s", attribute(a.language))
		}
		isDefault := "NO"
		if a.selected {
			isDefault = "YES"
		}
		fmt.Fprintf(&b, ",DEFAULT=%s,AUTOSELECT=YES", isDefault)
		if a.channels > 0 {
			fmt.Fprintf(&b, `,CHANNELS="%d"`, a.channels)
		}
		fmt.Fprintf(&b, ",URI=%s\n", attribute(a.uri))
	}
	fmt.Fprintf(&b, "#EXT-X-STREAM-INF:BANDWIDTH=%d", max(1, v.bandwidth))
	if complete { // a list that leaves one out would be wrong (RFC 8216, 4.3.4.2)
		fmt.Fprintf(&b, ",CODECS=%s", attribute(strings.Join(codecs, ",")))
	}
	if v.width > 0 && v.height > 0 {
		fmt.Fprintf(&b, ",RESOLUTION=%dx%d", v.width, v.height)
	}
	if v.frameRate > 0 {
		fmt.Fprintf(&b, ",FRAME-RATE=%.3f", v.frameRate)
	}
	if len(audio) > 0 {
		b.WriteString(`,AUDIO="audio"`)
	}
	fmt.Fprintf(&b, "\n%s\n", v.uri)
	return b.String()
}

// mediaPlaylist writes the playlist of one track (RFC 8216, 4.3.3). Durations are differences of rounded starts, so that their sums are the
// segments' own times however long the film is. query is added to every address.
func mediaPlaylist(t media.Timeline, query string) string {
	micros := func(seconds float64) int64 { return int64(math.Round(seconds * 1e6)) }
	var longest int64
	lines := make([]string, len(t.Segments))
	for n, s := range t.Segments {
		end := s.Start + s.Duration
		if n+1 < len(t.Segments) {
			end = t.Segments[n+1].Start
		}
		length := micros(end) - micros(s.Start)
		longest = max(longest, length)
		lines[n] = fmt.Sprintf("#EXTINF:%d.%06d,\n%d.m4s%s\n", length/1e6, length%1e6, n, query)
	}
	var b strings.Builder
	// A duration rounded to the nearest second must not exceed the target (RFC 8216, 4.3.3.1).
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n", max(1, (longest+999_999)/1e6))
	fmt.Fprintf(&b, "#EXT-X-MAP:URI=%s\n", attribute("init.mp4"+query))
	for _, line := range lines {
		b.WriteString(line)
	}
	b.WriteString("#EXT-X-ENDLIST\n")
	return b.String()
}

// webVTT writes plain cues as WebVTT. The text is escaped, so that no markup and no cue timing comes out of it (S25).
func webVTT(cues []media.Cue) string {
	var b strings.Builder
	b.WriteString("WEBVTT\n")
	stamp := func(seconds float64) string {
		ms := int64(math.Round(max(0, seconds) * 1000))
		return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
	}
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r\n", "\n", "\r", "\n", "\x00", "")
	for _, c := range cues {
		var lines []string
		for line := range strings.SplitSeq(escape.Replace(c.Text), "\n") {
			if strings.TrimSpace(line) != "" { // an empty line would end the cue
				lines = append(lines, line)
			}
		}
		if len(lines) == 0 || c.End <= c.Start {
			continue
		}
		fmt.Fprintf(&b, "\n%s --> %s\n%s\n", stamp(c.Start), stamp(c.End), strings.Join(lines, "\n"))
	}
	return b.String()
}
