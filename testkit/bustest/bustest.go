// Package bustest holds every adapter of ports/bus to its contract.
package bustest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/revenge-media/revenge/ports/bus"
)

// Run runs the suite; open returns a fresh, empty bus for each subtest.
func Run(t *testing.T, open func(t *testing.T) bus.Bus) {
	t.Run("EverySubscriberGetsItsTopicsInOrder", func(t *testing.T) {
		b := open(t)
		one, both := subscribe(t, b, "a"), subscribe(t, b, "a", "b")
		publish(t, b, bus.Message{Topic: "a", Payload: []byte("1")}, bus.Message{Topic: "b", Payload: []byte("2")}, bus.Message{Topic: "a", Payload: []byte("3")})
		expect(t, one, "1", "3")
		expect(t, both, "1", "2", "3")
	})
	t.Run("NothingFromBeforeTheSubscription", func(t *testing.T) {
		b := open(t)
		publish(t, b, bus.Message{Topic: "a", Payload: []byte("early")})
		late := subscribe(t, b, "a")
		publish(t, b, bus.Message{Topic: "a", Payload: []byte("late")})
		expect(t, late, "late")
	})
	t.Run("TheChannelClosesWithItsContext", func(t *testing.T) {
		b := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		c, err := b.Subscribe(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		deadline := time.After(5 * time.Second)
		for {
			select {
			case _, open := <-c:
				if !open {
					publish(t, b, bus.Message{Topic: "a"})
					return
				}
			case <-deadline:
				t.Fatal("the channel is still open")
			}
		}
	})
	t.Run("ASlowSubscriberBlocksNobodyAndKeepsTheNewest", func(t *testing.T) {
		b := open(t)
		slow := subscribe(t, b, "a")
		const sent = 5000
		for i := range sent {
			publish(t, b, bus.Message{Topic: "a", Payload: fmt.Append(nil, i)})
		}
		publish(t, b, bus.Message{Topic: "a", Payload: []byte("last")})
		deadline := time.After(5 * time.Second)
		for gap := false; ; {
			select {
			case m := <-slow:
				gap = gap || m.Gap
				if string(m.Payload) == "last" {
					if !gap {
						t.Error("nothing told it that it lost some")
					}
					return
				}
			case <-deadline:
				t.Fatal("the newest message was lost")
			}
		}
	})
	t.Run("WhoIsCalledAheadHearsBeforePublishReturns", func(t *testing.T) {
		b := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		later, heard := subscribe(t, b, "a"), []string{}
		b.Ahead(ctx, func(m bus.Message) {
			if string(m.Payload) == "1" && len(later) > 0 {
				t.Error("a subscriber was told first")
			}
			heard = append(heard, string(m.Payload))
		}, "a", "c")
		publish(t, b, bus.Message{Topic: "a", Payload: []byte("1")}, bus.Message{Topic: "b", Payload: []byte("2")})
		publish(t, b, bus.Message{Topic: "c", Payload: []byte("3")})
		if got := fmt.Sprint(heard); got != "[1 3]" {
			t.Errorf("heard %s when Publish returned", got)
		}
		expect(t, later, "1")
		cancel()
		for deadline := time.Now().Add(5 * time.Second); ; {
			before := len(heard)
			publish(t, b, bus.Message{Topic: "a", Payload: []byte("4")})
			if len(heard) == before {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("it is called after its context has ended")
			}
		}
	})
	t.Run("AnOversizedMessageIsRefused", func(t *testing.T) {
		if err := open(t).Publish(t.Context(), bus.Message{Topic: "a", Payload: make([]byte, 4<<10+1)}); err == nil {
			t.Fatal("4 KiB + 1 byte were taken")
		}
	})
}

// RunShared holds buses of several processes to what they promise together; open returns two that are connected, fresh for each subtest.
func RunShared(t *testing.T, open func(t *testing.T) (a, b bus.Bus)) {
	t.Run("WhatOnePublishesTheOtherGetsInOrder", func(t *testing.T) {
		a, b := open(t)
		here, there, other := subscribe(t, a, "a", "b"), subscribe(t, b, "a", "b"), subscribe(t, b, "c")
		publish(t, a, bus.Message{Topic: "a", Payload: []byte("1")}, bus.Message{Topic: "b", Payload: []byte{0, 255, '\n'}})
		publish(t, a, bus.Message{Topic: "a"}, bus.Message{Topic: "c", Payload: []byte("end")})
		for _, c := range []<-chan bus.Message{here, there} {
			expect(t, c, "1", "\x00\xff\n", "")
		}
		expect(t, other, "end")
		publish(t, b, bus.Message{Topic: "a", Payload: []byte("back")})
		expect(t, here, "back") // and "1" came once: what a process published does not come back to it
		expect(t, there, "back")
	})
}

func subscribe(t *testing.T, b bus.Bus, topics ...bus.Topic) <-chan bus.Message {
	t.Helper()
	c, err := b.Subscribe(t.Context(), topics...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func publish(t *testing.T, b bus.Bus, m ...bus.Message) {
	t.Helper()
	if err := b.Publish(t.Context(), m...); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, c <-chan bus.Message, payloads ...string) {
	t.Helper()
	for _, want := range payloads {
		select {
		case m := <-c:
			if string(m.Payload) != want {
				t.Fatalf("got %q, want %q", m.Payload, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%q did not arrive", want)
		}
	}
}
