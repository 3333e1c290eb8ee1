package cmaf

import (
	"context"
	"math"

	"github.com/revenge-media/revenge/ports/media"
)

// Matroska writes times in ticks, of a millisecond as a rule, so that the time of one packet of sound is up to half of one off: neighbouring
// stretches that are decoded on their own would disagree about where the sound lies, which is heard where they join. But packets follow
// each other without a gap and tell their lengths in samples, and the roundings of many packets leave little room for where the first
// one lies; packets of one length lie on a grid from the track's first one, besides.

// heard is when a packet of sound begins, in seconds.
func (t *track) heard(s *sample) float64 {
	return float64(s.dts+int64(s.cto)-t.edit) / float64(t.timescale)
}

// frameSamples is the length of every packet in samples, 0 where packets differ or are not known.
func (t *track) frameSamples() int {
	return int(math.Round(float64(t.frameNs) * float64(t.sampleRate) / 1e9))
}

// packetSamples is the length of a packet in samples, 0 where it does not tell it; ticks is about what it lasts.
func (t *track) packetSamples(size int64, packet []byte, ticks uint32) int {
	if frame := pcmBytes(t.codec) * t.channels; frame > 0 {
		return int(size) / frame
	}
	switch t.codec {
	case "opus":
		return int(opusSamples(packet))
	case "vorbis":
		return t.vorbisSamples(float64(ticks) / float64(t.timescale))
	}
	return t.frameSamples()
}

// unit is what the lengths of all packets are multiples of, in samples.
func (t *track) unit() int {
	switch {
	case t.codec == "opus":
		return 120 // 2.5 ms
	case t.codec == "vorbis":
		short, _ := t.vorbisBlocks()
		return max(1, short/4)
	case pcmBytes(t.codec) > 0:
		return 1
	}
	return max(1, t.frameSamples())
}

// soundStart is when a stretch of packets begins, in seconds; lengths are theirs in samples.
func (x *index) soundStart(ctx context.Context, in media.Input, number int, samples []sample, lengths []int) (float64, error) {
	t := &x.tracks[number]
	start, known := t.withinTicks(samples, lengths)
	if !known {
		return start, nil
	}
	from, to := math.Inf(-1), 0.2
	var head []sample
	var sizes []extent
	for range 2 { // the track's first packets: at the film's beginning, or where the track begins late, wherever they are
		found, payload, next, err := x.mkvStretch(ctx, in, number, from, to)
		if err != nil {
			return 0, err
		}
		if head, sizes = found, payload; len(head) > 0 || next < 0 {
			break
		}
		from = float64(next-t.edit) / float64(t.timescale)
		to = from + 0.2
	}
	if len(head) == 0 {
		return start, nil
	}
	lengths = lengths[:0]
	for i, e := range sizes {
		lengths = append(lengths, t.packetSamples(int64(len(e.prefix))+e.size, nil, head[i].dur))
	}
	origin, _ := t.withinTicks(head, lengths)
	length := float64(t.unit()) / float64(t.sampleRate)
	onGrid := origin + math.Round((start-origin)/length)*length
	if math.Abs(onGrid-start) > min(length/2, 1/float64(t.timescale)) { // a gap in the sound moved the grid
		return start, nil
	}
	return onGrid, nil
}

// withinTicks is the middle of what the packets' rounded times leave for the start of the first one; known is false where they agree about
// nothing, and the first one's own time is taken.
func (t *track) withinTicks(samples []sample, lengths []int) (start float64, known bool) {
	if len(lengths) == 0 || t.sampleRate <= 0 {
		return t.heard(&samples[0]), false
	}
	for _, ticks := range []float64{0.5001, 1.0001} { // frames of a lace are rounded twice
		low, high, passed := math.Inf(-1), math.Inf(1), 0.0
		half := ticks / float64(t.timescale)
		for i := range lengths {
			at := t.heard(&samples[i]) - passed
			low, high = max(low, at-half), min(high, at+half)
			if passed += float64(lengths[i]) / float64(t.sampleRate); lengths[i] == 0 {
				break
			}
		}
		if low <= high {
			return (low + high) / 2, true
		}
	}
	return t.heard(&samples[0]), false
}

// vorbisBlocks are the two sizes of blocks, in samples; 0 where they are not known (Vorbis I, 4.2.2).
func (t *track) vorbisBlocks() (short, long int) {
	const at = 4 + 28 // of the identification header, behind its size
	if len(t.config) <= at {
		return 0, 0
	}
	return 1 << (t.config[at] & 15), 1 << (t.config[at] >> 4)
}

// vorbisSamples is the length that a packet of about so many seconds must have: a quarter of each of two blocks that overlap (4.3.8).
func (t *track) vorbisSamples(seconds float64) int {
	short, long := t.vorbisBlocks()
	best, far := 0, math.Inf(1)
	for _, length := range []int{short / 2, (short + long) / 4, long / 2} {
		if d := math.Abs(float64(length) - seconds*float64(t.sampleRate)); d < far {
			best, far = length, d
		}
	}
	return best
}
