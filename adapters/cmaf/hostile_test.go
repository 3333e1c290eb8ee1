package cmaf

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

func TestDamageAnywhereIsAFaultAndNeverAPanic(t *testing.T) {
	t.Parallel()
	for name, whole := range seeds(t, "*.*") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, uint64(len(name))))
			for n := 0; n < len(whole); n += 1 + len(whole)/150 {
				exercise(t, whole[:n], false)
			}
			head := min(len(whole), 4096)
			for range 1500 {
				b := bytes.Clone(whole)
				for range 1 + random.IntN(4) {
					at := random.IntN(head)
					if random.IntN(4) == 0 {
						at = random.IntN(len(b))
					}
					switch random.IntN(4) {
					case 0:
						b[at] = byte(random.Uint32())
					case 1:
						b[at] = 0xff
					case 2:
						b[at] ^= 1 << random.IntN(8)
					case 3:
						if at+4 <= len(b) {
							binary.BigEndian.PutUint32(b[at:], []uint32{0, 1, 0x7fffffff, 0xffffffff, uint32(len(b)), 0x80000000}[random.IntN(6)])
						}
					}
				}
				exercise(t, b, false)
			}
		})
	}
}

func TestGarbledIndexIsRefusedAndNeverPanics(t *testing.T) {
	t.Parallel()
	for _, data := range seeds(t, "small.*") {
		p, in := New(Config{Target: 1}), media.Input{Reader: bytes.NewReader(data), Size: int64(len(data))}
		_, index, err := p.Index(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(2, 3))
		for range 3000 {
			b := bytes.Clone(index)
			b[4+random.IntN(len(b)-4)] = byte(random.Uint32())
			if random.IntN(5) == 0 {
				b = b[:random.IntN(len(b))]
			}
			for track := range 3 {
				for n := range 2 {
					if err := p.Segment(t.Context(), in, b, track, n, io.Discard); err != nil && fault.As(err) == nil {
						t.Fatal(err)
					}
				}
				_, _ = p.Elementary(t.Context(), in, b, track, 0, 2, io.Discard)
				_, _ = p.Cues(t.Context(), in, b, track)
			}
		}
	}
}

// sparse is a file of zeros but for a few stretches, as large as it likes to claim.
type sparse struct {
	size   int64
	pieces map[int64][]byte
}

func (s sparse) ReadAt(b []byte, off int64) (int, error) {
	clear(b)
	for at, piece := range s.pieces {
		if at < off+int64(len(b)) && off < at+int64(len(piece)) {
			from := max(at, off)
			copy(b[from-off:], piece[from-at:])
		}
	}
	if off+int64(len(b)) > s.size {
		return int(max(0, s.size-off)), io.EOF
	}
	return len(b), nil
}

// TestClaimsOfCountsAllocateNothing opens files that claim 4 GiB and more packets than could ever be in them.
func TestClaimsOfCountsAllocateNothing(t *testing.T) {
	const size = 4 << 30
	table := func(stsz, stsc, stco []byte) []byte {
		return boxedMovie(nil, "vide", box("stbl", fullBox("stsd", 0, 0, u32(1), visualEntry("mp4v", 16, 16)), fullBox("stts", 0, 0, u32(1), u32(0xffffffff), u32(1)), stsz, stsc, stco))
	}
	one := fullBox("stsc", 0, 0, u32(1), u32(1), u32(0xffffffff), u32(1))
	ebml := func(parts ...[]byte) []byte {
		return append(element(idEBML, element(idDocType, []byte("matroska"))), bytes.Join(parts, nil)...)
	}
	for name, head := range map[string][]byte{
		"4 billion packets of one size": table(fullBox("stsz", 0, 0, u32(1), u32(0xffffffff)), one, fullBox("stco", 0, 0, u32(1), u32(8))),
		"4 billion packets of no size":  table(fullBox("stsz", 0, 0, u32(0), u32(0xffffffff)), one, fullBox("stco", 0, 0, u32(1), u32(8))),
		"4 billion narrow sizes":        table(fullBox("stz2", 0, 0, u32(4), u32(0xffffffff), zeros(9)), one, fullBox("stco", 0, 0, u32(0xffffffff), u32(8))),
		"a fragment of 4 billion": join(boxedMovie(box("mvex", fullBox("trex", 0, 0, u32(1), u32(1), u32(1), u32(0), u32(0))), "vide", box("stbl", fullBox("stsd", 0, 0, u32(1), visualEntry("mp4v", 16, 16)))),
			box("moof", box("traf", fullBox("tfhd", 0, 0, u32(1)), fullBox("trun", 0, 0, u32(0xffffffff))))),
		"a movie box of 4 GiB":   append(box("ftyp", []byte("isom"), u32(0)), join(u32(1), []byte("moov"), u64(size-24))...),
		"tracks of 4 GiB":        ebml(join(u32(idSegment), []byte{0x01, 0, 0, 0, 0xf0, 0, 0, 0}), join(u32(idTracks), []byte{0x01, 0, 0, 0, 0xe0, 0, 0, 0})),
		"an element of no bytes": ebml(join(u32(idSegment), []byte{0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), []byte{0xec, 0x80}),
	} {
		in := media.Input{Reader: sparse{size, map[int64][]byte{0: head}}, Size: size}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := time.Now()
		_, _, err := New(Config{}).Index(t.Context(), in)
		runtime.ReadMemStats(&after)
		if err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
			t.Errorf("%s: allocated %d MiB", name, used>>20)
		}
		t.Logf("%s: %v after %v", name, fault.CodeOf(err), time.Since(begin))
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// boxedMovie is a movie of one track with an otherwise empty file around it.
func boxedMovie(extra []byte, handler string, stbl []byte) []byte {
	trak := box("trak", fullBox("tkhd", 0, 1, zeros(8), u32(1), zeros(24), identity, u32(16<<16), u32(16<<16)),
		box("mdia", fullBox("mdhd", 0, 0, zeros(8), u32(1000), u32(0), u16(0x55c4), u16(0)),
			fullBox("hdlr", 0, 0, zeros(4), []byte(handler), zeros(12), u8(0)), box("minf", stbl)))
	return join(box("ftyp", []byte("isom"), u32(0)), box("moov", fullBox("mvhd", 0, 0, zeros(8), u32(1000), u32(0), zeros(80)), trak, extra))
}

// element is an EBML element with a size of eight bytes.
func element(id uint32, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	var b []byte
	for shift := 24; shift >= 0; shift -= 8 {
		if id>>shift != 0 {
			b = append(b, byte(id>>shift))
		}
	}
	b = append(b, 0x01)
	b = append(b, u64(uint64(len(body)))[1:]...)
	return append(b, body...)
}
