package cmaf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

// metered counts what is read, so that work is bounded without a clock.
type metered struct {
	r            io.ReaderAt
	calls, bytes int64
}

func (m *metered) ReadAt(b []byte, off int64) (int, error) {
	m.calls++
	n, err := m.r.ReadAt(b, off)
	m.bytes += int64(n)
	return n, err
}

// allocated is how many bytes the process has allocated since it began.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// The bounds of one operation on a file: buffers of constant size, and a multiple of the file. A kilobyte that claims 2^60 entries stays
// within the first.
const (
	fixedAllocs  = 6 << 20
	allocsPer    = 384 // a laced frame of one byte becomes a packet, a sample and an extent
	fixedCalls   = 256
	bytesPerCall = 1 << 20
)

// exercise does with bytes all that the program would do with a file, and fails on anything but a good answer or a fault of ours. alone
// says that nothing else allocates meanwhile.
func exercise(t testing.TB, data []byte, alone bool) {
	p := New(Config{Target: 1})
	in := media.Input{Reader: bytes.NewReader(data), Size: int64(len(data))}
	ctx := context.Background()
	// do runs one operation and tells whether it answered.
	do := func(what string, size int, operation func(in media.Input) error) bool {
		m := &metered{r: in.Reader}
		before := allocated()
		err := operation(media.Input{Reader: m, Size: in.Size})
		used := allocated() - before
		if err != nil && !strings.HasPrefix(fault.CodeOf(err), "media.") {
			t.Fatalf("%s: %v is no fault of the port", what, err)
		}
		if errors.Is(err, errStop) {
			t.Fatalf("%s: an inner signal escaped", what)
		}
		if limit := uint64(fixedAllocs + allocsPer*size); alone && used > limit {
			t.Fatalf("%s allocated %d bytes, more than %d, for a file of %d", what, used, limit, len(data))
		}
		if most := int64(fixedCalls + size); m.calls > most || m.bytes > most*bytesPerCall {
			t.Fatalf("%s made %d reads of %d bytes in a file of %d", what, m.calls, m.bytes, len(data))
		}
		return err == nil
	}
	var m domain.Media
	var index []byte
	if !do("index", len(data), func(in media.Input) (err error) { m, index, err = p.Index(ctx, in); return err }) {
		return
	}
	plausible(t, m)
	both := len(data) + len(index)
	var line media.Timeline
	if !do("timeline", both, func(media.Input) (err error) { line, err = p.Timeline(index); return err }) {
		t.Fatal("an index of our own was refused")
	}
	sum := 0.0
	for n, s := range line.Segments {
		if !(s.Duration > 0) || math.Abs(s.Start-sum) > 1e-6*max(1, sum) {
			t.Fatalf("segment %d of %d: %+v behind %v", n, len(line.Segments), s, sum)
		}
		sum = s.Start + s.Duration
	}
	last := len(line.Segments) - 1
	for track := range min(len(m.Video)+len(m.Audio)+len(m.Subtitles), 4) {
		do("init", both, func(in media.Input) error { return p.Init(ctx, in, index, track, io.Discard) })
		for _, n := range []int{0, 1, len(data) % (last + 1), last} {
			do("segment", both, func(in media.Input) error { return p.Segment(ctx, in, index, track, n, io.Discard) })
		}
		do("elementary", both, func(in media.Input) error {
			_, err := p.Elementary(ctx, in, index, track, 0.5, 1.5, io.Discard)
			return err
		})
		do("cues", both, func(in media.Input) error {
			cues, err := p.Cues(ctx, in, index, track)
			for _, c := range cues {
				if !utf8.ValidString(c.Text) || c.Text == "" || !(c.End > c.Start) || c.Start < 0 || math.IsInf(c.End, 0) {
					t.Fatalf("cue %+v", c)
				}
			}
			return err
		})
	}
}

// plausible fails on facts that could not be stored or shown: they travel as JSON, which has no infinities, and are sums and lengths.
func plausible(t testing.TB, m domain.Media) {
	if _, err := json.Marshal(m); err != nil {
		t.Fatalf("the facts have no JSON: %v", err)
	}
	if !(m.Duration > 0) || m.BitRate < 0 || m.KeyframeCount < 0 || m.KeyframeInterval < 0 {
		t.Fatalf("duration %v, bit rate %d, %d keyframes every %v s", m.Duration, m.BitRate, m.KeyframeCount, m.KeyframeInterval)
	}
	for _, v := range m.Video {
		if v.Width < 0 || v.Height < 0 || v.FrameRate < 0 || v.BitDepth < 0 {
			t.Fatalf("picture %+v", v)
		}
	}
	for _, a := range m.Audio {
		if a.Channels < 0 || a.SampleRate < 0 || a.Duration < 0 {
			t.Fatalf("sound %+v", a)
		}
	}
}

