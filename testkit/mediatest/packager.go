// Package mediatest is the conformance suite of ports/media.Packager. It makes its films with ffmpeg and checks what the
// implementation writes with ffprobe; without them it is skipped.
package mediatest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/testkit/demo"
)

// Harness is what an implementation brings.
type Harness struct {
	Packager media.Packager
	// Target is the shortest segment, in seconds, that the Packager was told to make. The films last 14 to 16 seconds with a
	// keyframe every two, so that 2 to 4 gives several segments.
	Target float64
	// Process makes the command of another process, not yet started, that calls Serve with a Packager like this one, its standard input and
	// its standard output.
	Process func() *exec.Cmd
}

// RunPackager checks every promise of media.Packager. open is called once for each part, and twice where two processes
// must agree.
func RunPackager(t *testing.T, open func(t *testing.T) Harness) {
	for _, program := range []string{"ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed; this suite makes its films with it", program)
		}
	}
	t.Run("Segments", func(t *testing.T) {
		cutters := startCutters(t, open(t).Process, 3)
		for _, f := range films() {
			t.Run(f.name, func(t *testing.T) { segments(t, open, f, cutters) })
		}
	})
	t.Run("Facts", func(t *testing.T) { facts(t, open(t)) })
	t.Run("Subtitles", func(t *testing.T) { subtitles(t, open(t)) })
	t.Run("Elementary", func(t *testing.T) { elementary(t, open(t)) })
	t.Run("EncodedSound", func(t *testing.T) { encodedSound(t, open(t)) })
	t.Run("Refusals", func(t *testing.T) { refusals(t, open(t)) })
	t.Run("StaleIndex", func(t *testing.T) { staleIndexes(t, open(t)) })
}

