package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/testkit/world/identity"
)

func wantCode(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Fatalf("got error %v, want %s with code %s", err, kind, code)
	}
}

func ids(t *testing.T, p *identity.Process, actor domain.Actor) map[domain.ID]bool {
	t.Helper()
	list, err := p.Sessions.List(t.Context(), actor)
	if err != nil {
		t.Fatal(err)
	}
	set := map[domain.ID]bool{}
	for _, s := range list {
		set[s.ID] = true
	}
	return set
}

func TestSessionsAreListedAndEndedByTheirOwnerOnly(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		p.User(t, "anna")
		p.User(t, "bert")
		a, b, c := p.SignIn(t, "anna"), p.SignIn(t, "anna"), p.SignIn(t, "anna")
		other := p.SignIn(t, "bert")
		if got := ids(t, p, a.Actor); len(got) != 3 || got[other.Session.ID] {
			t.Fatalf("got %v", got)
		}
		wantCode(t, p.Sessions.Revoke(ctx, other.Actor, a.Session.ID), fault.NotFound, "session.not_found")
		wantCode(t, p.Sessions.Revoke(ctx, other.Actor, domain.NewID()), fault.NotFound, "session.not_found")
		if err := p.Auth.Check(ctx, b.Actor, domain.PermissionSession); err != nil {
			t.Fatal(err)
		}
		if err := p.Sessions.Revoke(ctx, a.Actor, b.Session.ID); err != nil {
			t.Fatal(err)
		}
		wantCode(t, p.Auth.Check(ctx, b.Actor, domain.PermissionSession), fault.Unauthenticated, session.CodeEnded)
		if err := p.Sessions.RevokeAll(ctx, a.Actor, true); err != nil {
			t.Fatal(err)
		}
		wantCode(t, p.Auth.Check(ctx, c.Actor, domain.PermissionSession), fault.Unauthenticated, session.CodeEnded)
		if got := ids(t, p, a.Actor); len(got) != 1 || !got[a.Session.ID] {
			t.Fatalf("got %v", got)
		}
		if err := p.Sessions.RevokeAll(ctx, a.Actor, false); err != nil {
			t.Fatal(err)
		}
		wantCode(t, p.Auth.Check(ctx, a.Actor, domain.PermissionSession), fault.Unauthenticated, session.CodeEnded)
		if err := p.Auth.Check(ctx, other.Actor, domain.PermissionSession); err != nil {
			t.Error(err)
		}
		_, err := p.Sessions.List(ctx, domain.Actor{})
		wantCode(t, err, fault.Unauthenticated, "auth.required")
		wantCode(t, p.Sessions.Revoke(ctx, domain.Actor{}, a.Session.ID), fault.Unauthenticated, "auth.required")
		wantCode(t, p.Sessions.RevokeAll(ctx, domain.Actor{}, false), fault.Unauthenticated, "auth.required")
	})
}

func TestLastUseIsNotedOnceAMinute(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		p.User(t, "anna")
		in := p.SignIn(t, "anna")
		stored := func() domain.Session {
			t.Helper()
			_, s, err := p.Sessions.Authenticate(t.Context(), in.Session.ID)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		p.Clock.Add(time.Minute - time.Second)
		p.Sessions.Seen(t.Context(), stored(), "192.0.2.2", "other")
		if s := stored(); s.IP != "192.0.2.1" {
			t.Errorf("within the minute it was noted: %+v", s)
		}
		p.Clock.Add(time.Second)
		before := stored()
		p.Sessions.Seen(t.Context(), before, "192.0.2.2", "other\x00\xff")
		if s := stored(); s.IP != "192.0.2.2" || s.UserAgent != "other" || !s.LastSeenAt.Equal(domain.Stamp(p.Clock.Now())) {
			t.Errorf("after the minute it was not noted: %+v", s)
		}
		p.Sessions.Seen(t.Context(), before, "192.0.2.3", "a second request that knows the old state")
		if s := stored(); s.IP != "192.0.2.2" {
			t.Errorf("it was noted twice: %+v", s)
		}
	})
}

func TestDatabaseOutOfReachIsNotASignOut(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		p.User(t, "anna")
		in := p.SignIn(t, "anna")
		if err := p.Store.Close(); err != nil {
			t.Fatal(err)
		}
		_, _, err := p.Sessions.Authenticate(t.Context(), in.Session.ID)
		if err == nil || fault.KindOf(err) == fault.Unauthenticated {
			t.Errorf("got %v", err)
		}
		p.Clock.Add(time.Hour)
		p.Sessions.Seen(t.Context(), in.Session, "", "") // is logged and nothing more
	})
}

func TestDevicesAreNamedForTheirOwner(t *testing.T) {
	t.Parallel()
	for userAgent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                  "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":           "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                  "Chrome on Android",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15":                   "Safari on macOS",
		"VLC/3.0.20 LibVLC/3.0.20": "VLC", "curl/8.5.0": "curl", "Linux": "Linux", "": "Unknown device", "Firefox/1": "Firefox",
		strings.Repeat("漢", 400): strings.Repeat("漢", 13),
	} {
		if got := session.Device(userAgent); got != want {
			t.Errorf("%q: got %q, want %q", userAgent, got, want)
		}
	}
}
