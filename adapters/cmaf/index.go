package cmaf

import (
	"encoding/binary"
	"math"
)

// indexMagic opens every index; its last byte is the version, which changes with the layout and with anything that
// would make segments of the same index differ.
var indexMagic = [4]byte{'R', 'V', 'X', 1}

// Kinds of tracks.
const (
	kindVideo byte = 'v'
	kindAudio byte = 'a'
	kindText  byte = 't'
	kindOther byte = 'o'
)

// track is what the index holds about one track.
type track struct {
	kind      byte
	codec     string // as in domain.Media
	timescale uint32 // of everything that is written
	language  string // ISO 639-2/T
	// entry is the sample entry box of the initialisation segment, nil where MP4 has none for the codec.
	entry []byte
	// config is what Elementary and Cues need: AudioSpecificConfig, OpusHead, FLAC blocks, Vorbis headers, the ASS header.
	config               []byte
	sampleRate, channels int
	width, height        uint32 // 16.16, as shown
	matrix               []byte // 36 bytes, nil for the identity
	// edit is the composition time (ticks) that is presented at time 0: decoder delay or reordering.
	edit int64

	// MP4: the packets, one block of the index for each segment of the grid; shift (ticks) is added to their decode times.
	shift  int64
	blocks [][]byte

	// Matroska.
	number  uint64
	strip   []byte // header stripping: bytes that every frame lost
	zlib    bool   // frames are compressed with zlib
	frameNs int64  // duration of a frame where it is known, else 0
}

// key is a place to begin reading a Matroska file: the cluster that holds a keyframe of the first video track.
type key struct {
	time int64 // ticks of the file
	pos  int64 // of the cluster
}

// index is what makes segments cheap. It is a pure function of the file's content and the target duration.
type index struct {
	matroska  bool
	fileSize  int64
	duration  float64
	gridScale uint32
	starts    []int64 // of the segments, in 1/gridScale seconds, from 0
	video     int     // track that made the grid
	tracks    []track

	// Matroska only.
	scale      int64 // nanoseconds a tick
	origin     int64 // ticks of the file at time 0
	from, to   int64 // where clusters are
	keys       []key
	segmentKey []int // number of the key that opens segment n
}

// end returns the tick at which segment n ends, MaxInt64 for the last one.
func (x *index) end(n int) int64 {
	if n+1 < len(x.starts) {
		return x.starts[n+1]
	}
	return math.MaxInt64
}

type packer struct{ b []byte }

func (p *packer) uint(v uint64)  { p.b = binary.AppendUvarint(p.b, v) }
func (p *packer) int(v int64)    { p.b = binary.AppendVarint(p.b, v) }
func (p *packer) bytes(v []byte) { p.uint(uint64(len(v))); p.b = append(p.b, v...) }
func (p *packer) bool(v bool) {
	if v {
		p.uint(1)
	} else {
		p.uint(0)
	}
}

// unpacker reads what packer wrote. After bad is set all values are zero; loops over counts are bounded by the bytes left.
type unpacker struct {
	b   []byte
	bad bool
}

