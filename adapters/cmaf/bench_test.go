package cmaf

import (
	"bytes"
	"context"
	"io"
	"os"
	"testing"

	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/mediatest"
)

func BenchmarkSegment(b *testing.B) {
	for _, f := range []demo.Fixture{demo.H264AAC, demo.H264MKV} {
		in := mediatest.Open(b, demo.File(b, f))
		p := New(Config{})
		_, index, err := p.Index(b.Context(), in)
		if err != nil {
			b.Fatal(err)
		}
		for name, track := range map[string]int{"picture": 0, "sound": 1} {
			b.Run(f.Name()+"/"+name, func(b *testing.B) {
				var size int64
				for b.Loop() {
					var out bytes.Buffer
					if err := p.Segment(context.Background(), in, index, track, 1, &out); err != nil {
						b.Fatal(err)
					}
					size = int64(out.Len())
				}
				b.SetBytes(size)
			})
			// What reading as many bytes costs without understanding them.
			b.Run(f.Name()+"/"+name+"/read", func(b *testing.B) {
				var out bytes.Buffer
				if err := p.Segment(context.Background(), in, index, track, 1, &out); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(out.Len()))
				for b.Loop() {
					var copied bytes.Buffer
					if _, err := io.Copy(&copied, io.NewSectionReader(in.Reader, 1000, int64(out.Len()))); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// longFilm is an MP4 of two hours with two sounds, or a Matroska file of the same shape; its packets are small.
func longFilm(matroska, cues bool) []byte {
	if !matroska {
		sync := []uint32{}
		for n := uint32(1); n <= 172800; n += 48 {
			sync = append(sync, n)
		}
		f := film4{tracks: []track4{{handler: "vide", entry: vp09(), samples: numbered(172800, 40), duration: 42, sync: sync, perChunk: 12}}}
		for range 2 {
			f.tracks = append(f.tracks, track4{handler: "soun", entry: audioEntry(".mp3", 2, 16, 48000), samples: numbered(300000, 20), duration: 24, perChunk: 20})
		}
		return f.bytesAt(16 << 20)
	}
	m := mkv{cueOff: !cues, tracks: join(trackEntry(1, 1, "V_VP9", tiny), trackEntry(2, 2, "A_MPEG/L3"))}
	m.base = 256 << 10
	for second := range 7200 {
		var blocks [][]byte
		for i := range 24 {
			blocks = append(blocks, simple(idSimpleBlock, 1, int16(i*40), i == 0 && second%2 == 0, 0, bytes.Repeat([]byte{0x82}, 40)),
				simple(idSimpleBlock, 2, int16(i*40), true, 0, bytes.Repeat([]byte{0xff, 0xfb}, 10)))
		}
		key := uint64(1)
		if second%2 == 1 {
			key = 0
		}
		m.cluster(uint64(second*1000), key, blocks...)
	}
	return m.bytes(7200000)
}

func BenchmarkTwoHours(b *testing.B) {
	for name, data := range map[string][]byte{"mp4": longFilm(false, false), "matroska": longFilm(true, true), "matroska without cues": longFilm(true, false)} {
		path := b.TempDir() + "/film"
		if err := os.WriteFile(path, data, 0o600); err != nil {
			b.Fatal(err)
		}
		in := mediatest.Open(b, path)
		p := New(Config{})
		var index []byte
		b.Run("index/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if _, index, err = p.Index(context.Background(), in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(index)), "bytes/index")
		})
		b.Run("segment/"+name, func(b *testing.B) {
			for b.Loop() {
				if err := p.Segment(context.Background(), in, index, 1, 700, io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
