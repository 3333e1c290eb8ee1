package cmaf

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"math"
	"slices"
	"sort"
)

// maxTicks bounds times, so that sums of them do not overflow.
const maxTicks = 1 << 52

// block is a SimpleBlock or Block.
type block struct {
	number  uint64
	ticks   int64
	key     bool
	dur     int64 // ticks, -1 where not said
	off     int64 // of the payload behind the block's header
	size    int64
	lacing  byte
	cluster int64
}

// walkBlocks visits the blocks of the clusters in [from, to), where from is that of a cluster. It reads headers only. errStop from
// visit ends it. Every step moves forward, so that no size, however wrong, makes it go on for ever.
func walkBlocks(w *window, from, to int64, visit func(b *block) error) error {
	header := func(pos int64) (id uint32, size int64, n int, err error) {
		h, err := w.upTo(pos, 12)
		if err != nil {
			return 0, 0, 0, err
		}
		if id, size, n = elementHeader(h); n == 0 {
			if len(h) < 12 {
				return 0, 0, 0, truncated("an element at %d is incomplete", pos)
			}
			return 0, 0, 0, damaged("no element at %d", pos)
		}
		return id, size, n, nil
	}
	cluster, clusterEnd, clusterTime := int64(-1), int64(0), int64(0)
	for pos := from; pos < to; {
		id, size, n, err := header(pos)
		if err != nil {
			return err
		}
		body := pos + int64(n)
		if cluster >= 0 && pos >= clusterEnd || levelOne(id) {
			cluster = -1
		}
		if size == unknownSize {
			if id != idCluster {
				return damaged("element %X at %d has no size", id, pos)
			}
			cluster, clusterEnd, clusterTime, pos = pos, to, 0, body
			continue
		}
		if size > to-body {
			if to == w.size {
				return truncated("element %X at %d has not all of its %d bytes", id, pos, size)
			}
			return damaged("element %X at %d claims %d bytes", id, pos, size)
		}
		switch {
		case id == idCluster:
			cluster, clusterEnd, clusterTime, pos = pos, body+size, 0, body
			continue
		case cluster < 0:
		case id == idTimestamp && size <= 8:
			b, err := w.bytes(body, int(size))
			if err != nil {
				return err
			}
			clusterTime = int64(min(ebmlUint(b), maxTicks))
		case id == idSimpleBlock:
			b := block{dur: -1, cluster: cluster}
			flags, err := b.read(w, body, size, clusterTime)
			if err != nil {
				return err
			}
			b.key = flags&0x80 != 0
			if err := visit(&b); err != nil {
				return stopped(err)
			}
		case id == idBlockGroup:
			b := block{dur: -1, cluster: cluster, key: true}
			for p := body; p < body+size; {
				id, n, h, err := header(p)
				if err != nil {
					return err
				}
				if p += int64(h); n == unknownSize || n > body+size-p {
					return damaged("element %X at %d claims %d bytes", id, p, n)
				}
				switch id {
				case idBlock:
					if _, err := b.read(w, p, n, clusterTime); err != nil {
						return err
					}
				case idBlockDuration:
					v, err := w.bytes(p, int(min(n, 8)))
					if err != nil {
						return err
					}
					b.dur = int64(min(ebmlUint(v), maxTicks))
				case idReferenceBlock:
					b.key = false
				}
				p += n
			}
			if b.off > 0 {
				if err := visit(&b); err != nil {
					return stopped(err)
				}
			}
		}
		pos = body + size
	}
	return nil
}

