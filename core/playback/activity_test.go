package playback

import (
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

func TestActivityCountsWhatPlayedWithinTheLastMinute(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := New(Deps{Now: func() time.Time { return now }})
	defer s.Close()
	anna, ben := domain.Actor{SessionID: domain.NewID()}, domain.Actor{SessionID: domain.NewID()}
	film, other := domain.NewID(), domain.NewID()
	s.plays.seen(anna, film, MethodAudioEncode, now)
	s.plays.seen(anna, film, MethodRemux, now) // its picture: still one stream, whose sound is encoded
	s.plays.seen(ben, film, MethodDirect, now.Add(-activeFor))
	s.plays.seen(ben, other, MethodDirect, now)
	a := s.Activity()
	if a.Streams[MethodAudioEncode] != 1 || a.Streams[MethodRemux] != 0 || a.Streams[MethodDirect] != 1 || a.Encodes != 0 {
		t.Fatalf("%+v", a)
	}
	now = now.Add(activeFor)
	if a := s.Activity(); a.Streams[MethodAudioEncode]+a.Streams[MethodDirect] != 0 {
		t.Fatalf("%+v a minute later", a)
	}
}