func (u *unpacker) uint() uint64 {
	v, n := binary.Uvarint(u.b)
	if n <= 0 {
		u.bad, u.b = true, nil
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (u *unpacker) int() int64 {
	v, n := binary.Varint(u.b)
	if n <= 0 {
		u.bad, u.b = true, nil
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (u *unpacker) bytes() []byte {
	n := u.uint()
	if n > uint64(len(u.b)) {
		u.bad, u.b = true, nil
		return nil
	}
	v := u.b[:n:n]
	u.b = u.b[n:]
	if n == 0 {
		return nil
	}
	return v
}

func (u *unpacker) bool() bool { return u.uint() == 1 }

// count reads the length of a list, each element of which takes at least one byte.
func (u *unpacker) count() int {
	n := u.uint()
	if n > uint64(len(u.b)) {
		u.bad, u.b = true, nil
		return 0
	}
	return int(n)
}

func (x *index) encode() []byte {
	p := &packer{b: append([]byte(nil), indexMagic[:]...)}
	p.bool(x.matroska)
	p.int(x.fileSize)
	p.uint(math.Float64bits(x.duration))
	p.uint(uint64(x.gridScale))
	p.uint(uint64(len(x.starts)))
	deltas(p, x.starts)
	p.uint(uint64(x.video))
	p.uint(uint64(len(x.tracks)))
	for i := range x.tracks {
		t := &x.tracks[i]
		p.uint(uint64(t.kind))
		p.bytes([]byte(t.codec))
		p.uint(uint64(t.timescale))
		p.bytes([]byte(t.language))
		p.bytes(t.entry)
		p.bytes(t.config)
		p.uint(uint64(t.sampleRate))
		p.uint(uint64(t.channels))
		p.uint(uint64(t.width))
		p.uint(uint64(t.height))
		p.bytes(t.matrix)
		p.int(t.edit)
		p.int(t.shift)
		p.uint(uint64(len(t.blocks)))
		for _, b := range t.blocks {
			p.uint(uint64(len(b)))
		}
		p.uint(t.number)
		p.bytes(t.strip)
		p.bool(t.zlib)
		p.int(t.frameNs)
	}
	p.int(x.scale)
	p.int(x.origin)
	p.int(x.from)
	p.int(x.to)
	p.uint(uint64(len(x.keys)))
	var last key
	for _, k := range x.keys {
		p.int(k.time - last.time)
		p.int(k.pos - last.pos)
		last = k
	}
	previous := 0
	for _, k := range x.segmentKey {
		p.uint(uint64(k - previous))
		previous = k
	}
	for i := range x.tracks {
		for _, b := range x.tracks[i].blocks {
			p.b = append(p.b, b...)
		}
	}
	return p.b
}

func deltas(p *packer, values []int64) {
	var last int64
	for _, v := range values {
		p.int(v - last)
		last = v
	}
}

// decodeIndex reads an index; blocks of packets are only sliced, so that its cost grows with the segments and not with the packets.
func decodeIndex(b []byte) (*index, error) {
	if len(b) < 4 || [4]byte(b[:4]) != indexMagic {
		return nil, staleIndex()
	}
	u := &unpacker{b: b[4:]}
	x := &index{matroska: u.bool(), fileSize: u.int(), duration: math.Float64frombits(u.uint()), gridScale: uint32(u.uint())}
	x.starts = make([]int64, u.count())
	for i := range x.starts {
		x.starts[i] = u.int()
		if i > 0 {
			x.starts[i] += x.starts[i-1]
		}
	}
	x.video = int(min(u.uint(), math.MaxInt32))
	x.tracks = make([]track, min(u.count(), maxTracks))
	lengths := make([][]int, len(x.tracks))
	for i := range x.tracks {
		t := &x.tracks[i]
		t.kind, t.codec, t.timescale, t.language = byte(u.uint()), string(u.bytes()), uint32(u.uint()), string(u.bytes())
		t.entry, t.config = u.bytes(), u.bytes()
		t.sampleRate, t.channels = int(u.uint()), int(u.uint())
		t.width, t.height, t.matrix = uint32(u.uint()), uint32(u.uint()), u.bytes()
		t.edit, t.shift = u.int(), u.int()
		lengths[i] = make([]int, u.count())
		for j := range lengths[i] {
			lengths[i][j] = int(min(u.uint(), uint64(len(b))))
		}
		t.number, t.strip, t.zlib, t.frameNs = u.uint(), u.bytes(), u.bool(), u.int()
		if t.timescale == 0 {
			u.bad = true
		}
	}
	x.scale, x.origin, x.from, x.to = u.int(), u.int(), u.int(), u.int()
	x.keys = make([]key, u.count())
	for i := range x.keys {
		x.keys[i] = key{u.int(), u.int()}
		if i > 0 {
			x.keys[i].time += x.keys[i-1].time
			x.keys[i].pos += x.keys[i-1].pos
		}
	}
	if x.matroska {
		x.segmentKey = make([]int, len(x.starts))
		for i := range x.segmentKey {
			x.segmentKey[i] = int(min(u.uint(), math.MaxInt32))
			if i > 0 {
				x.segmentKey[i] += x.segmentKey[i-1]
			}
			if x.segmentKey[i] >= len(x.keys) {
				u.bad = true
				break
			}
		}
		u.bad = u.bad || x.scale <= 0
	}
	for i := range x.tracks {
		x.tracks[i].blocks = make([][]byte, len(lengths[i]))
		for j, n := range lengths[i] {
			if n > len(u.b) {
				u.bad = true
				break
			}
			x.tracks[i].blocks[j], u.b = u.b[:n:n], u.b[n:]
		}
	}
	if u.bad || x.gridScale == 0 || len(x.starts) == 0 || x.video >= len(x.tracks) {
		return nil, staleIndex()
	}
	return x, nil
}

// maxTracks bounds the tracks of a file; discs have at most a few dozen.
const maxTracks = 1024

// sample is one packet: where it lies and when it is decoded and shown, in ticks of its track.
type sample struct {
	offset int64
	size   uint32
	dts    int64
	dur    uint32
	cto    int32 // composition time minus decode time
	sync   bool
}

// maxSegmentPackets bounds the packets of one track in one segment: ten hours of pictures without a second keyframe have two million.
const maxSegmentPackets = 4 << 20

// blockWriter packs the samples of one track in one segment: runs of equal values take a few bytes in all, a typical
// video packet three and an audio packet two.
type blockWriter struct {
	count                         int
	first                         int64 // decode time
	sizes, gaps, durs, ctos, sync packer
	sameSize                      bool
	lastSize                      uint32
	next                          int64 // expected offset
	runGap, runDur, runCto, runSy uint64
	dur                           uint32
	cto                           int32
	isSync                        bool
}

func (w *blockWriter) add(s *sample) {
	if w.count == 0 {
		*w = blockWriter{first: s.dts, sameSize: true, lastSize: s.size, dur: s.dur, cto: s.cto, isSync: s.sync}
	}
	if s.size != w.lastSize && w.sameSize {
		w.sameSize = false
		for range w.count {
			w.sizes.uint(uint64(w.lastSize))
		}
	}
	if !w.sameSize {
		w.sizes.uint(uint64(s.size))
	}
	if gap := s.offset - w.next; gap != 0 {
		w.gaps.uint(w.runGap)
		w.gaps.int(gap)
		w.runGap = 0
	}
	w.runGap++
	w.next = s.offset + int64(s.size)
	if s.dur != w.dur {
		w.durs.uint(w.runDur)
		w.durs.uint(uint64(w.dur))
		w.dur, w.runDur = s.dur, 0
	}
	w.runDur++
	if s.cto != w.cto {
		w.ctos.uint(w.runCto)
		w.ctos.int(int64(w.cto))
		w.cto, w.runCto = s.cto, 0
	}
	w.runCto++
	if s.sync != w.isSync {
		w.sync.uint(w.runSy)
		w.isSync, w.runSy = s.sync, 0
	}
	w.runSy++
	w.count++
}

// flush returns the block and begins a new one; nil for no samples.
func (w *blockWriter) flush() []byte {
	if w.count == 0 {
		return nil
	}
	w.durs.uint(w.runDur)
	w.durs.uint(uint64(w.dur))
	w.ctos.uint(w.runCto)
	w.ctos.int(int64(w.cto))
	p := &packer{}
	p.uint(uint64(w.count))
	p.int(w.first)
	if w.sameSize {
		w.sizes = packer{}
		w.sizes.uint(uint64(w.lastSize))
	}
	// The first sync run has the kind of the first sample; runs alternate from there.
	firstSync := w.isSync != (w.syncRuns()%2 == 1)
	p.bool(w.sameSize)
	p.bool(firstSync)
	p.bytes(w.sizes.b)
	p.bytes(w.gaps.b)
	p.bytes(w.durs.b)
	p.bytes(w.ctos.b)
	p.bytes(w.sync.b)
	*w = blockWriter{}
	return p.b
}

func (w *blockWriter) syncRuns() int {
	n := 0
	for u := (unpacker{b: w.sync.b}); len(u.b) > 0; n++ {
		u.uint()
	}
	return n
}

// readBlock unpacks what blockWriter packed.
// Places outside a file of that size are refused, which also bounds what a garbled count can cost.
func readBlock(b []byte, fileSize int64) ([]sample, error) {
	if len(b) == 0 {
		return nil, nil
	}
	u := &unpacker{b: b}
	count, dts, same, isSync := u.uint(), u.int(), u.bool(), u.bool()
	sizes, gaps := unpacker{b: u.bytes()}, unpacker{b: u.bytes()}
	durs, ctos, syncs := unpacker{b: u.bytes()}, unpacker{b: u.bytes()}, unpacker{b: u.bytes()}
	if u.bad || !same && count > uint64(len(sizes.b)) || count > maxSegmentPackets {
		return nil, staleIndex()
	}
	samples := make([]sample, 0, min(count, 1<<16))
	var size uint32
	if same {
		size = uint32(sizes.uint())
	}
	run := func(u *unpacker) uint64 {
		if len(u.b) == 0 {
			return math.MaxUint64
		}
		return u.uint()
	}
	var next int64
	var dur uint32
	var cto int32
	gapIn, syncIn := run(&gaps), run(&syncs)
	var durIn, ctoIn uint64
	for range count {
		if !same {
			size = uint32(sizes.uint())
		}
		for gapIn == 0 && !gaps.bad {
			next += gaps.int()
			gapIn = run(&gaps)
		}
		for durIn == 0 && !durs.bad {
			durIn, dur = durs.uint(), uint32(durs.uint())
		}
		for ctoIn == 0 && !ctos.bad {
			ctoIn, cto = ctos.uint(), int32(ctos.int())
		}
		for syncIn == 0 && !syncs.bad {
			isSync = !isSync
			syncIn = run(&syncs)
		}
		if sizes.bad || gaps.bad || durs.bad || ctos.bad || syncs.bad {
			return nil, staleIndex()
		}
		if next < 0 || next > fileSize-int64(size) {
			return nil, staleIndex()
		}
		samples = append(samples, sample{offset: next, size: size, dts: dts, dur: dur, cto: cto, sync: isSync})
		next += int64(size)
		dts += int64(dur)
		gapIn, durIn, ctoIn, syncIn = gapIn-1, durIn-1, ctoIn-1, syncIn-1
	}
	return samples, nil
}
