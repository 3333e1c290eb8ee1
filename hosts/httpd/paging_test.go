package httpd_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/world"
)

// TestPagesOverHTTPHaveEachFilmThatStayedOnce walks a list while films come and go, and gives cursors where they do not belong.
func TestPagesOverHTTPHaveEachFilmThatStayedOnce(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s, dir := w.Serve(t), t.TempDir()
	l, at := w.Library(t, dir), domain.Stamp(time.Now())
	save := func(ctx context.Context, title string) (domain.ID, error) {
		m := domain.Movie{ID: domain.NewID(), LibraryID: l.ID, Title: title, SortTitle: title, Available: true, AddedAt: at, UpdatedAt: at, MetadataSource: "name"}
		m.Identity = domain.MovieIdentity(m.ID, 0, "")
		return m.ID, w.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return tx.Movies.Save(ctx, m) })
	}
	stays := map[string]int{}
	for i := range 24 {
		id, err := save(t.Context(), strings.Repeat("Ä same "+fmt.Sprint(i%3), 100))
		if err != nil {
			t.Fatal(err)
		}
		stays[id.String()] = 0
	}
	page := func(query url.Values) world.Response { return s.User(t).Get(t, "/movies?"+query.Encode()) }
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	defer writing.Wait()
	defer stop()
	wrote := make(chan struct{}, 1)
	writing.Go(func() {
		for ctx.Err() == nil {
			id, err := save(ctx, "Ä same 1")
			if err == nil {
				err = w.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return tx.Movies.Delete(ctx, id) })
			}
			if err != nil && ctx.Err() == nil {
				t.Errorf("writing: %v", err)
			}
			select {
			case wrote <- struct{}{}:
			default:
			}
		}
	})
	query, first := url.Values{"limit": {"5"}, "sort": {"-title"}}, ""
	for range 1000 {
		got := world.Decode[domain.Page[domain.MovieItem]](t, page(query), http.StatusOK)
		for _, m := range got.Items {
			if n, ok := stays[m.ID.String()]; ok {
				stays[m.ID.String()] = n + 1
			}
		}
		if got.NextCursor == "" {
			break
		}
		if first == "" {
			first = got.NextCursor
		}
		query.Set("cursor", got.NextCursor)
		<-wrote
	}
	for id, n := range stays {
		if n != 1 {
			t.Errorf("%s stands in %d pages", id, n)
		}
	}
	for name, q := range map[string]url.Values{
		"another sort": {"sort": {"-year"}, "cursor": {first}}, "another direction": {"cursor": {first}}, "another filter": {"sort": {"-title"}, "q": {"same"}, "cursor": {first}},
		"a forged one": {"sort": {"-title"}, "cursor": {first[:len(first)-3] + "AAA"}}, "half of one": {"sort": {"-title"}, "cursor": {first[:len(first)/2]}}, "none": {"cursor": {"%"}},
	} {
		if got := page(q); got.Status != http.StatusUnprocessableEntity || got.Problem(t).Code != store.CodeBadCursor {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
}