func stopped(err error) error {
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// read takes the block's own header apart.
func (b *block) read(w *window, pos, size, clusterTime int64) (flags byte, err error) {
	h, err := w.upTo(pos, int(min(size, 12)))
	if err != nil {
		return 0, err
	}
	number, n := vint(h, false)
	if n == 0 || len(h) < n+3 {
		return 0, damaged("a block of %d bytes at %d", size, pos)
	}
	flags = h[n+2]
	b.number, b.ticks, b.lacing = number, max(0, clusterTime+int64(int16(at16(h, n)))), flags>>1&3
	b.off, b.size = pos+int64(n)+3, size-int64(n)-3
	return flags, nil
}

// frames returns where the block's frames lie (RFC 9559, 10.3).
func (b *block) frames(w *window) ([]extent, error) {
	if b.lacing == 0 {
		return []extent{{offset: b.off, size: b.size}}, nil
	}
	h, err := w.upTo(b.off, int(min(b.size, 64<<10)))
	if err != nil {
		return nil, err
	}
	if len(h) == 0 {
		return nil, damaged("a lace at %d without a count", b.off)
	}
	count, i := int(h[0])+1, 1
	sizes := make([]int64, 0, count)
	total := int64(0)
	for k := 0; k < count-1; k++ {
		var size int64
		switch b.lacing {
		case 1: // Xiph: bytes of 255 and a smaller one
			for {
				if i >= len(h) {
					return nil, damaged("a lace at %d", b.off)
				}
				size += int64(h[i])
				i++
				if h[i-1] != 255 {
					break
				}
			}
		case 3: // EBML: a size, then signed differences
			v, n := vint(h[min(i, len(h)):], false)
			if n == 0 {
				return nil, damaged("a lace at %d", b.off)
			}
			i += n
			if size = int64(v); k > 0 {
				size = sizes[k-1] + int64(v) - (1<<(7*n-1) - 1)
			}
		case 2: // equal sizes
			size = (b.size - 1) / int64(count)
		}
		if size < 0 || size > b.size {
			return nil, damaged("a lace at %d", b.off)
		}
		sizes = append(sizes, size)
		total += size
	}
	if total >= b.size-int64(i) || slices.Contains(sizes, 0) || b.lacing == 2 && (b.size-1)%int64(count) != 0 {
		return nil, damaged("a lace at %d", b.off)
	}
	frames := make([]extent, 0, count)
	off := b.off + int64(i)
	for _, size := range append(sizes, b.size-int64(i)-total) {
		frames = append(frames, extent{offset: off, size: size})
		off += size
	}
	return frames, nil
}

// packet is one frame of a Matroska track.
type packet struct {
	extent
	time int64 // ticks of what is written, from the film's beginning
	dur  int64 // ticks, 0 where not said
	key  bool
}

// size of the packet with what header stripping took away.
func (p *packet) bytes() int64 { return int64(len(p.prefix)) + p.size }

// mkvSegments makes the packets of segments from the index and the file.
type mkvSegments struct {
	x *index
	w *window
}

// tickNs is the length of a written tick.
func (x *index) tickNs() int64 { return 1e9 / int64(x.gridScale) }

// tick turns nanoseconds of the file into written ticks, to the nearest.
func (x *index) tick(ns int64) int64 {
	length := x.tickNs()
	return max(0, (ns-x.origin*x.scale+length/2)/length)
}

// packets appends the frames of a block.
func (m *mkvSegments) packets(to []packet, t *track, b *block) ([]packet, error) {
	frames, err := b.frames(m.w)
	if err != nil {
		return to, err
	}
	if len(to) > maxSegmentPackets {
		return to, damaged("more than %d packets without a keyframe", maxSegmentPackets)
	}
	step := t.frameNs
	dur := int64(0)
	if b.dur >= 0 {
		dur = b.dur * m.x.scale / m.x.tickNs() / int64(len(frames))
		if len(frames) > 1 && step == 0 {
			step = b.dur * m.x.scale / int64(len(frames))
		}
	}
	for i, f := range frames {
		f.prefix = t.strip
		to = append(to, packet{extent: f, time: m.x.tick(b.ticks*m.x.scale + int64(i)*step), dur: dur, key: b.key})
	}
	return to, nil
}

// video returns the packets of segment n of the track that made the grid, in decode order: from its keyframe to the next segment's.
func (m *mkvSegments) video(n int) ([]packet, error) {
	x, t := m.x, &m.x.tracks[m.x.video]
	begin, open := x.from, true
	var first, next key
	if n > 0 {
		first = x.keys[x.segmentKey[n]]
		begin, open = first.pos, false
	}
	last := n+1 == len(x.starts)
	if !last {
		next = x.keys[x.segmentKey[n+1]]
	}
	var packets []packet
	closed := last
	err := walkBlocks(m.w, begin, x.to, func(b *block) (err error) {
		if b.number != t.number {
			return nil
		}
		if !open {
			if b.cluster > first.pos {
				return errStop
			}
			open = b.key && b.ticks == first.time
		}
		if !last && b.key && b.ticks == next.time && b.cluster >= next.pos && (n == 0 || b.ticks != first.time) {
			closed = true
			return errStop
		}
		if !last && b.cluster > next.pos {
			return errStop
		}
		if open {
			packets, err = m.packets(packets, t, b)
		}
		return err
	})
	if err == nil && (!open || !closed) {
		err = damaged("its cues point at no keyframe")
	}
	return packets, err
}

// interleave is how far apart in the file, in seconds, packets of the same time may lie.
const interleave = 10

// timed returns the packets of a track that are presented in [from, to), in ticks, and the time of the one that follows
// (-1 for none). Within a track packets lie in order of time, so that the stretch is complete as soon as a packet before
// and one after it were met.
func (m *mkvSegments) timed(t *track, from, to int64) (packets []packet, next int64, err error) {
	x := m.x
	slack := interleave * int64(x.gridScale)
	next = -1
	// scan reads one stretch of the file; earlier tells that a packet before from lies in it.
	scan := func(begin, end int64, stop bool) (found []packet, earlier bool, err error) {
		var frames []packet
		err = walkBlocks(m.w, begin, end, func(b *block) error {
			if b.number != t.number {
				if at := x.tick(b.ticks * x.scale); stop && to < math.MaxInt64-slack && at > to+slack {
					return errStop
				}
				return nil
			}
			if frames, err = m.packets(frames[:0], t, b); err != nil {
				return err
			}
			for _, p := range frames {
				switch at := p.time - t.edit; {
				case at < from:
					earlier = true
				case at >= to:
					if next < 0 || !stop {
						next = p.time
					}
					if stop {
						return errStop
					}
				default:
					found = append(found, p)
				}
			}
			return nil
		})
		return found, earlier, err
	}
	k := sort.Search(len(x.keys), func(i int) bool { return x.tick(x.keys[i].time*x.scale) > from }) - 1
	begin := x.from
	if k >= 0 && from > 0 {
		begin = max(begin, x.keys[k].pos)
	}
	packets, earlier, err := scan(begin, x.to, true)
	for err == nil && !earlier && begin > x.from {
		end := begin
		for begin = x.from; k > 0; {
			if k--; x.keys[k].pos < end {
				begin = max(begin, x.keys[k].pos)
				break
			}
		}
		var before []packet
		if before, earlier, err = scan(begin, end, false); err == nil {
			packets = append(before, packets...)
			if x.tick(x.keys[k].time*x.scale) < from-slack {
				break
			}
		}
	}
	return packets, next, err
}

// timeVideo gives decode times to pictures, of which Matroska tells only when they are shown: the i-th packet in decode order
// gets the i-th time in order of presentation, counted from the segment's start, so that tfdt is the grid's own value.
func (x *index) timeVideo(t *track, n int, packets []packet) []sample {
	if len(packets) == 0 {
		return nil
	}
	order := make([]int64, len(packets))
	for i, p := range packets {
		order[i] = p.time
	}
	slices.Sort(order)
	count := len(order)
	begin, span := order[0], order[count-1]-order[0]
	if n > 0 {
		begin = x.starts[n]
	}
	end := x.end(n)
	if end == math.MaxInt64 {
		dur := packets[count-1].dur
		if dur == 0 {
			dur = t.frameNs / x.tickNs()
		}
		if dur == 0 && count > 1 {
			dur = order[count-1] - order[count-2]
		}
		end = begin + span + max(dur, 1)
	}
	samples := make([]sample, count)
	for i, p := range packets {
		passed := order[i] - order[0]
		if begin+span >= end && span > 0 { // shown longer than the segment lasts: leading pictures of its successor took the room
			passed = int64(float64(passed) * float64(max(0, end-begin-1)) / float64(span))
		}
		samples[i] = sample{size: uint32(p.bytes()), dts: begin + passed, sync: p.key}
	}
	for i, p := range packets {
		s := &samples[i]
		following := end
		if i+1 < count {
			following = samples[i+1].dts
		}
		s.dur = uint32(min(max(0, following-s.dts), math.MaxInt32))
		s.cto = int32(max(min(p.time-s.dts+t.edit, math.MaxInt32), math.MinInt32))
	}
	return samples
}

// timeOther gives durations to packets whose decode and presentation order agree.
func (x *index) timeOther(t *track, packets []packet, next int64) []sample {
	samples := make([]sample, len(packets))
	for i, p := range packets {
		samples[i] = sample{size: uint32(p.bytes()), dts: p.time, sync: p.key || t.kind == kindAudio}
		if i > 0 {
			samples[i].dts = max(p.time, samples[i-1].dts)
			samples[i-1].dur = uint32(min(samples[i].dts-samples[i-1].dts, math.MaxInt32))
		}
	}
	if n := len(samples); n > 0 {
		s := &samples[n-1]
		switch {
		case next >= s.dts:
			s.dur = uint32(min(next-s.dts, math.MaxInt32))
		case packets[n-1].dur > 0:
			s.dur = uint32(packets[n-1].dur)
		case t.frameNs > 0:
			s.dur = uint32(max(1, t.frameNs/x.tickNs()))
		case n > 1:
			s.dur = samples[n-2].dur
		}
	}
	return samples
}

// inflate undoes zlib compression of a small frame; nil for what is none, or larger than a cue may be.
func inflate(b []byte) []byte {
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	out, _ := io.ReadAll(io.LimitReader(r, maxCueText+1))
	if len(out) > maxCueText {
		return nil
	}
	return out
}