// segments proves that segments made in any order by processes that share nothing but the file, put together, hold exactly the packets of
// the source, with its times up to a constant of the film, and that the grid is the pictures' tfdt.
func segments(t *testing.T, open func(t *testing.T) Harness, f film, cutters []*cutter) {
	t.Parallel()
	in := f.input(t)
	h, other := open(t), open(t)
	m, index, err := h.Packager.Index(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if _, again, err := other.Packager.Index(t.Context(), in); err != nil || !bytes.Equal(index, again) {
		t.Errorf("a second index of the same file differs (%v)", err)
	}
	if m.OpenGOP != f.openGOP {
		t.Errorf("OpenGOP = %v", m.OpenGOP)
	}
	if !m.Indexed {
		t.Error("not Indexed")
	}
	line, err := h.Packager.Timeline(index)
	if err != nil {
		t.Fatal(err)
	}
	checkTimeline(t, line, m, h.Target, f.cut)
	tracks := []int{}
	for _, v := range m.Video {
		if !v.AttachedPicture {
			tracks = append(tracks, v.Index)
		}
	}
	for _, a := range m.Audio {
		tracks = append(tracks, a.Index)
	}
	offsets, earliest := map[int]float64{}, math.Inf(1)
	for _, track := range tracks {
		t.Run(fmt.Sprintf("track %d", track), func(t *testing.T) {
			var file bytes.Buffer
			err := h.Packager.Init(t.Context(), in, index, track, &file)
			if slices.Contains(f.uncut, track) || m.Audio != nil && m.Audio[0].Codec == "vorbis" && track == m.Audio[0].Index {
				if fault.CodeOf(err) != media.CodeNoSegment {
					t.Fatalf("Init = %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			parts := make([][]byte, len(line.Segments))
			random := rand.New(rand.NewPCG(7, uint64(track)))
			for _, n := range random.Perm(len(parts)) {
				var err error
				if parts[n], err = oneOf(random, cutters).segment(in.Path, track, n); err != nil {
					t.Fatalf("segment %d: %v", n, err)
				}
				var ours bytes.Buffer
				if err := h.Packager.Segment(t.Context(), in, index, track, n, &ours); err != nil || !bytes.Equal(ours.Bytes(), parts[n]) {
					t.Fatalf("segment %d differs when another process makes it (%v)", n, err)
				}
			}
			var expected float64
			for n, part := range parts {
				file.Write(part)
				start, ok := decodeTime(part)
				scale := timescale(file.Bytes())
				if !ok || scale == 0 {
					t.Fatalf("segment %d has no tfdt", n)
				}
				if track == m.Video[0].Index && n > 0 && math.Abs(start/scale-expected) > 0.5/scale+1e-9 {
					t.Errorf("segment %d begins at %.6f by its tfdt, at %.6f by the sum of durations", n, start/scale, expected)
				}
				expected += line.Segments[n].Duration
			}
			out := filepath.Join(t.TempDir(), "out.mp4")
			if err := os.WriteFile(out, file.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			var start float64
			offsets[track], start = samePackets(t, f, in.Path, track, out)
			earliest = min(earliest, start)
		})
	}
	if math.Abs(earliest) > 0.1 && f.cut == 0 { // what was cut off lies before the beginning, hidden by an edit
		t.Errorf("the film begins at %.3f s and not at 0", earliest)
	}
	// The tracks must keep their distance: what is taken off must be the same for all of them.
	for track, offset := range offsets {
		if first := offsets[m.Video[0].Index]; math.Abs(offset-first) > 0.00101 {
			t.Errorf("track %d moved by %.4f s against the picture", track, offset-first)
		}
	}
}

func checkTimeline(t *testing.T, line media.Timeline, m domain.Media, target, cut float64) {
	t.Helper()
	sum := 0.0
	for n, s := range line.Segments {
		if math.Abs(s.Start-sum) > 1e-6 || s.Duration <= 0 {
			t.Errorf("segment %d: start %.6f after durations of %.6f, duration %.6f", n, s.Start, sum, s.Duration)
		}
		if n+1 < len(line.Segments) && s.Duration < target-1e-9 {
			t.Errorf("segment %d lasts %.3f s, less than %.3f", n, s.Duration, target)
		}
		sum += s.Duration
	}
	if math.Abs(sum-line.Duration) > 1e-6 || math.Abs(line.Duration-m.Duration) > 1e-6 || m.Duration < 13-cut || m.Duration > 17-cut {
		t.Errorf("durations sum to %.6f, timeline %.6f, film %.6f", sum, line.Duration, m.Duration)
	}
	if m.KeyframeCount > 3 && len(line.Segments) < 3 {
		t.Errorf("%d segments of %d keyframes", len(line.Segments), m.KeyframeCount)
	}
}

// samePackets compares source and output packet by packet, and returns by how many seconds the output lies earlier, and where it begins.
func samePackets(t *testing.T, f film, source string, track int, out string) (earlier, start float64) {
	t.Helper()
	var raw []string
	if f.cut > 0 {
		raw = []string{"-ignore_editlist", "1"} // else ffprobe leaves out what the edit hides
	}
	want, wantStream := probePackets(t, source, track, raw...)
	got, stream := probePackets(t, out, 0, raw...)
	base := wantStream.seconds
	if stream != wantStream {
		t.Errorf("a decoder finds %+v, in the source %+v", stream, wantStream)
	}
	run(t, "ffmpeg", "-xerror", "-t", "5", "-i", out, "-f", "null", "-") // it must have nothing to complain about
	if len(want) != len(got) || len(want) == 0 {
		t.Fatalf("%d packets of %d", len(got), len(want))
	}
	offset := want[len(want)/2].pts - got[len(got)/2].pts
	dtsOffset := want[0].dts - got[0].dts
	wrong := 0
	for i := range want {
		w, g := want[i], got[i]
		if w.hash != g.hash {
			t.Fatalf("packet %d has other bytes", i)
		}
		if i == 0 && f.noDTS { // ffmpeg guesses the first times of reordered pictures
			continue
		}
		if w.key != g.key {
			wrong++
			t.Errorf("packet %d is a keyframe: %v, in the source %v", i, g.key, w.key)
		}
		if d := w.pts - g.pts; d != offset {
			wrong++
			t.Errorf("packet %d is shown at %d, source %d (offset %d)", i, g.pts, w.pts, offset)
		}
		if d := w.dts - g.dts; w.hasDTS && !f.noDTS && d != dtsOffset {
			wrong++
			t.Errorf("packet %d is decoded at %d, source %d (offset %d)", i, g.dts, w.dts, dtsOffset)
		}
		if g.pts < g.dts {
			wrong++
			t.Errorf("packet %d is shown at %d before it is decoded at %d", i, g.pts, g.dts)
		}
		if wrong > 5 {
			t.FailNow()
		}
	}
	if dtsOffset != offset && !f.noDTS {
		t.Errorf("decode times moved by %d, presentation by %d", dtsOffset, offset)
	}
	earlier, start = float64(offset)*base, float64(got[0].pts)*base
	if f.cut > 0 { // as the edit lists say it, since ffprobe moves sound that an edit begins in
		earlier += edited(t, source, track) - edited(t, out, 0)
	}
	return earlier, start
}

// edited is how much later a track is shown than its composition times, in seconds (ISO/IEC 14496-12, 8.6.6).
func edited(t *testing.T, path string, track int) (later float64) {
	t.Helper()
	moov := find(read(t, path), "moov")
	movie := float64(binary.BigEndian.Uint32(find(moov, "mvhd")[12:]))
	for b := moov; len(b) >= 8; b = b[binary.BigEndian.Uint32(b):] {
		if string(b[4:8]) != "trak" {
			continue
		}
		if track--; track >= 0 {
			continue
		}
		trak := b[8:binary.BigEndian.Uint32(b)]
		scale := float64(binary.BigEndian.Uint32(find(trak, "mdia", "mdhd")[12:]))
		elst := find(trak, "edts", "elst")
		for e := elst[min(8, len(elst)):]; len(e) >= 12; e = e[12+8*int(elst[0]):] {
			duration, at := int64(binary.BigEndian.Uint32(e)), int64(int32(binary.BigEndian.Uint32(e[4:])))
			if elst[0] == 1 {
				duration, at = int64(binary.BigEndian.Uint64(e)), int64(binary.BigEndian.Uint64(e[8:]))
			}
			if at >= 0 {
				return later - float64(at)/scale
			}
			later += float64(duration) / movie
		}
	}
	return later
}

// find returns the body of the first box of that path.
func find(b []byte, path ...string) []byte {
	for len(b) >= 8 {
		size := int(binary.BigEndian.Uint32(b))
		if size < 8 || size > len(b) {
			return nil
		}
		if string(b[4:8]) == path[0] {
			if len(path) == 1 {
				return b[8:size]
			}
			return find(b[8:size], path[1:]...)
		}
		b = b[size:]
	}
	return nil
}

func decodeTime(segment []byte) (float64, bool) {
	b := find(segment, "moof", "traf", "tfdt")
	if len(b) < 8 {
		return 0, false
	}
	if b[0] == 1 {
		return float64(binary.BigEndian.Uint64(b[4:])), true
	}
	return float64(binary.BigEndian.Uint32(b[4:])), true
}

func timescale(init []byte) float64 {
	if b := find(init, "moov", "trak", "mdia", "mdhd"); len(b) >= 16 {
		return float64(binary.BigEndian.Uint32(b[12:]))
	}
	return 0
}

func probe(t *testing.T, h Harness, f demo.Fixture) domain.Media {
	t.Helper()
	m, err := h.Packager.Probe(t.Context(), Open(t, demo.File(t, f)))
	if err != nil {
		t.Fatalf("%s: %v", f.Name(), err)
	}
	return m
}

func facts(t *testing.T, h Harness) {
	equal := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s = %v, want %v", what, got, want)
		}
	}
	m := probe(t, h, demo.H264AAC)
	equal("container", m.Container, "mp4")
	equal("chapters", len(m.Chapters), 4)
	v, a := m.Video[0], m.Audio[0]
	equal("codec", v.Codec, "h264")
	equal("codec string", strings.HasPrefix(v.CodecString, "avc1.64"), true)
	equal("size", [2]int{v.Width, v.Height}, [2]int{320, 180})
	equal("rate", v.FrameRate, 24.0)
	equal("depth", v.BitDepth, 8)
	equal("sound", [3]any{a.Codec, a.CodecString, a.Language}, [3]any{"aac", "mp4a.40.2", "eng"})
	equal("sound's shape", [2]int{a.Channels, a.SampleRate}, [2]int{2, 48000})
	equal("keyframes", [2]float64{float64(m.KeyframeCount), m.KeyframeInterval}, [2]float64{8, 2})
	if math.Abs(m.Duration-16) > 0.05 || m.BitRate <= 0 {
		t.Errorf("duration %f, bit rate %d", m.Duration, m.BitRate)
	}
	if m.Chapters[1].Title == "" || m.Chapters[1].Start <= 0 || m.Chapters[1].End <= m.Chapters[1].Start {
		t.Errorf("chapter %+v", m.Chapters[1])
	}

	m = probe(t, h, demo.H264AC3MKV)
	equal("container", m.Container, "matroska")
	equal("rate", m.Video[0].FrameRate, 24.0)
	equal("keyframes", m.KeyframeCount, 8)
	equal("chapters", len(m.Chapters) > 1 && m.Chapters[1].Title != "", true)
	if len(m.Audio) != 2 || len(m.Subtitles) != 3 {
		t.Fatalf("%d sounds and %d subtitles", len(m.Audio), len(m.Subtitles))
	}
	equal("first sound", [5]any{m.Audio[0].Codec, m.Audio[0].CodecString, m.Audio[0].Channels, m.Audio[0].Language, m.Audio[0].Title}, [5]any{"ac3", "ac-3", 6, "eng", "English 5.1"})
	equal("second sound", [2]any{m.Audio[1].Language, m.Audio[1].Title}, [2]any{"ger", "Deutsch"})
	equal("forced subtitle", [3]any{m.Subtitles[2].Forced, m.Subtitles[2].Text, m.Subtitles[2].Codec}, [3]any{true, true, "subrip"})
	equal("default subtitle", m.Subtitles[0].Default, true)
	equal("index of the last subtitle", m.Subtitles[2].Index, 5)

	m = probe(t, h, demo.HDR10MKV)
	equal("HDR", m.Video[0].HDR, "hdr10")
	equal("depth", m.Video[0].BitDepth, 10)
	equal("codec string", strings.HasPrefix(m.Video[0].CodecString, "hvc1.2.4.L"), true)
	m = probe(t, h, demo.VP9WebM)
	equal("container", m.Container, "webm")
	equal("codec string", strings.HasPrefix(m.Video[0].CodecString, "vp09.00."), true)
	equal("sound", [2]string{m.Audio[0].Codec, m.Audio[0].CodecString}, [2]string{"opus", "opus"})
	for f, codec := range map[*demo.Fixture]string{&demo.H264DTSMKV: "dts", &demo.H264TrueHDMKV: "truehd", &demo.H264EAC3MKV: "eac3", &demo.H264FLACMKV: "flac"} {
		m := probe(t, h, *f)
		equal(f.Name(), m.Audio[0].Codec, codec)
		equal(f.Name()+" rate", m.Audio[0].SampleRate, 48000)
		if f != &demo.H264FLACMKV {
			equal(f.Name()+" channels", m.Audio[0].Channels, 6)
		}
	}
	m = probe(t, h, demo.NoCuesMKV)
	equal("keyframes without cues", [2]float64{float64(m.KeyframeCount), m.KeyframeInterval}, [2]float64{8, 2})

	turned := read(t, demo.File(t, demo.H264AAC))
	tkhd := bytes.Index(turned, []byte("tkhd")) + 4
	for i, v := range []uint32{0, 1 << 16, 0, 0xffff0000, 0} { // as telephones that are held upright write it
		binary.BigEndian.PutUint32(turned[tkhd+40+4*i:], v)
	}
	in := Bytes(turned)
	m, index, err := h.Packager.Index(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	equal("rotation", m.Video[0].Rotation, 90)
	var init bytes.Buffer
	if err := h.Packager.Init(t.Context(), in, index, 0, &init); err != nil {
		t.Fatal(err)
	}
	if b := find(init.Bytes(), "moov", "trak", "tkhd"); len(b) < 60 || binary.BigEndian.Uint32(b[44:]) != 1<<16 {
		t.Error("the initialisation segment lost the rotation")
	}
}

func subtitles(t *testing.T, h Harness) {
	for _, f := range []demo.Fixture{demo.MovText, demo.H264AC3MKV, demo.TextSubtitlesMKV} {
		in := Open(t, demo.File(t, f))
		m, index, err := h.Packager.Index(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Subtitles) == 0 {
			t.Fatalf("%s has no subtitles", f.Name())
		}
		for _, s := range m.Subtitles {
			if !s.Text {
				continue
			}
			cues, err := h.Packager.Cues(t.Context(), in, index, s.Index)
			if err != nil {
				t.Fatalf("%s track %d: %v", f.Name(), s.Index, err)
			}
			want := wantCues(t, in.Path, s.Index)
			if len(cues) != len(want) || len(cues) == 0 {
				t.Fatalf("%s track %d (%s): %d cues of %d", f.Name(), s.Index, s.Codec, len(cues), len(want))
			}
			for i, c := range cues {
				if math.Abs(c.Start-want[i].Start) > 0.011 || math.Abs(c.End-want[i].End) > 0.011 || c.Text != want[i].Text {
					t.Errorf("%s track %d cue %d: %+v, ffmpeg says %+v", f.Name(), s.Index, i, c, want[i])
				}
			}
		}
		if _, err := h.Packager.Cues(t.Context(), in, index, m.Video[0].Index); fault.CodeOf(err) != media.CodeNoSegment {
			t.Errorf("cues of a picture: %v", err)
		}
	}
}

// wantCues lets ffmpeg write the track as SubRip without styles.
func wantCues(t *testing.T, path string, track int) []media.Cue {
	t.Helper()
	out := run(t, "ffmpeg", "-i", path, "-map", fmt.Sprintf("0:%d", track), "-f", "srt", "-c:s", "text", "pipe:1")
	var cues []media.Cue
	for _, part := range strings.Split(strings.ReplaceAll(string(out), "\r\n", "\n"), "\n\n") {
		lines := strings.SplitN(strings.TrimSpace(part), "\n", 3)
		if len(lines) < 3 {
			continue
		}
		var h1, m1, s1, f1, h2, m2, s2, f2 float64
		if _, err := fmt.Sscanf(lines[1], "%f:%f:%f,%f --> %f:%f:%f,%f", &h1, &m1, &s1, &f1, &h2, &m2, &s2, &f2); err != nil {
			t.Fatalf("%q: %v", lines[1], err)
		}
		cues = append(cues, media.Cue{Start: h1*3600 + m1*60 + s1 + f1/1000, End: h2*3600 + m2*60 + s2 + f2/1000, Text: lines[2]})
	}
	return cues
}

// elementary proves that what is written for any stretch decodes to the very samples that the whole track decodes to.
func elementary(t *testing.T, h Harness) {
	list := films()
	for _, c := range []struct{ film, format string }{
		{"h264-ac3.mkv", "ac3"}, {"h264-eac3.mkv", "eac3"}, {"h264-dts.mkv", "dts"}, {"h264-truehd.mkv", "truehd"}, {"h264-flac.mkv", "flac"},
		{"pyramid.mkv", "mp3"}, {"h264-aac.mp4", "aac"}, {"fragmented.mp4", "aac"}, {"vp9-opus.webm", "ogg"}, {"av1.mkv", "ogg"}, {"pcm.mov", "s16le"}, {"opus-mp3.mp4", "ogg"},
	} {
		t.Run(c.film+"/"+c.format, func(t *testing.T) {
			in := list[slices.IndexFunc(list, func(f film) bool { return f.name == c.film })].input(t)
			m, index, err := h.Packager.Index(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			a := m.Audio[0]
			want, stream := probePackets(t, in.Path, a.Index)
			base := stream.seconds
			const from, to = 4.5, 9.25
			var out bytes.Buffer
			s, err := h.Packager.Elementary(t.Context(), in, index, a.Index, from, to, &out)
			if err != nil {
				t.Fatal(err)
			}
			if s.Format != c.format || s.SampleRate != a.SampleRate || s.Channels != a.Channels || s.Start < from-1e-6 || s.Start > from+0.15 {
				t.Errorf("stretch %+v", s)
			}
			n := 0
			for _, p := range want {
				if at := float64(p.pts) * base; at >= s.Start-0.0011 && at < to-1e-6 {
					n++
				}
			}
			if c.format != "s16le" && (s.Packets < n-1 || s.Packets > n+1) {
				t.Errorf("%d packets of %d", s.Packets, n)
			}
			raw := filepath.Join(t.TempDir(), "raw")
			if err := os.WriteFile(raw, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"-f", s.Format}
			if c.format == "s16le" {
				args = append(args, "-ar", fmt.Sprint(s.SampleRate), "-ac", fmt.Sprint(s.Channels))
			}
			pcm := run(t, "ffmpeg", append(args, "-i", raw, "-f", "s16le", "-ar", "48000", "-ac", "1", "pipe:1")...)
			if got := float64(len(pcm)) / 2 / 48000; math.Abs(got-(to-s.Start)) > 0.08 {
				t.Errorf("%.3f s decoded of %.3f", got, to-s.Start)
			}
			var nothing bytes.Buffer
			if s, err := h.Packager.Elementary(t.Context(), in, index, a.Index, 500, 501, &nothing); err != nil || s.Packets != 0 || nothing.Len() != 0 {
				t.Errorf("behind the end: %+v, %v, %d bytes", s, err, nothing.Len())
			}
		})
	}
}

// encodedSound encodes a track segment by segment, each on its own, as a player that seeks would ask for them, and listens to
// the joins: the sine must go on as if it had been encoded in one pass.
func encodedSound(t *testing.T, h Harness) {
	for _, name := range []string{"pyramid.mkv", "vfr.mp4", "vp9.mp4"} {
		t.Run(name, func(t *testing.T) {
			list := films()
			in := list[slices.IndexFunc(list, func(f film) bool { return f.name == name })].input(t)
			m, index, err := h.Packager.Index(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			line, err := h.Packager.Timeline(index)
			if err != nil {
				t.Fatal(err)
			}
			format := media.AACFormat{SampleRate: 48000, Channels: 2, Language: "deu"}
			var file bytes.Buffer
			if err := h.Packager.PackageAAC(format, nil, 0, 0, &file); err != nil {
				t.Fatal(err)
			}
			packetAt := func(seconds float64) int64 { return int64(math.Ceil(seconds*48000/1024 - 1e-6)) }
			total := 0
			for n, s := range line.Segments {
				first, last := packetAt(s.Start), packetAt(s.Start+s.Duration)
				adts := encode(t, h, in, index, m.Audio[0].Index, first, last-first)
				packets := split(t, adts)
				if n+1 < len(line.Segments) && int64(len(packets)) != last-first {
					t.Fatalf("segment %d: %d packets of %d", n, len(packets), last-first)
				}
				total += len(packets)
				if err := h.Packager.PackageAAC(format, adts, first, n+1, &file); err != nil {
					t.Fatal(err)
				}
			}
			out := filepath.Join(t.TempDir(), "out.mp4")
			if err := os.WriteFile(out, file.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			got, _ := probePackets(t, out, 0)
			if len(got) != total {
				t.Fatalf("%d packets of %d", len(got), total)
			}
			for i, p := range got {
				if p.pts != int64(i)*1024 {
					t.Fatalf("packet %d at %d", i, p.pts)
				}
			}
			var whole bytes.Buffer
			stretch, err := h.Packager.Elementary(t.Context(), in, index, m.Audio[0].Index, -1, 100, &whole)
			if err != nil {
				t.Fatal(err)
			}
			raw := filepath.Join(t.TempDir(), "raw")
			if err := os.WriteFile(raw, whole.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			want := run(t, "ffmpeg", "-f", stretch.Format, "-i", raw, "-af", "aformat=channel_layouts=stereo", "-f", "s16le", "-ar", "48000", "-ac", "1", "pipe:1")
			joins := []int{}
			for _, s := range line.Segments[1:] {
				joins = append(joins, int(packetAt(s.Start))*1024)
			}
			listen(t, run(t, "ffmpeg", "-i", out, "-f", "s16le", "-ac", "1", "pipe:1"), want, int(math.Round(stretch.Start*48000)), joins)
			if tags := run(t, "ffprobe", "-show_entries", "stream_tags=language", "-of", "csv", out); !strings.Contains(string(tags), "deu") && !strings.Contains(string(tags), "ger") {
				t.Errorf("language %s", tags)
			}
		})
	}
	if err := h.Packager.PackageAAC(media.AACFormat{SampleRate: 48000, Channels: 2}, []byte("no frames at all"), 0, 1, io.Discard); fault.CodeOf(err) != media.CodeDamaged {
		t.Errorf("garbage: %v", err)
	}
	if err := h.Packager.PackageAAC(media.AACFormat{SampleRate: 47999, Channels: 2}, nil, 0, 1, io.Discard); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an impossible rate: %v", err)
	}
}

// encode makes grid packets [first, first+count): it decodes from 8 packets before and 3 beyond, cuts at a sample of the grid,
// and drops the packets outside. The encoder's first packet is its delay of 1,024 samples, so that packet j of its output
// holds the samples of grid packet begin+j-1.
func encode(t *testing.T, h Harness, in media.Input, index []byte, track int, first, count int64) []byte {
	t.Helper()
	begin := max(0, first-8)
	var raw bytes.Buffer
	seconds := func(packet int64) float64 { return float64(packet) * 1024 / 48000 }
	s, err := h.Packager.Elementary(t.Context(), in, index, track, max(0, seconds(begin)-0.2), seconds(first+count+3), &raw)
	if err != nil {
		t.Fatal(err)
	}
	skip := int64(math.Round(seconds(begin)*48000)) - int64(math.Round(s.Start*48000))
	filter := fmt.Sprintf("aresample=48000,atrim=start_sample=%d,asetpts=PTS-STARTPTS", max(0, skip))
	if skip < 0 {
		filter = fmt.Sprintf("aresample=48000,adelay=%dS:all=1", -skip)
	}
	cmd := exec.Command("ffmpeg", "-v", "error", "-f", s.Format, "-i", "pipe:0", "-af", filter, "-c:a", "aac", "-q:a", "1.6", "-ac", "2", "-ar", "48000", "-f", "adts", "pipe:1")
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &raw, &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg: %v %s", err, errs.String())
	}
	packets := split(t, out.Bytes())
	low := min(first-begin+1, int64(len(packets)))
	return bytes.Join(packets[low:min(low+count, int64(len(packets)))], nil)
}

func split(t *testing.T, adts []byte) (packets [][]byte) {
	t.Helper()
	for len(adts) > 0 {
		if len(adts) < 7 {
			t.Fatal("half an ADTS header")
		}
		n := int(adts[3]&3)<<11 | int(adts[4])<<3 | int(adts[5])>>5
		packets, adts = append(packets, adts[:n]), adts[n:]
	}
	return packets
}

// listen compares what was encoded with its source, sample by sample: the noise around joins must be no louder than it is
// elsewhere, and nowhere so loud that the two could be shifted against each other. shift is where the source's first sample belongs.
func listen(t *testing.T, got, want []byte, shift int, joins []int) {
	t.Helper()
	sample := func(b []byte, i int) float64 {
		if i < 0 || 2*i+2 > len(b) {
			return 0
		}
		return float64(int16(binary.LittleEndian.Uint16(b[2*i:])))
	}
	const window = 1024
	noise := func(at int) (rms, signal float64) {
		for i := at; i < at+window; i++ {
			w := sample(want, i-shift)
			d := sample(got, i) - w
			rms, signal = rms+d*d, signal+w*w
		}
		return math.Sqrt(rms / window), math.Sqrt(signal / window)
	}
	elsewhere, loudest := 0.0, 0.0
	for at := 2 * window; at < min(len(got), len(want))/2-4*window; at += window {
		if !slices.ContainsFunc(joins, func(j int) bool { return at > j-3*window && at < j+2*window }) {
			n, s := noise(at)
			elsewhere, loudest = max(elsewhere, n), max(loudest, s)
		}
	}
	if loudest == 0 || elsewhere > loudest/4 {
		t.Errorf("noise of %.0f in a signal of %.0f: the encoded sound is shifted", elsewhere, loudest)
	}
	for _, j := range joins {
		for _, at := range []int{j - window, j - window/2, j, j + window/2} {
			if n, _ := noise(at); n > 1.5*elsewhere+10 {
				t.Errorf("noise of %.0f at %.3f s, where segments join; elsewhere at most %.0f", n, float64(at)/48000, elsewhere)
			}
		}
	}
}

func refusals(t *testing.T, h Harness) {
	mp4 := read(t, demo.File(t, demo.H264AAC))
	late := read(t, demo.File(t, demo.MoovAtEnd))
	mkv := read(t, demo.File(t, demo.H264AC3MKV))
	for name, c := range map[string]struct {
		data []byte
		code string
	}{
		"empty":                 {nil, media.CodeEmpty},
		"text":                  {[]byte(strings.Repeat("This is a text. ", 500)), media.CodeUnknownContainer},
		"playlist":              {[]byte("#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n"), media.CodeUnknownContainer},
		"concat script":         {[]byte("ffconcat version 1.0\nfile /etc/passwd\n"), media.CodeUnknownContainer},
		"two bytes":             {[]byte{0, 0}, media.CodeUnknownContainer},
		"media cut":             {mp4[:len(mp4)-1000], media.CodeTruncated},
		"movie box cut":         {late[:len(late)-100], media.CodeTruncated},
		"movie box missing":     {late[:len(late)/2], media.CodeTruncated},
		"movie box cut (front)": {mp4[:500], media.CodeTruncated},
		"matroska cut":          {mkv[:len(mkv)-1000], media.CodeTruncated},
		"matroska's head":       {mkv[:200], media.CodeTruncated},
	} {
		if _, err := h.Packager.Probe(t.Context(), Bytes(c.data)); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	sound := filepath.Join(t.TempDir(), "sound.mp4")
	run(t, "ffmpeg", "-f", "lavfi", "-i", "sine=duration=2", "-c:a", "aac", sound)
	if _, err := h.Packager.Probe(t.Context(), Open(t, sound)); fault.CodeOf(err) != media.CodeNoVideo {
		t.Errorf("sound alone: %v", err)
	}
	in := Bytes(mp4)
	_, index, err := h.Packager.Index(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]int{{0, -1}, {0, 1000}, {-1, 0}, {7, 0}} {
		if err := h.Packager.Segment(t.Context(), in, index, c[0], c[1], io.Discard); fault.CodeOf(err) != media.CodeNoSegment {
			t.Errorf("segment %d of track %d: %v", c[1], c[0], err)
		}
	}
}

func staleIndexes(t *testing.T, h Harness) {
	for _, f := range []demo.Fixture{demo.H264AAC, demo.H264MKV} {
		in := Bytes(read(t, demo.File(t, f)))
		_, index, err := h.Packager.Index(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		other := slices.Clone(index)
		other[3]++
		for name, bad := range map[string][]byte{"none": nil, "another version": other, "half": index[:len(index)/2], "garbage": []byte("garbage of some length")} {
			if _, err := h.Packager.Timeline(bad); fault.CodeOf(err) != media.CodeDamaged {
				t.Errorf("timeline of %s: %v", name, err)
			}
			if err := h.Packager.Segment(t.Context(), in, bad, 0, 0, io.Discard); fault.CodeOf(err) != media.CodeDamaged {
				t.Errorf("segment of %s: %v", name, err)
			}
		}
		shorter := Bytes(read(t, demo.File(t, f))[:in.Size-1])
		if err := h.Packager.Segment(t.Context(), shorter, index, 0, 0, io.Discard); fault.CodeOf(err) != media.CodeDamaged {
			t.Errorf("another file: %v", err)
		}
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
