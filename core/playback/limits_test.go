package playback_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/testkit/demo"
)

// held lets encoders wait until release is closed or their work is cancelled; began tells of each that waits.
func (c *cinema) held() (began chan struct{}, release chan struct{}) {
	began, release = make(chan struct{}, 100), make(chan struct{})
	hold := func(ctx context.Context) error {
		began <- struct{}{}
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c.encoder.hold.Store(&hold)
	return began, release
}

func (c *cinema) encoded(ctx context.Context, actor domain.Actor, f domain.File, n int) error {
	return c.service.AudioSegment(ctx, actor, f.ID, f.Revision, f.Media.Audio[0].Index, playback.StreamAAC, n, io.Discard)
}

func TestASegmentIsEncodedOnceForAll(t *testing.T) {
	t.Parallel()
	c := newCinema(t, func(d *playback.Deps) { d.Encodes, d.EncodesPerUser = 2, 50 })
	u := c.viewer("u")
	_, files := c.film("Film", demo.H264AC3MKV)
	began, release := c.held()
	var all sync.WaitGroup
	ask := func() {
		if err := c.encoded(t.Context(), u, files[0], 2); err != nil {
			t.Error(err)
		}
	}
	all.Go(ask)
	<-began
	for range 5 {
		all.Go(ask)
	}
	close(release)
	all.Wait()
	if n := c.encoder.encodes.Load(); n != 1 {
		t.Errorf("encoded %d times", n)
	}
}

func TestTheNextSegmentsAreEncodedAhead(t *testing.T) {
	t.Parallel()
	c := newCinema(t, func(d *playback.Deps) { d.Encodes = 4 })
	u := c.viewer("u")
	_, files := c.film("Film", demo.H264AC3MKV)
	if err := c.encoded(t.Context(), u, files[0], 0); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for c.encoder.encodes.Load() < 3 {
		if time.Now().After(deadline) {
			t.Fatalf("%d segments were encoded", c.encoder.encodes.Load())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestEncodingIsLimitedForEachUserAndInAll(t *testing.T) {
	t.Parallel()
	c := newCinema(t, func(d *playback.Deps) { d.Encodes, d.EncodesPerUser = 1, 2 })
	_, files := c.film("Film", demo.H264AC3MKV)
	viewers := []domain.Actor{c.viewer("a"), c.viewer("b"), c.viewer("c"), c.viewer("d")}
	// The index is made before anything is encoded, so that every request below gets as far as the limit.
	if _, err := c.service.AudioPlaylist(t.Context(), viewers[0], files[0].ID, files[0].Revision, files[0].Media.Audio[0].Index, ""); err != nil {
		t.Fatal(err)
	}
	_, release := c.held()
	results := make(chan error, 100)
	asked := 0
	for _, v := range viewers {
		for n := range 3 {
			asked++
			go func() { results <- c.encoded(t.Context(), v, files[0], n%2) }()
		}
	}
	// 4 users with 2 places each, but 5 places in all: at least 7 of 12 are refused at once.
	codes := map[string]int{}
	for range asked - 5 {
		err := <-results
		if err == nil || fault.KindOf(err) != fault.Unavailable || fault.As(err).RetryAfter <= 0 {
			t.Fatalf("over the limit: %v", err)
		}
		codes[fault.CodeOf(err)]++
	}
	close(release)
	for range 5 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if codes["playback.user_limit"]+codes["playback.busy"] != asked-5 {
		t.Errorf("refusals %v", codes)
	}
	if err := c.encoded(t.Context(), viewers[0], files[0], 0); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestEncodingEndsWhenNobodyWaits(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u := c.viewer("u")
	_, files := c.film("Film", demo.H264AC3MKV)
	cancelled := make(chan struct{})
	began := make(chan struct{})
	hold := func(ctx context.Context) error {
		close(began)
		<-ctx.Done()
		close(cancelled)
		return ctx.Err()
	}
	c.encoder.hold.Store(&hold)
	ctx, leave := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- c.encoded(ctx, u, files[0], 2) }() // the last segment: nothing is encoded ahead
	<-began
	leave()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left got %v", err)
	}
	<-cancelled
}

func token(t *testing.T, plan playback.Plan) string {
	t.Helper()
	_, token, ok := strings.Cut(plan.Selected.Parts[0].URL, "token=")
	if !ok {
		t.Fatalf("there is no token in %q", plan.Selected.Parts[0].URL)
	}
	return token
}

func TestStreamTokens(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u := c.viewer("u")
	id, files := c.film("Film", demo.H264AAC)
	_, others := c.film("Other", demo.H264MKV)
	path := "/api/v1/stream/" + files[0].ID.String() + "/" + files[0].Revision + "/direct"
	issue := func() string {
		return token(t, c.plan(u, id, func(r *playback.Request) { r.URLToken = true }))
	}
	check := func(token, path string) error {
		actor, session, err := c.service.AuthenticateToken(t.Context(), token, path)
		if err == nil && (actor.UserID != u.UserID || session.ID != u.SessionID) {
			t.Errorf("the token stands for %+v", actor)
		}
		return err
	}
	refused := func(what, token, path string) {
		t.Helper()
		if err := check(token, path); err == nil || fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %v", what, err)
		}
	}
	good := issue()
	if err := check(good, path); err != nil {
		t.Fatal(err)
	}
	for range 8 { // used now and then it lives on
		c.pass(4 * time.Minute)
		if err := check(good, path); err != nil {
			t.Fatal(err)
		}
	}
	refused("another film", good, "/api/v1/stream/"+others[0].ID.String()+"/x/direct")
	refused("no file", good, "/api/v1/stream/"+domain.NewID().String()+"/x/direct")
	refused("the API", good, "/api/v1/movies")
	refused("no path of a file", good, "/api/v1/stream/x")
	refused("nothing", "", path)
	refused("another byte", good[:len(good)-2]+"AA", path)
	late := issue()
	c.pass(6 * time.Minute)
	refused("first used too late", late, path)
	swapped := c.viewer("v")
	other := token(t, c.plan(swapped, id, func(r *playback.Request) { r.URLToken = true }))
	if actor, _, err := c.service.AuthenticateToken(t.Context(), other, path); err != nil || actor.UserID != swapped.UserID {
		t.Errorf("another user's token: %+v, %v", actor, err)
	}
	fresh := issue()
	c.end(u.SessionID)
	refused("logged out", fresh, path)
}