// seeds are the small films of testdata: each shape of container that the readers know.
func seeds(t testing.TB, pattern string) map[string][]byte {
	paths, err := filepath.Glob("testdata/" + pattern)
	if err != nil || len(paths) == 0 {
		t.Fatal("no seeds", err)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = b
	}
	return files
}

func FuzzMP4(f *testing.F) {
	for _, b := range seeds(f, "*.mp4") {
		f.Add(b)
	}
	for _, b := range [][]byte{
		film4{tracks: []track4{{handler: "vide", entry: vp09(), samples: numbered(6, 9), duration: 700, sizes: 16, perChunk: 2}, {handler: "soun", entry: audioEntry("sowt", 2, 16, 1000), samples: numbered(3, 400), duration: 1, chunkCount: 100}}, wide: true}.bytesAt(1800),
		film4{tracks: []track4{{handler: "vide", entry: vp09(), samples: numbered(9, 9), duration: 700, sizes: 8, edts: box("edts", fullBox("elst", 0, 0, u32(2), u32(500), u32(0xffffffff), u32(1<<16), u32(4000), u32(300), u32(1<<16)))}},
			extra: box("udta", fullBox("chpl", 1, 0, zeros(4), u8(2), u64(0), u8(3), []byte("One"), u64(2e7), u8(3), []byte("Two")))}.bytesAt(1800),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { exercise(t, b, true) })
}

func FuzzMatroska(f *testing.F) {
	for _, pattern := range []string{"*.mkv", "*.webm"} {
		for _, b := range seeds(f, pattern) {
			f.Add(b)
		}
	}
	for _, lacing := range []byte{1, 2, 3} {
		for _, live := range []bool{false, true} {
			f.Add(lacedMKV(lacing, live))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) { exercise(t, b, true) })
}

// lacedMKV is a film of two seconds with laced, stripped sound and compressed subtitles; live leaves sizes and cues out.
func lacedMKV(lacing byte, live bool) []byte {
	stripped := element(idContentEncodings, element(idContentEncoding, element(idCompression, uintElement(idCompAlgo, 3), element(idCompSet, []byte{0xff, 0xfb}))))
	packed := element(idContentEncodings, element(idContentEncoding, element(idCompression, uintElement(idCompAlgo, 0))))
	m := mkv{base: 512, live: live, cueOff: live, tracks: join(trackEntry(1, 1, "V_VP9", tiny), trackEntry(2, 2, "A_MPEG/L3", stripped), trackEntry(3, 17, "S_TEXT/UTF8", packed))}
	sound := []byte{0x90, 0, 1, 2, 3, 4}
	for second := range uint64(3) {
		m.cluster(second*1000, 1, simple(idSimpleBlock, 1, 0, true, 0, []byte{0x82, 1, 2}), simple(idSimpleBlock, 2, 0, true, lacing, sound, sound, sound, sound), simple(idSimpleBlock, 1, 500, false, 0, []byte{0x86, 1}),
			element(idBlockGroup, simple(idBlock, 3, 100, true, 0, deflated("line")), uintElement(idBlockDuration, 400)))
	}
	return m.bytes(3000)
}

// FuzzIndex garbles the index of a good file: it is kept on disk between the scan and the play.
func FuzzIndex(f *testing.F) {
	var files [][]byte
	for _, name := range []string{"small.mp4", "small.mkv", "fragments.mp4", "live.webm"} {
		files = append(files, seeds(f, name)[name])
	}
	for i, data := range files {
		_, index, err := New(Config{Target: 1}).Index(f.Context(), input(data))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), index)
	}
	f.Fuzz(func(t *testing.T, which byte, index []byte) {
		data := files[int(which)%len(files)]
		p, in := New(Config{Target: 1}), input(data)
		ours := func(what string, operation func() error) {
			before := allocated()
			if err := operation(); err != nil && !strings.HasPrefix(fault.CodeOf(err), "media.") {
				t.Fatalf("%s: %v is no fault of the port", what, err)
			}
			if used, limit := allocated()-before, uint64(fixedAllocs+allocsPer*(len(index)+len(data))); used > limit {
				t.Fatalf("%s allocated %d bytes, more than %d, for an index of %d", what, used, limit, len(index))
			}
		}
		ours("timeline", func() error { _, err := p.Timeline(index); return err })
		for track := range 3 {
			ours("init", func() error { return p.Init(t.Context(), in, index, track, io.Discard) })
			for _, n := range []int{0, 1, 3} {
				ours("segment", func() error { return p.Segment(t.Context(), in, index, track, n, io.Discard) })
			}
			ours("elementary", func() error { _, err := p.Elementary(t.Context(), in, index, track, 0, 2, io.Discard); return err })
			ours("cues", func() error { _, err := p.Cues(t.Context(), in, index, track); return err })
		}
	})
}
