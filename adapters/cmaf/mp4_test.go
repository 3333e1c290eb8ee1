package cmaf

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

// film4 builds MP4 files box by box, in the shapes that ffmpeg does not write.
type film4 struct {
	tracks []track4
	extra  []byte // in moov
	wide   bool   // co64 and a 64-bit mdat
}

type track4 struct {
	handler          string
	entry            []byte // box
	samples          [][]byte
	duration         uint32 // of each sample, in ms
	sync             []uint32
	udta, edts, tref []byte
	language         uint16
	disabled         bool
	sizes            byte // 0 stsz, else bits of stz2
	perChunk         int
	external         bool
	chunkCount       uint32 // PCM: frames in a chunk, of which samples are the chunks
}

func (f film4) bytes() []byte { return f.bytesAt(16 << 10) }

func (f film4) bytesAt(mdatAt int) []byte {
	offset := mdatAt + 16
	var traks, mdat []byte
	for i, t := range f.tracks {
		per := max(1, t.perChunk)
		var sizes, chunks, stss []byte
		count := uint32(len(t.samples))
		for n, s := range t.samples {
			switch t.sizes {
			case 0:
				sizes = append(sizes, u32(uint32(len(s)))...)
			case 8:
				sizes = append(sizes, byte(len(s)))
			case 16:
				sizes = append(sizes, u16(uint16(len(s)))...)
			}
			if n%per == 0 {
				if f.wide {
					chunks = append(chunks, u64(uint64(offset+len(mdat)))...)
				} else {
					chunks = append(chunks, u32(uint32(offset+len(mdat)))...)
				}
			}
			mdat = append(mdat, s...)
		}
		stsz := fullBox("stsz", 0, 0, u32(0), u32(count), sizes)
		if t.sizes > 0 {
			stsz = fullBox("stz2", 0, 0, u32(uint32(t.sizes)), u32(count), sizes)
		}
		stsc := fullBox("stsc", 0, 0, u32(1), u32(1), u32(uint32(per)), u32(1))
		if t.chunkCount > 0 {
			count *= t.chunkCount
			stsz = fullBox("stsz", 0, 0, u32(1), u32(count))
			stsc = fullBox("stsc", 0, 0, u32(1), u32(1), u32(t.chunkCount), u32(1))
		}
		stco := fullBox("stco", 0, 0, u32(uint32(len(chunks)/4)), chunks)
		if f.wide {
			stco = fullBox("co64", 0, 0, u32(uint32(len(chunks)/8)), chunks)
		}
		if t.sync != nil {
			for _, n := range t.sync {
				stss = append(stss, u32(n)...)
			}
			stss = fullBox("stss", 0, 0, u32(uint32(len(t.sync))), stss)
		}
		flags, self := uint32(1), uint32(1)
		if t.disabled {
			flags = 0
		}
		if t.external {
			self = 0
		}
		traks = append(traks, box("trak", fullBox("tkhd", 0, flags, zeros(8), u32(uint32(i+1)), zeros(24), identity, u32(64<<16), u32(36<<16)), t.edts, t.tref, t.udta,
			box("mdia", fullBox("mdhd", 0, 0, zeros(8), u32(1000), u32(0), u16(t.language), u16(0)), fullBox("hdlr", 0, 0, zeros(4), []byte(t.handler), zeros(12), u8(0)),
				box("minf", box("dinf", fullBox("dref", 0, 0, u32(1), fullBox("url ", 0, self))),
					box("stbl", fullBox("stsd", 0, 0, u32(1), t.entry), fullBox("stts", 0, 0, u32(1), u32(count), u32(t.duration)), stsz, stsc, stco, stss))))...)
	}
	head := join(box("ftyp", []byte("isom"), u32(0)), box("moov", fullBox("mvhd", 0, 0, zeros(8), u32(1000), u32(0), zeros(80)), traks, f.extra))
	head = join(head, box("free", zeros(mdatAt-len(head)-8)))
	if f.wide {
		return join(head, u32(1), []byte("mdat"), u64(uint64(len(mdat)+16)), mdat)
	}
	return join(head, box("wide"), u32(uint32(len(mdat)+8)), []byte("mdat"), mdat)
}

func vp09() []byte {
	return visualEntry("vp09", 64, 36, fullBox("vpcC", 1, 0, []byte{0, 10, 0x82, 1, 1, 1, 0, 0}))
}

