package bus

import (
	"context"
	"slices"
	"sync"
)

// Callers are those of Bus.Ahead, for adapters to embed. The zero value has none.
type Callers struct {
	mu    sync.RWMutex
	calls []*call
}

type call struct {
	topics []Topic
	fn     func(Message)
}

// Ahead implements Bus.
func (a *Callers) Ahead(ctx context.Context, fn func(Message), topics ...Topic) {
	c := &call{topics: slices.Clone(topics), fn: fn}
	a.mu.Lock()
	a.calls = append(a.calls, c)
	a.mu.Unlock()
	context.AfterFunc(ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.calls = slices.DeleteFunc(slices.Clone(a.calls), func(other *call) bool { return other == c })
	})
}

// Call is for Publish, before it tells anybody else.
func (a *Callers) Call(messages ...Message) {
	a.mu.RLock()
	calls := a.calls
	a.mu.RUnlock()
	for _, m := range messages {
		for _, c := range calls {
			if slices.Contains(c.topics, m.Topic) {
				c.fn(m)
			}
		}
	}
}
