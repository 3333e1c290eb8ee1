package cmaf

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
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
			for n := 0; n < len(whole); n += 1 + len(whole)/100 {
				exercise(t, whole[:n], false)
			}
			head := min(len(whole), 4096)
			for range 500 {
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

// TestClaimsCostLittle opens files of a few hundred bytes and a few kilobytes that claim 4 GiB (a file with holes may have them) and more packets,
// segments, tracks or text than could ever be in them.
func TestClaimsCostLittle(t *testing.T) {
	const size = 4 << 30
	table := func(stsz, stsc, stco []byte) []byte {
		return boxedMovie(nil, "vide", box("stbl", fullBox("stsd", 0, 0, u32(1), visualEntry("mp4v", 16, 16)), fullBox("stts", 0, 0, u32(1), u32(0xffffffff), u32(1)), stsz, stsc, stco))
	}
	one := fullBox("stsc", 0, 0, u32(1), u32(1), u32(0xffffffff), u32(1))
	uniform := func(packets uint32) []byte {
		return table(fullBox("stsz", 0, 0, u32(8), u32(packets)), one, fullBox("stco", 0, 0, u32(1), u32(8)))
	}
	slow := func(packets uint32, tracks int) []byte { // each packet is a keyframe a day after the last
		f := film4{}
		for range tracks {
			f.tracks = append(f.tracks, track4{handler: "vide", entry: visualEntry("mp4v", 16, 16), samples: [][]byte{zeros(8)}, duration: 86_400_000, chunkCount: packets})
		}
		b := f.bytesAt(tracks*600 + 1000)
		for at, more := 0, 0; ; at += more + 4 { // of 8 bytes and not of 1 as in PCM
			if more = bytes.Index(b[at:], []byte("stsz")); more < 0 {
				return b
			}
			be.PutUint32(b[at+more+8:], 8)
		}
	}
	fragment := func(runs ...[]byte) []byte {
		return join(boxedMovie(box("mvex", fullBox("trex", 0, 0, u32(1), u32(1), u32(1), u32(0), u32(0))), "vide", box("stbl", fullBox("stsd", 0, 0, u32(1), visualEntry("mp4v", 16, 16)))),
			box("moof", box("traf", fullBox("tfhd", 0, 0, u32(1)), join(runs...))))
	}
	ebml := func(parts ...[]byte) []byte {
		return append(element(idEBML, element(idDocType, []byte("matroska"))), bytes.Join(parts, nil)...)
	}
	for name, head := range map[string][]byte{
		"4 billion packets of one size":      table(fullBox("stsz", 0, 0, u32(1), u32(0xffffffff)), one, fullBox("stco", 0, 0, u32(1), u32(8))),
		"4 billion packets of no size":       table(fullBox("stsz", 0, 0, u32(0), u32(0xffffffff)), one, fullBox("stco", 0, 0, u32(1), u32(8))),
		"4 billion narrow sizes":             table(fullBox("stz2", 0, 0, u32(4), u32(0xffffffff), zeros(9)), one, fullBox("stco", 0, 0, u32(0xffffffff), u32(8))),
		"500 million packets that would fit": uniform(size/8 - 1),
		"500 million segments":               slow(size/8-2000, 1),
		"10 million segments":                slow(10<<20, 1),
		"100,000 segments of 100 tracks":     slow(100_000, 100),
		"60 million packets in 100 tracks":   slow(60<<20, 100),
		"a fragment of 4 billion":            fragment(fullBox("trun", 0, 0, u32(0xffffffff))),
		"fragments of 4 billion":             fragment(slices.Repeat(fullBox("trun", 0, 0, u32(size/8+1)), 100)),
		"a movie box of 4 GiB":               append(box("ftyp", []byte("isom"), u32(0)), join(u32(1), []byte("moov"), u64(size-24))...),
		"tracks of 4 GiB":                    ebml(join(u32(idSegment), []byte{0x01, 0, 0, 0, 0xf0, 0, 0, 0}), join(u32(idTracks), []byte{0x01, 0, 0, 0, 0xe0, 0, 0, 0})),
		"an element of no bytes":             ebml(join(u32(idSegment), []byte{0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), []byte{0xec, 0x80}),
	} {
		m := &metered{r: sparse{size, map[int64][]byte{0: head}}}
		in := media.Input{Reader: m, Size: size}
		before, begin := allocated(), time.Now()
		_, _, err := New(Config{}).Index(t.Context(), in)
		used := allocated() - before
		if err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		if used > 16<<20 || m.calls > 1000 || m.bytes > 16<<20 {
			t.Errorf("%s: allocated %d MiB, made %d reads of %d bytes", name, used>>20, m.calls, m.bytes)
		}
		t.Logf("%s: %v after %v, %d KiB", name, fault.CodeOf(err), time.Since(begin), used>>10)
	}
}

// TestCompressedTextIsBounded reads subtitles that compression made a thousandth of what they say they are.
func TestCompressedTextIsBounded(t *testing.T) {
	packed := element(idContentEncodings, element(idContentEncoding, element(idCompression, uintElement(idCompAlgo, 0))))
	m := mkv{tracks: join(trackEntry(1, 1, "V_VP9", tiny), trackEntry(2, 17, "S_TEXT/UTF8", packed))}
	line, bomb := deflated(strings.Repeat("x", maxCueText-1)), deflated(strings.Repeat("x", 32<<20))
	for second := range 500 {
		m.cluster(uint64(second)*1000, 1, simple(idSimpleBlock, 1, 0, true, 0, []byte{0x82, 1}),
			element(idBlockGroup, simple(idBlock, 2, 100, true, 0, line), uintElement(idBlockDuration, 100)), element(idBlockGroup, simple(idBlock, 2, 300, true, 0, bomb), uintElement(idBlockDuration, 100)))
		bomb = bomb[:min(len(bomb), 40<<10)]
	}
	m.base = 200 << 10
	in, p := input(m.bytes(500_000)), New(Config{})
	_, index, err := p.Index(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	cues, err := p.Cues(t.Context(), in, index, 1)
	total := 0
	for _, c := range cues {
		total += len(c.Text)
	}
	if err != nil || total > maxText+maxCueText || total < maxText/2 {
		t.Errorf("%d cues of %d bytes, %v", len(cues), total, err)
	}
}

// TestWorkGrowsWithTheFile makes files of shapes in which readers have gone over the same bytes again and again, and the same four times as long.
func TestWorkGrowsWithTheFile(t *testing.T) {
	cost := func(b []byte) (reads int64, allocs uint64) {
		m := &metered{r: bytes.NewReader(b)}
		in, p := media.Input{Reader: m, Size: int64(len(b))}, New(Config{Target: 1})
		before := allocated()
		facts, index, err := p.Index(t.Context(), in)
		if err == nil {
			for track := range len(facts.Video) + len(facts.Audio) {
				for _, n := range []int{0, 1 << 30} {
					if line, err := p.Timeline(index); err == nil {
						_ = p.Segment(t.Context(), in, index, track, min(n, len(line.Segments)-1), io.Discard)
					}
				}
			}
		}
		return m.bytes, allocated() - before
	}
	frame := []byte{0x82, 1, 2, 3}
	for name, shape := range map[string]func(n int) []byte{
		"many fragments of many tracks": func(n int) []byte {
			b := boxedMovie(box("mvex"), "vide", box("stbl", fullBox("stsd", 0, 0, u32(1), vp09())))
			for range n {
				b = append(b, box("moof", box("traf", fullBox("tfhd", 0, 0, u32(1)), fullBox("trun", 0, 0x300, u32(1), u32(40), u32(8))))...)
			}
			return append(b, box("mdat", zeros(8*n))...)
		},
		"chapters that name all tracks": func(n int) []byte {
			f := film4{}
			for range 8 {
				f.tracks = append(f.tracks, track4{handler: "vide", entry: vp09(), samples: numbered(5, 9), duration: 900, tref: box("tref", box("chap", bytes.Repeat(u32(1), n)))})
			}
			return f.bytesAt(40*n + 8000)
		},
		"sound that never comes": func(n int) []byte {
			m := mkv{tracks: join(trackEntry(1, 1, "V_VP9", tiny), trackEntry(2, 2, "A_MPEG/L3")), base: n*60 + 10_000}
			for i := range n {
				m.cluster(uint64(i)*1000, 1, simple(idSimpleBlock, 1, 0, true, 0, frame))
			}
			return m.bytes(float64(n) * 1000)
		},
		"cues of one cluster": func(n int) []byte {
			m := mkv{tracks: trackEntry(1, 1, "V_VP9", tiny), base: n*60 + 10_000}
			m.cluster(0, 1, simple(idSimpleBlock, 1, 0, true, 0, frame))
			m.cues = bytes.Repeat(m.cues, n)
			return m.bytes(float64(n))
		},
		"blocks without a cluster's time": func(n int) []byte {
			m := mkv{tracks: trackEntry(1, 1, "V_VP9", tiny), cueOff: true, live: true}
			m.cluster(0, 0, bytes.Repeat(simple(idSimpleBlock, 1, 0, true, 3, frame, frame, frame), n))
			return m.bytes(5000)
		},
		"tables that name each other": func(n int) []byte {
			m := mkv{tracks: trackEntry(1, 1, "V_VP9", tiny), base: 60*n + 10_000}
			m.extra = bytes.Repeat(element(idSeekHead, element(idSeek, element(idSeekID, u32(idSeekHead)), uintElement(idSeekPos, 0))), n)
			m.cluster(0, 1, simple(idSimpleBlock, 1, 0, true, 0, frame))
			return m.bytes(5000)
		},
	} {
		small, large := shape(3000), shape(12000)
		reads, allocs := cost(small)
		manyReads, manyAllocs := cost(large)
		t.Logf("%s: %d KiB: %d KiB read, %d KiB allocated; %d KiB: %d, %d", name, len(small)>>10, reads>>10, allocs>>10, len(large)>>10, manyReads>>10, manyAllocs>>10)
		if manyReads > 6*reads+1<<20 || manyAllocs > 6*allocs+4<<20 {
			t.Errorf("%s: four times the file costs %d bytes read instead of %d, %d allocated instead of %d", name, manyReads, reads, manyAllocs, allocs)
		}
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