func numbered(n, size int) (samples [][]byte) {
	for i := range n {
		samples = append(samples, bytes.Repeat([]byte{byte(i)}, size+i%7))
	}
	return samples
}

func packed(language string) uint16 {
	return uint16(language[0]-0x60)<<10 | uint16(language[1]-0x60)<<5 | uint16(language[2]-0x60)
}

func TestEveryKindOfSampleTableGivesBackThePackets(t *testing.T) {
	t.Parallel()
	for _, wide := range []bool{false, true} {
		for _, sizes := range []byte{0, 8, 16} {
			f := film4{wide: wide, tracks: []track4{
				{handler: "vide", entry: vp09(), samples: numbered(200, 20), duration: 40, sync: []uint32{1, 51, 101, 151}, sizes: sizes, perChunk: 3},
				{handler: "soun", entry: audioEntry(".mp3", 2, 16, 48000), samples: numbered(330, 30), duration: 24, sizes: sizes, perChunk: 7}}}
			for i, track := range f.tracks {
				got, times := payloads(t, New(Config{Target: 2}), f.bytes(), i)
				if !reflect.DeepEqual(got, track.samples) {
					t.Fatalf("wide %v, sizes %d, track %d: %d packets of %d, or other bytes", wide, sizes, i, len(got), len(track.samples))
				}
				for n, at := range times {
					if at != int64(n)*int64(track.duration) {
						t.Fatalf("packet %d at %d", n, at)
					}
				}
			}
		}
	}
}

