package playback

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/language"
	"github.com/revenge-media/revenge/ports/media"
)

const (
	// gridPacket is how many samples an AAC packet has: encoded sound lies on a grid of them from the film's beginning.
	gridPacket = 1024
	// ahead is how many segments after the one that is asked for are encoded without being asked.
	ahead = 2
	// aheadTimeout bounds that.
	aheadTimeout = time.Minute
	// sourceMargin is how much earlier and later, in seconds, source packets are taken than the grid needs: they begin where they like.
	sourceMargin = 0.2
)

// gridPackets are the packets of segment n: those that begin in its time. So every packet is in exactly one segment.
func gridPackets(t media.Timeline, n int) (first, end int64) {
	at := func(seconds float64) int64 {
		return int64(math.Ceil(seconds*encodedRate/gridPacket - 1e-6))
	}
	s := t.Segments[n]
	if n+1 < len(t.Segments) {
		return at(s.Start), at(t.Segments[n+1].Start)
	}
	return at(s.Start), at(s.Start + s.Duration)
}

// encoded returns a segment of encoded sound, or its initialisation segment, from the cache or made now; and has the next ones made.
func (s *Service) encoded(ctx context.Context, actor domain.Actor, src *source, track, n int) ([]byte, error) {
	format, err := src.format(track)
	if err != nil {
		return nil, err
	}
	if n == InitSegment {
		var b bytes.Buffer
		err := s.Packager.PackageAAC(format, nil, 0, 0, &b)
		return b.Bytes(), err
	}
	if n < 0 || n >= len(src.timeline.Segments) {
		return nil, noTrack()
	}
	defer s.encodeAhead(ctx, src.located, track, n)
	key := segmentKey(src.located, track, n)
	if data, err := s.blob(ctx, key); err == nil {
		return data, nil
	}
	leave, err := s.limits.admit(actor.UserID)
	if err != nil {
		return nil, err
	}
	defer leave()
	return s.encoding.Do(ctx, key, func(ctx context.Context) ([]byte, error) { return s.encode(ctx, src.located, track, n) })
}

func segmentKey(l located, track, n int) string {
	return fmt.Sprintf("audio/%s/%d/%d.m4s", l.key(), track, n)
}

func (src *source) format(track int) (media.AACFormat, error) {
	for _, a := range src.file.Media.Audio {
		if a.Index == track {
			return media.AACFormat{SampleRate: encodedRate, Channels: encodedChannels, Language: language.Terminology(a.Language)}, nil
		}
	}
	return media.AACFormat{}, noTrack()
}

func (s *Service) blob(ctx context.Context, key string) ([]byte, error) {
	blob, err := s.Blobs.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	return io.ReadAll(blob)
}

// encode makes one segment: the source's packets of its time and the margins, decoded and encoded to exactly the packets of the grid, packaged.
// It opens the film itself, since who asked first may leave before it is done.
func (s *Service) encode(ctx context.Context, l located, track, n int) ([]byte, error) {
	leave, err := s.limits.running.Enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	src, err := s.source(ctx, l)
	if err != nil {
		return nil, err
	}
	defer src.close()
	number, err := src.audioTrack(track)
	if err != nil {
		return nil, err
	}
	format, err := src.format(track)
	if err != nil {
		return nil, err
	}
	first, end := gridPackets(src.timeline, n)
	adts := bytes.NewBuffer([]byte{}) // not nil, which would ask for an initialisation segment
	if end > first {
		seconds := func(packet int64) float64 { return float64(packet) * gridPacket / encodedRate }
		from := max(0, seconds(first-media.AudioLeadPackets)-sourceMargin)
		to := seconds(end+media.AudioTailPackets) + sourceMargin
		var elementary bytes.Buffer
		stretch, err := s.Packager.Elementary(ctx, src.in, src.index, number, from, to, &elementary)
		if err != nil {
			return nil, err
		}
		request := media.EncodeAudio{Source: &elementary, Stretch: stretch, Format: format, FirstPacket: first, Packets: int(end - first)}
		if err := s.Transcoder.EncodeAudio(ctx, request, adts); err != nil {
			return nil, err
		}
	}
	var segment bytes.Buffer
	if err := s.Packager.PackageAAC(format, adts.Bytes(), first, n+1, &segment); err != nil {
		return nil, err
	}
	if err := s.Blobs.Put(ctx, segmentKey(l, track, n), bytes.NewReader(segment.Bytes())); err != nil {
		s.Logger.WarnContext(ctx, "an encoded segment could not be cached", "file", l.file.ID, "error", err) // it is played all the same
	}
	return segment.Bytes(), nil
}

// encodeAhead makes the next segments while the player plays this one, unless it has left. It never takes the last place from somebody who waits.
func (s *Service) encodeAhead(ctx context.Context, l located, track, n int) {
	if ctx.Err() != nil {
		return
	}
	o, known := s.indexes.get(l.key())
	if !known {
		return
	}
	for next := n + 1; next <= n+ahead && next < len(o.timeline.Segments); next++ {
		if len(s.limits.running) >= cap(s.limits.running) && cap(s.limits.running) > 1 {
			return
		}
		s.background(ctx, aheadTimeout, func(ctx context.Context) {
			key := segmentKey(l, track, next)
			if blob, err := s.Blobs.Get(ctx, key); err == nil {
				blob.Close()
				return
			}
			_, err := s.encoding.Do(ctx, key, func(ctx context.Context) ([]byte, error) { return s.encode(ctx, l, track, next) })
			if err != nil && ctx.Err() == nil {
				s.Logger.DebugContext(ctx, "sound was not encoded ahead", "file", l.file.ID, "segment", next, "error", err)
			}
		})
	}
}

// background runs work that goes on when the request has ended, until its time is over or the service closes. It is false, and nothing runs,
// when the service has closed.
func (s *Service) background(ctx context.Context, timeout time.Duration, work func(ctx context.Context)) bool {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.closed {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	stop := context.AfterFunc(s.life, cancel)
	s.running.Go(func() {
		defer stop()
		defer cancel()
		work(ctx)
	})
	return true
}

// Close ends what runs in the background and waits for it. Requests afterwards are served without.
func (s *Service) Close() {
	s.closing.Lock()
	s.closed = true
	s.closing.Unlock()
	s.end()
	s.running.Wait()
}
