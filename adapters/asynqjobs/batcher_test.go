package asynqjobs

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

// held is a batcher whose calls wait until they are let go.
func held(most int) (b *batcher[int, int], calls chan []int, letGo chan error) {
	calls, letGo = make(chan []int), make(chan error)
	return &batcher[int, int]{most: most, do: func(in []int) ([]int, error) {
		calls <- slices.Clone(in)
		err := <-letGo
		out := make([]int, len(in))
		for i, n := range in {
			out[i] = 10 * n
		}
		return out, err
	}}, calls, letGo
}

// waits returns when so many wait for the next call.
func (b *batcher[In, Out]) waits(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		waiting := len(b.waiting)
		b.mu.Unlock()
		if waiting == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d wait, not %d", waiting, n)
		}
	}
}

func TestWhatComesWhileACallRunsSharesTheNext(t *testing.T) {
	t.Parallel()
	b, calls, letGo := held(3)
	var group sync.WaitGroup
	ask := func(n int) {
		group.Go(func() {
			if out, err := b.call(t.Context(), n); out != 10*n || err != nil {
				t.Errorf("%d is answered %d, %v", n, out, err)
			}
		})
	}
	ask(1)
	if first := <-calls; !slices.Equal(first, []int{1}) { // alone, without waiting for others
		t.Fatalf("the first call is of %v", first)
	}
	for n := range 4 {
		ask(n + 2)
		b.waits(t, n+1)
	}
	letGo <- nil
	if second := <-calls; !slices.Equal(second, []int{2, 3, 4}) { // as many as a call may have
		t.Errorf("the second call is of %v", second)
	}
	letGo <- nil
	if third := <-calls; !slices.Equal(third, []int{5}) {
		t.Errorf("the third call is of %v", third)
	}
	letGo <- nil
	group.Wait()
}

func TestACallsErrorIsEverybodysAndNoLater(t *testing.T) {
	t.Parallel()
	b, calls, letGo := held(10)
	failure := errors.New("refused")
	answers := make(chan error, 3)
	ask := func(n int) {
		go func() {
			_, err := b.call(t.Context(), n)
			answers <- err
		}()
	}
	ask(1)
	<-calls
	ask(2)
	b.waits(t, 1)
	ask(3)
	b.waits(t, 2)
	letGo <- nil
	if err := <-answers; err != nil {
		t.Error(err)
	}
	<-calls
	letGo <- failure
	for range 2 {
		if err := <-answers; !errors.Is(err, failure) {
			t.Errorf("it failed, and one is told %v", err)
		}
	}
	ask(4)
	<-calls
	letGo <- nil
	if err := <-answers; err != nil {
		t.Errorf("the next is told %v", err)
	}
}

func TestWhoWaitsNoLongerIsLeftOut(t *testing.T) {
	t.Parallel()
	b, calls, letGo := held(10)
	go func() { _, _ = b.call(t.Context(), 1) }()
	<-calls
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := b.call(ctx, 2)
		gone <- err
	}()
	b.waits(t, 1)
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up is told %v", err)
	}
	go func() { _, _ = b.call(t.Context(), 3) }()
	b.waits(t, 1)
	letGo <- nil
	if second := <-calls; !slices.Equal(second, []int{3}) {
		t.Errorf("the next call is of %v", second)
	}
	letGo <- nil
}

func TestACallWaitsForTheOthersThatMayCome(t *testing.T) {
	t.Parallel()
	b, calls, letGo := held(10)
	b.others, b.patience = func() int { return 3 }, time.Hour
	for n := range 3 {
		b.send(n + 1)
		if n < 2 {
			b.waits(t, n+1)
		}
	}
	if first := <-calls; !slices.Equal(first, []int{1, 2, 3}) {
		t.Errorf("the first call is of %v", first)
	}
	letGo <- nil
	b.wait() // nobody waits for an hour where nobody is
	b.patience = time.Nanosecond
	b.send(4)
	if second := <-calls; !slices.Equal(second, []int{4}) {
		t.Errorf("the second call is of %v", second)
	}
	letGo <- nil
	b.wait()
}

func TestThereAreAsManyCallsAtOnceAsLanes(t *testing.T) {
	t.Parallel()
	b, calls, letGo := held(10)
	b.lanes = 2
	b.send(1)
	first := <-calls
	b.send(2)
	second := <-calls
	b.send(3, 4)
	b.waits(t, 2)
	letGo <- nil
	third := <-calls
	letGo <- nil
	letGo <- nil
	b.wait()
	if !slices.Equal(first, []int{1}) || !slices.Equal(second, []int{2}) || !slices.Equal(third, []int{3, 4}) {
		t.Errorf("the calls are of %v, %v and %v", first, second, third)
	}
}