func TestPCMIsReadByChunksAndNotByFrames(t *testing.T) {
	t.Parallel()
	chunk := bytes.Repeat([]byte{1, 2, 3, 4}, 3000)
	f := film4{tracks: []track4{{handler: "vide", entry: vp09(), samples: numbered(10, 20), duration: 900},
		{handler: "soun", entry: audioEntry("sowt", 2, 16, 1000), samples: [][]byte{chunk, chunk, chunk}, duration: 1, chunkCount: 3000}}}
	in := input(f.bytes())
	p := New(Config{Target: 1})
	m, index, err := p.Index(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s, err := p.Elementary(t.Context(), in, index, 1, 0, 100, &out)
	if err != nil || !bytes.Equal(out.Bytes(), bytes.Repeat(chunk, 3)) {
		t.Fatalf("%d bytes, %v", out.Len(), err)
	}
	if s.Packets != 9 || s.Format != "s16le" || math.Abs(m.Audio[0].Duration-9) > 1e-9 {
		t.Errorf("%+v, %v s", s, m.Audio[0].Duration)
	}
}

func TestMP4Facts(t *testing.T) {
	t.Parallel()
	role := func(value string) []byte {
		return box("udta", fullBox("kind", 0, 0, []byte("urn:mpeg:dash:role:2011\x00"+value+"\x00")))
	}
	colr := func(transfer uint16, more ...[]byte) []byte {
		return visualEntry("vp09", 64, 36, append([][]byte{fullBox("vpcC", 1, 0, []byte{2, 10, 0xa2, 9, byte(transfer), 9, 0, 0}), box("colr", []byte("nclx"), u16(9), u16(transfer), u16(9), u8(0))}, more...)...)
	}
	chapter := func(s string) []byte { return join(u16(uint16(len(s))), []byte(s)) }
	tx3g := func(flags uint32) []byte {
		return box("tx3g", zeros(6), u16(1), u32(flags), zeros(26))
	}
	f := film4{tracks: []track4{
		{handler: "vide", entry: colr(16), samples: numbered(100, 20), duration: 100, sync: []uint32{1, 31, 81}, tref: box("tref", box("chap", u32(7))), language: packed("und")},
		{handler: "vide", entry: colr(18), samples: numbered(1, 20), duration: 100},
		{handler: "vide", entry: colr(1, box("dvvC", zeros(24))), samples: numbered(1, 20), duration: 100, disabled: true},
		{handler: "soun", entry: audioEntry(".mp3", 2, 16, 48000), samples: numbered(9, 20), duration: 1000, language: packed("deu"), udta: role("commentary")},
		{handler: "sbtl", entry: tx3g(0x80000000), samples: [][]byte{chapter(""), chapter("Hi"), chapter("there")}, duration: 1000, language: packed("nld")},
		{handler: "sbtl", entry: tx3g(0), samples: [][]byte{chapter("x")}, duration: 1000, udta: role("caption"), language: packed("fra"), disabled: true},
		{handler: "text", entry: box("text", zeros(51)), samples: [][]byte{chapter("Begin"), join(u16(8), []byte{0xfe, 0xff, 0, 'M', 0, 'i', 0, 'd'})}, duration: 5000},
		{handler: "tmcd", entry: box("tmcd", zeros(30))},
	}, extra: box("udta", box("meta", u32(0), box("ilst", box("covr", box("data", u32(14), u32(0), []byte("png"))))))}
	m, err := New(Config{}).Probe(t.Context(), input(f.bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Video) != 4 || len(m.Audio) != 1 || len(m.Subtitles) != 2 {
		t.Fatalf("%+v", m)
	}
	v := m.Video
	if v[0].HDR != "hdr10" || v[0].BitDepth != 10 || v[0].CodecString != "vp09.02.10.10" || v[0].FrameRate != 10 || !v[0].Default {
		t.Errorf("first picture %+v", v[0])
	}
	if v[1].HDR != "hlg" || v[2].HDR != "dolbyvision" || v[2].Default || !v[3].AttachedPicture || v[3].Index != 8 || v[3].Codec != "png" {
		t.Errorf("other pictures %+v", v[1:])
	}
	if a := m.Audio[0]; a.Language != "ger" || !a.Commentary || a.Codec != "mp3" || a.Duration != 9 {
		t.Errorf("sound %+v", a)
	}
	if s := m.Subtitles; !s[0].Forced || s[0].Language != "dut" || !s[0].Text || !s[1].HearingImpaired || s[1].Language != "fre" || s[1].Default {
		t.Errorf("subtitles %+v", s)
	}
	want := []domain.Chapter{{Start: 0, End: 5, Title: "Begin"}, {Start: 5, End: 10, Title: "Mid"}}
	if !reflect.DeepEqual(m.Chapters, want) {
		t.Errorf("chapters %+v", m.Chapters)
	}
	if m.KeyframeCount != 3 || m.KeyframeInterval != 5 || !m.Indexed || m.Duration != 10 {
		t.Errorf("keyframes %d, %v; indexed %v; duration %v", m.KeyframeCount, m.KeyframeInterval, m.Indexed, m.Duration)
	}
}

func TestEditListsOfSeveralPiecesAreLeftToOthers(t *testing.T) {
	t.Parallel()
	edit := func(dur, at uint32) []byte { return join(u32(dur), u32(at), u32(1<<16)) }
	for name, c := range map[string]struct {
		edits   []byte
		count   uint32
		indexed bool
	}{
		"one":           {edit(4000, 0), 1, true},
		"a pause first": {join(edit(500, 0xffffffff), edit(4000, 0)), 2, true},
		"two pieces":    {join(edit(500, 0), edit(1000, 2000)), 2, false},
	} {
		f := film4{tracks: []track4{{handler: "vide", entry: vp09(), samples: numbered(100, 20), duration: 40, edts: box("edts", fullBox("elst", 0, 0, u32(c.count), c.edits))}}}
		if m, err := New(Config{}).Probe(t.Context(), input(f.bytes())); err != nil || m.Indexed != c.indexed {
			t.Errorf("%s: indexed %v, %v", name, m.Indexed, err)
		}
	}
}

func TestDataInAnotherFileIsRefused(t *testing.T) {
	t.Parallel()
	f := film4{tracks: []track4{{handler: "vide", entry: vp09(), samples: numbered(10, 20), duration: 40, external: true}}}
	if _, err := New(Config{}).Probe(t.Context(), input(f.bytes())); fault.CodeOf(err) != media.CodeRefused {
		t.Fatal(err)
	}
}

func TestCodecsThatMP4CannotCarryHaveFactsButNoSegments(t *testing.T) {
	t.Parallel()
	for kind, codec := range map[string]string{"apch": "prores", "mp4v": "mpeg4", "encv": "encrypted", "SVQ3": "svq3", "avc1": "h264"} {
		f := film4{tracks: []track4{{handler: "vide", entry: visualEntry(kind, 64, 36), samples: numbered(30, 20), duration: 40}}}
		in := input(f.bytes())
		m, index, err := New(Config{}).Index(t.Context(), in)
		if err != nil || m.Indexed || m.Video[0].Codec != codec {
			t.Errorf("%s: %+v, %v", kind, m.Video, err)
			continue
		}
		if err := New(Config{}).Segment(t.Context(), in, index, 0, 0, io.Discard); fault.CodeOf(err) != media.CodeNoSegment {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestWebVTTInMP4IsPlainAndWhole(t *testing.T) {
	t.Parallel()
	cue := func(s string) []byte { return box("vttc", box("iden", []byte("1")), box("payl", []byte(s))) }
	f := film4{tracks: []track4{{handler: "vide", entry: vp09(), samples: numbered(100, 20), duration: 40},
		{handler: "text", entry: box("wvtt", zeros(6), u16(1), box("vttC", []byte("WEBVTT"))), duration: 1000,
			samples: [][]byte{box("vtte"), cue("<i>a</i> &gt; b"), cue("<i>a</i> &gt; b"), cue("c")}}}}
	in := input(f.bytes())
	p := New(Config{})
	_, index, err := p.Index(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Cues(t.Context(), in, index, 1)
	if want := []media.Cue{{Start: 1, End: 3, Text: "a > b"}, {Start: 3, End: 4, Text: "c"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestIndexKeepsEveryPacket(t *testing.T) {
	t.Parallel()
	var w blockWriter
	var want []sample
	at := int64(77)
	for i := range 500 {
		s := sample{offset: 1000 + int64(i)*900, size: uint32(i * i % 700), dts: at, dur: uint32(40 + i/100), cto: int32(i%5*40 - 40), sync: i%50 == 3}
		at += int64(s.dur)
		want = append(want, s)
		w.add(&s)
	}
	got, err := readBlock(w.flush(), 1<<30)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%v; %+v", err, got[:3])
	}
	for i := range want {
		want[i].size, want[i].sync, want[i].cto, want[i].dur = 9, true, 0, 10
		want[i].dts, want[i].offset = int64(i)*10, int64(i)*9+5
		w.add(&want[i])
	}
	b := w.flush()
	if got, err = readBlock(b, 1<<30); err != nil || !slices.Equal(got, want) || len(b) > 32 {
		t.Fatalf("%v; %d bytes for packets of one kind", err, len(b))
	}
}

func TestEAC3WithDependentSubstreamsIsDescribed(t *testing.T) {
	t.Parallel()
	frame := func(kind uint32, words int, acmod uint32) []byte {
		b := make([]byte, words*2)
		binary.BigEndian.PutUint16(b, 0x0b77)
		v := uint64(kind)<<62 | uint64(words-1)<<48 | 0<<46 | 3<<44 | uint64(acmod)<<41 | 1<<40 | 16<<35
		if kind == 1 { // dialnorm, no compression, a channel map of Lrs and Rrs (bit 6)
			v |= 1<<28 | 1<<(27-6)
		}
		binary.BigEndian.PutUint64(b[2:], v)
		return b
	}
	d := eac3Track(join(frame(0, 384, 7), frame(1, 192, 2)))
	if d.sampleRate != 48000 || d.channels != 8 || d.frameSamples != 1536 || d.entry == nil {
		t.Fatalf("%+v", d)
	}
	dec3, _ := child(d.entry[36:], "dec3")
	if len(dec3) != 6 || dec3[4]>>1&15 != 1 || at16(dec3, 0)>>3 != uint16(288) {
		t.Fatalf("dec3 % x", dec3)
	}
}

func TestParameterSetsTellDepthAndTransfer(t *testing.T) {
	t.Parallel()
	set := func(digits string) []byte {
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if depth, transfer := readAVCSet(set("676e000aa6cd9447f9f016a12201280000030008000003005078912cb0")); depth != 10 || transfer != 16 {
		t.Errorf("H.264: %d bits, transfer %d", depth, transfer)
	}
	if transfer := readHEVCSet(set("42010102200000030090000003000003001ea020829f6d96566b9395e02d424482410000030001000003000508")); transfer != 18 {
		t.Errorf("HEVC: transfer %d", transfer)
	}
}

func TestPicturesInBoxesAreNoFilms(t *testing.T) {
	t.Parallel()
	heif := join(box("ftyp", []byte("heic"), u32(0)), box("meta", zeros(100)), box("mdat", zeros(100)))
	if _, err := New(Config{}).Probe(t.Context(), input(heif)); fault.CodeOf(err) != media.CodeUnknownContainer {
		t.Fatal(err)
	}
}
