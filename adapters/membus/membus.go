// Package membus is a bus within one process: ports/bus for the all-in-one server.
package membus

import (
	"context"
	"slices"
	"sync"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
)

// Depth is how many messages a subscriber may lag behind before it loses the oldest.
const Depth = 256

// Bus delivers to every subscriber in this process, in the order of publishing.
type Bus struct {
	bus.Callers

	mu          sync.Mutex
	subscribers map[*subscriber]struct{}
}

type subscriber struct {
	topics []bus.Topic
	out    chan bus.Message
}

// New returns an empty bus.
func New() *Bus { return &Bus{subscribers: map[*subscriber]struct{}{}} }

// Publish delivers to current subscribers and never waits for them.
func (b *Bus) Publish(_ context.Context, messages ...bus.Message) error {
	for _, m := range messages {
		if len(m.Payload) > bus.MaxPayload {
			return fault.New(fault.TooLarge, bus.CodeTooLarge, "A bus message of %d bytes is over the limit of %d.", len(m.Payload), bus.MaxPayload)
		}
	}
	b.Call(messages...)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range messages {
		for s := range b.subscribers {
			if slices.Contains(s.topics, m.Topic) {
				s.send(bus.Message{Topic: m.Topic, Payload: slices.Clone(m.Payload)})
			}
		}
	}
	return nil
}

// send is called with the bus locked, so that it is the only sender: after dropping the oldest there is room.
func (s *subscriber) send(m bus.Message) {
	for {
		select {
		case s.out <- m:
			return
		default:
		}
		select {
		case <-s.out:
			m.Gap = true
		default:
		}
	}
}

// Subscribe returns messages from now on until ctx ends.
func (b *Bus) Subscribe(ctx context.Context, topics ...bus.Topic) (<-chan bus.Message, error) {
	s := &subscriber{topics: slices.Clone(topics), out: make(chan bus.Message, Depth)}
	b.mu.Lock()
	b.subscribers[s] = struct{}{}
	b.mu.Unlock()
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subscribers, s)
		close(s.out)
	})
	return s.out, nil
}
