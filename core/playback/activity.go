package playback

import (
	"maps"
	"sync"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

// activeFor is how long after its last byte a stream counts as one that plays.
const activeFor = time.Minute

// Activity is what plays now: for operators, not for decisions.
type Activity struct {
	// Streams counts what a session plays of a file, by the dearest method of its parts.
	Streams map[Method]int
	// Encodes counts encoded segments that somebody waits for.
	Encodes int
}

type playing struct{ credential, file domain.ID }

type lastSeen struct {
	method Method
	at     time.Time
}

// activity remembers what was asked for within the last minute.
type activity struct {
	mu    sync.Mutex
	plays map[playing]lastSeen
}

func (a *activity) seen(actor domain.Actor, file domain.ID, method Method, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.plays == nil {
		a.plays = map[playing]lastSeen{}
	}
	key := playing{actor.Credential(), file}
	if before, ok := a.plays[key]; ok && now.Sub(before.at) < activeFor && before.method.rank() > method.rank() {
		method = before.method // its picture is copied while its sound is encoded
	}
	a.plays[key] = lastSeen{method, now}
	if len(a.plays) > 1024 {
		a.forget(now)
	}
}

func (a *activity) forget(now time.Time) {
	maps.DeleteFunc(a.plays, func(_ playing, s lastSeen) bool { return now.Sub(s.at) >= activeFor })
}

// Activity counts what plays now in this process.
func (s *Service) Activity() Activity {
	s.plays.mu.Lock()
	defer s.plays.mu.Unlock()
	s.plays.forget(s.Now())
	found := Activity{Streams: map[Method]int{MethodDirect: 0, MethodRemux: 0, MethodAudioEncode: 0}}
	for _, p := range s.plays.plays {
		found.Streams[p.method]++
	}
	s.limits.mu.Lock()
	defer s.limits.mu.Unlock()
	found.Encodes = s.limits.all
	return found
}
