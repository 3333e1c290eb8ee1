package dragonfly

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
)

// Bus is ports/bus over all processes. Subscribers of this process get its messages without the server, so that it hears of its own changes while the
// server is away. After the connection was lost, here or at who publishes, subscribers are told of a gap.
type Bus struct {
	bus.Callers

	conn  *Conn
	heard atomic.Int64 // when the server last passed something on, in nanoseconds since the start
	begin time.Time
	first chan struct{} // closed when the subscription stands for the first time

	mu          sync.Mutex
	subscribers map[*subscriber]struct{}
}

type subscriber struct {
	topics []bus.Topic
	out    chan bus.Message
}

var _ bus.Bus = (*Bus)(nil)

const (
	// channel carries all messages, so that they come in one order.
	channel = "bus"
	// depth is how many messages a subscriber may lag behind before it loses the oldest.
	depth = 256
	// beat is how often the bus sends itself something; after silence the subscription is made anew.
	beat    = 500 * time.Millisecond
	silence = 4 * beat
)

// kind says what an envelope holds.
type kind byte

const (
	message   kind = 'm'
	lost      kind = 'l' // its sender could not publish what it should have
	heartbeat kind = 'h'
)

func newBus(c *Conn) *Bus {
	return &Bus{conn: c, begin: time.Now(), first: make(chan struct{}), subscribers: map[*subscriber]struct{}{}}
}

// Bus returns the server as a bus.
func (c *Conn) Bus() *Bus { return c.bus }

// Publish implements bus.Bus. An error says that other processes were not told; they will be told of a gap.
func (b *Bus) Publish(ctx context.Context, messages ...bus.Message) error {
	for _, m := range messages {
		if len(m.Payload) > bus.MaxPayload {
			return fault.New(fault.TooLarge, bus.CodeTooLarge, "A bus message of %d bytes is over the limit of %d.", len(m.Payload), bus.MaxPayload)
		}
	}
	if len(messages) == 0 {
		return nil
	}
	b.Call(messages...)
	envelopes := make([]string, len(messages))
	for i, m := range messages {
		b.deliver(bus.Message{Topic: m.Topic, Payload: m.Payload})
		envelopes[i] = b.envelope(message, m.Topic, m.Payload)
	}
	_, err := call(ctx, b.conn, telling, func(ctx context.Context, r rueidis.Client) (struct{}, error) {
		commands := make(rueidis.Commands, len(envelopes))
		for i, e := range envelopes {
			commands[i] = r.B().Publish().Channel(b.conn.key(channel)).Message(e).Build()
		}
		for _, result := range r.DoMulti(ctx, commands...) {
			if err := result.Error(); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// Subscribe implements bus.Bus.
func (b *Bus) Subscribe(ctx context.Context, topics ...bus.Topic) (<-chan bus.Message, error) {
	s := &subscriber{topics: slices.Clone(topics), out: make(chan bus.Message, depth)}
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

// deliver hands a message, or without a topic a gap, to this process's subscribers and never waits for them.
func (b *Bus) deliver(m bus.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subscribers {
		if m.Topic == "" || slices.Contains(s.topics, m.Topic) {
			s.send(bus.Message{Topic: m.Topic, Payload: slices.Clone(m.Payload), Gap: m.Gap})
		}
	}
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

// envelope is what the server carries: the sender's id, the kind, the topic with its length before it, the payload.
func (b *Bus) envelope(k kind, topic bus.Topic, payload []byte) string {
	e := append([]byte(b.conn.id), byte(k))
	e = binary.AppendUvarint(e, uint64(len(topic)))
	return string(append(append(e, topic...), payload...))
}

// open takes what the server carried.
func (b *Bus) open(e string) {
	if len(e) <= len(b.conn.id) {
		return
	}
	sender, k, rest := e[:len(b.conn.id)], kind(e[len(b.conn.id)]), e[len(b.conn.id)+1:]
	switch own := sender == b.conn.id; {
	case own:
		b.alive()
	case k == lost:
		b.deliver(bus.Message{Gap: true})
	case k == message:
		length, n := binary.Uvarint([]byte(rest))
		if n <= 0 || uint64(len(rest)-n) < length {
			return
		}
		topic, payload := rest[n:n+int(length)], rest[n+int(length):] //nolint:gosec // bounded by len(rest)
		b.deliver(bus.Message{Topic: bus.Topic(strings.Clone(topic)), Payload: []byte(payload)})
	}
}

func (b *Bus) alive() { b.heard.Store(int64(time.Since(b.begin))) }

// wait returns when the subscription stands for the first time.
func (b *Bus) wait(ctx context.Context) {
	select {
	case <-b.first:
	case <-ctx.Done():
	}
}

// receive keeps the subscription until the connection is closed.
func (b *Bus) receive() {
	stands := func() { close(b.first) }
	for pause := time.Duration(0); b.conn.ctx.Err() == nil; pause = min(2*pause+25*time.Millisecond, time.Second) {
		select {
		case <-time.After(pause):
		case <-b.conn.ctx.Done():
			return
		}
		client := b.conn.connected.Load()
		if client == nil {
			continue
		}
		err := b.receiveOn(*client, func() {
			pause = 0
			stands()
			stands = func() { b.conn.opts.Logger.Info("the bus is connected again") }
			b.deliver(bus.Message{Gap: true}) // whatever was published while there was no subscription
		})
		if b.conn.ctx.Err() == nil {
			b.conn.opts.Logger.Debug("the bus lost its connection", "error", err)
		}
	}
}

// receiveOn subscribes on a connection of its own and returns when that ends or has fallen silent.
func (b *Bus) receiveOn(client rueidis.Client, stands func()) error {
	own, free := client.Dedicate()
	ended := own.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: func(m rueidis.PubSubMessage) { b.open(m.Message) }})
	// Closing waits for calls under way, which on a suspended server end with their connection's timeout.
	defer func() { go func() { own.Close(); free() }() }()
	subscribed := make(chan error, 1)
	go func() {
		subscribed <- own.Do(b.conn.ctx, own.B().Subscribe().Channel(b.conn.key(channel)).Build()).Error()
	}()
	select {
	case err := <-subscribed:
		if err != nil {
			return err
		}
	case <-time.After(b.conn.opts.ConnectTimeout):
		return context.DeadlineExceeded
	case <-b.conn.ctx.Done():
		return b.conn.ctx.Err()
	}
	b.alive()
	stands()
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-b.conn.ctx.Done():
			return b.conn.ctx.Err()
		case <-ticker.C:
		}
		if time.Since(b.begin)-time.Duration(b.heard.Load()) > silence {
			return context.DeadlineExceeded
		}
		_, _ = call(b.conn.ctx, b.conn, asking, func(ctx context.Context, r rueidis.Client) (struct{}, error) {
			return struct{}{}, r.Do(ctx, r.B().Publish().Channel(b.conn.key(channel)).Message(b.envelope(heartbeat, "", nil)).Build()).Error()
		})
	}
}
