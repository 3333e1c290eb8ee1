// Package cmaf reads MP4 and Matroska in process and writes CMAF from their packets without touching one.
//
// A file is indexed once. The index of an MP4 holds its packets' places, grouped by segment; that of a Matroska file only
// its keyframes, from Cues where there are any, so that large files open in milliseconds, and a segment then reads the block
// headers of its own stretch. Both make every segment a pure function of content, index, track and number.
//
// Guarantees for hostile input: no panic; memory bounded by the file's own tables; time bounded by one pass over the file.
package cmaf

import (
	"context"
	"io"
	"math"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

// Config of a Packager. The zero value is good.
type Config struct {
	// Target is the shortest length of a segment in seconds where keyframes allow; 0 means 6. It is part of an index, so that
	// programs with different targets agree about segments of the same index.
	Target float64
}

// Packager implements media.Packager. It has no state and may be used by many goroutines.
type Packager struct{ target float64 }

var _ media.Packager = (*Packager)(nil)

// New returns a Packager.
func New(config Config) *Packager {
	if config.Target <= 0 {
		config.Target = 6
	}
	return &Packager{target: config.Target}
}

// Probe implements media.Prober.
func (p *Packager) Probe(ctx context.Context, in media.Input) (domain.Media, error) {
	m, _, err := p.open(ctx, in)
	return m, err
}

// Index implements media.Packager.
func (p *Packager) Index(ctx context.Context, in media.Input) (domain.Media, []byte, error) {
	m, x, err := p.open(ctx, in)
	if err != nil {
		return domain.Media{}, nil, err
	}
	return m, x.encode(), nil
}

func (p *Packager) open(ctx context.Context, in media.Input) (domain.Media, *index, error) {
	if in.Size <= 0 {
		return domain.Media{}, nil, fault.New(fault.Invalid, media.CodeEmpty, "The file is empty. Copy it again.")
	}
	head, err := newWindow(ctx, in.Reader, in.Size, 64).upTo(0, 16)
	if err != nil {
		return domain.Media{}, nil, err
	}
	var m domain.Media
	var x *index
	switch {
	case looksLikeMatroska(head):
		m, x, err = indexMatroska(ctx, in, p.target)
	case looksLikeMP4(head):
		m, x, err = indexMP4(ctx, in, p.target)
	default:
		err = unknownContainer()
	}
	if err != nil {
		return domain.Media{}, nil, err
	}
	return m, x, nil
}

// Timeline implements media.Packager. The start of segment n is the tfdt of the picture track's segment n; the last segment
// may be shorter than the target.
func (p *Packager) Timeline(data []byte) (media.Timeline, error) {
	x, err := decodeIndex(data)
	if err != nil {
		return media.Timeline{}, err
	}
	t := media.Timeline{Duration: x.duration, Segments: make([]media.Segment, len(x.starts))}
	for i, at := range x.starts {
		start, end := float64(at)/float64(x.gridScale), x.duration
		if i+1 < len(x.starts) {
			end = float64(x.starts[i+1]) / float64(x.gridScale)
		}
		t.Segments[i] = media.Segment{Start: start, Duration: end - start}
	}
	return t, nil
}

// segmentable returns the decoded index and a track that MP4 can carry.
func segmentable(in media.Input, data []byte, number int) (*index, *track, error) {
	x, t, err := indexed(in, data, number)
	if err == nil && (t.entry == nil || t.kind != kindVideo && t.kind != kindAudio) {
		err = noSegment("Track %d (%s) cannot be put into MP4.", number, t.codec)
	}
	return x, t, err
}

func indexed(in media.Input, data []byte, number int) (*index, *track, error) {
	x, err := decodeIndex(data)
	if err != nil {
		return nil, nil, err
	}
	if x.fileSize != in.Size {
		return nil, nil, staleIndex()
	}
	if number < 0 || number >= len(x.tracks) {
		return nil, nil, noSegment("There is no track %d.", number)
	}
	return x, &x.tracks[number], nil
}

// Init implements media.Packager.
func (p *Packager) Init(_ context.Context, in media.Input, data []byte, number int, w io.Writer) error {
	_, t, err := segmentable(in, data, number)
	if err != nil {
		return err
	}
	return writeAll(w, initSegment(t))
}

// Segment implements media.Packager. A track that has no packets in the segment's time gives a fragment without samples.
func (p *Packager) Segment(ctx context.Context, in media.Input, data []byte, number, n int, w io.Writer) error {
	x, t, err := segmentable(in, data, number)
	if err != nil {
		return err
	}
	if n < 0 || n >= len(x.starts) {
		return noSegment("There is no segment %d.", n)
	}
	samples, payload, err := x.segment(ctx, in, number, n)
	if err != nil {
		return err
	}
	start := max(0, int64(math.Round(float64(x.starts[n])*float64(t.timescale)/float64(x.gridScale)))+t.edit)
	if len(samples) > 0 {
		start = samples[0].dts
	}
	if err := writeFragment(w, n+1, start, samples); err != nil {
		return err
	}
	return copyExtents(ctx, w, in.Reader, payload)
}

// segment returns the packets of a segment with times as written, and where their bytes lie.
func (x *index) segment(ctx context.Context, in media.Input, number, n int) ([]sample, []extent, error) {
	t := &x.tracks[number]
	if !x.matroska {
		if n >= len(t.blocks) {
			return nil, nil, staleIndex()
		}
		samples, err := readBlock(t.blocks[n], in.Size)
		if err != nil {
			return nil, nil, err
		}
		payload := make([]extent, len(samples))
		for i, s := range samples {
			payload[i] = extent{offset: s.offset, size: int64(s.size)}
		}
		return samples, payload, nil
	}
	m := mkvSegments{x, newWindow(ctx, in.Reader, in.Size, peekWindow)}
	var packets []packet
	var samples []sample
	if number == x.video {
		var err error
		if packets, err = m.video(n); err != nil {
			return nil, nil, err
		}
		samples = x.timeVideo(t, n, packets)
	} else {
		from := x.starts[n]
		if n == 0 {
			from = math.MinInt64
		}
		var next int64
		var err error
		if packets, next, err = m.timed(t, from, x.end(n)); err != nil {
			return nil, nil, err
		}
		if samples = x.timeOther(t, packets, next); t.kind == kindVideo {
			samples = x.timeVideo(t, n, packets)
		}
	}
	payload := make([]extent, len(packets))
	for i, p := range packets {
		payload[i] = p.extent
	}
	return samples, payload, nil
}
