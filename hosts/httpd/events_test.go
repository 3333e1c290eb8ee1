package httpd_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// event is one server-sent event; name is "" for a comment.
type event struct{ name, data string }

// events opens the stream and returns what comes out of it. The channel closes with the stream.
func events(t *testing.T, s *world.Server, c world.Client) <-chan event {
	t.Helper()
	answer, err := s.HTTP.Do(c.Request(t, http.MethodGet, "/api/v1/admin/events", nil))
	if err != nil {
		t.Fatal(err)
	}
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/event-stream") {
		t.Fatalf("%d %s", answer.StatusCode, kind)
	}
	out := make(chan event, 10_000)
	go func() {
		defer close(out)
		defer answer.Body.Close()
		var e event
		lines := bufio.NewScanner(answer.Body)
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ":")
			value = strings.TrimPrefix(value, " ")
			switch {
			case lines.Text() == "" && e != (event{}):
				out <- e
				e = event{}
			case field == "event":
				e.name = value
			case field == "data":
				e.data += value
			case field == "" && value != "":
				out <- event{data: value}
			}
		}
	}()
	return out
}

func next(t *testing.T, stream <-chan event, what string) (event, bool) {
	t.Helper()
	select {
	case e, open := <-stream:
		return e, open
	case <-time.After(world.Patience):
		t.Fatalf("waited in vain for %s", what)
		return event{}, false
	}
}

func TestTheProgressOfAScanIsHeardWhileItRuns(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	s := w.Serve(t)
	dir := t.TempDir()
	world.Film(t, dir, "Alien (1979)", demo.H264AAC)
	stream := events(t, s, s.Admin(t))
	l := w.Library(t, dir)
	stages, changed := map[domain.ScanStage]bool{}, false
	for {
		e, open := next(t, stream, "the end of the scan")
		if !open {
			t.Fatal("the stream ended before the scan")
		}
		switch e.name {
		case "movies":
			var m httpd.MoviesChanged
			if err := json.Unmarshal([]byte(e.data), &m); err != nil || m.LibraryID != l.ID {
				t.Fatalf("%s: %v", e.data, err)
			}
			changed = true
			continue
		case "scan":
		default:
			continue
		}
		var scan domain.Scan
		if err := json.Unmarshal([]byte(e.data), &scan); err != nil || scan.LibraryID != l.ID {
			t.Fatalf("%s: %v", e.data, err)
		}
		stages[scan.Stage] = true
		if scan.Active() {
			continue
		}
		if scan.State != domain.ScanDone || scan.Found != 1 || scan.Read != 1 || scan.Matched != 1 {
			t.Errorf("it ended as %+v", scan)
		}
		break
	}
	if !changed || len(stages) < 2 {
		t.Errorf("heard of stages %v, and that films changed: %v", stages, changed)
	}
}

// A scan that ended before the subscription stood is told all the same: nobody waits for an event that is over.
func TestAnEventStreamBeginsWithWhereEveryLibraryStands(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	s := w.Serve(t)
	dir := t.TempDir()
	world.Film(t, dir, "Alien (1979)", demo.H264AAC)
	l := w.Library(t, dir)
	w.ScanUntilDone(t, l.ID)
	e, open := next(t, events(t, s, s.Admin(t)), "the latest scan")
	var scan domain.Scan
	if !open || e.name != "scan" || json.Unmarshal([]byte(e.data), &scan) != nil || scan.LibraryID != l.ID || scan.State != domain.ScanDone {
		t.Errorf("it began with %+v", e)
	}
}

func TestAnEventStreamShowsThatItLivesAndEndsWithItsSession(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t, world.HTTPConfig(func(c *httpd.Config) { c.Heartbeat = 20 * time.Millisecond }))
	stream := events(t, s, s.Admin(t))
	if e, open := next(t, stream, "a sign of life"); !open || e.name != "" {
		t.Fatalf("%+v %v", e, open)
	}
	if err := w.Sessions.Revoke(t.Context(), w.Admin(t).Actor, w.Admin(t).Session.ID); err != nil {
		t.Fatal(err)
	}
	for {
		if _, open := next(t, stream, "the end of the stream"); !open {
			return
		}
	}
}
