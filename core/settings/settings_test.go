package settings_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/aesgcm"
	"github.com/revenge-media/revenge/adapters/casbin"
	"github.com/revenge-media/revenge/adapters/membus"
	"github.com/revenge-media/revenge/adapters/otter"
	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/ports/store"
)

// process is a server's settings over a store and a bus that others share.
func process(t *testing.T, s *sqlstore.Store, bus *membus.Bus, fallback map[string]any) *settings.Service {
	t.Helper()
	memory, err := otter.Open(t.Context(), otter.Config{})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := aesgcm.New(bytes.Repeat([]byte{1}, aesgcm.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	may := access.New(access.Deps{Store: s, Policy: casbin.New(casbin.Config{Source: s.Read().Roles}), Cache: memory, Bus: bus, Logger: logger})
	p := settings.New(settings.Deps{Store: s, Access: may, Sealer: sealer, Cache: memory, Bus: bus, Now: time.Now, Logger: logger, Fallback: fallback})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.Listen(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return p
}

// each runs fn on every database with a first process.
func each(t *testing.T, fn func(t *testing.T, s *sqlstore.Store, bus *membus.Bus, p *settings.Service)) {
	sqlstoretest.Each(t, func(t *testing.T, open func(testing.TB, sqlstore.Config) *sqlstore.Store) {
		bus := membus.New()
		s := open(t, sqlstore.Config{Publisher: bus})
		fn(t, s, bus, process(t, s, bus, nil))
	})
}

func values(t *testing.T, pairs ...any) map[string]json.RawMessage {
	t.Helper()
	all := map[string]json.RawMessage{}
	for i := 0; i < len(pairs); i += 2 {
		data, err := json.Marshal(pairs[i+1])
		if err != nil {
			t.Fatal(err)
		}
		all[pairs[i].(string)] = data
	}
	return all
}

func get[T any](t *testing.T, p *settings.Service, key settings.Key[T]) T {
	t.Helper()
	v, err := settings.Get(t.Context(), p, key)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func set(t *testing.T, p *settings.Service, pairs ...any) settings.View {
	t.Helper()
	v, err := p.Update(t.Context(), domain.SystemActor(), nil, values(t, pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAChangeIsSeenByEveryProcessWithinItsTime(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *sqlstore.Store, bus *membus.Bus, one *settings.Service) {
		for name, other := range map[string]*settings.Service{"over the bus": process(t, s, bus, nil), "with the bus lost": process(t, s, membus.New(), nil)} {
			if got := get(t, other, settings.MailPort); got != 587 && got != 2500 {
				t.Fatalf("%s: %d", name, got)
			}
			set(t, one, "mail.port", 2525)
			if got := get(t, one, settings.MailPort); got != 2525 {
				t.Errorf("who changed it sees %d", got)
			}
			start := time.Now()
			for get(t, other, settings.MailPort) != 2525 {
				if time.Since(start) > 5*time.Second {
					t.Fatalf("%s: not seen within 5 s", name)
				}
				time.Sleep(5 * time.Millisecond)
			}
			set(t, other, "mail.port", 2500)
			if got := get(t, other, settings.MailPort); got != 2500 {
				t.Errorf("%s: who changed it sees %d", name, got)
			}
			for get(t, one, settings.MailPort) != 2500 {
				time.Sleep(5 * time.Millisecond)
			}
		}
	})
}

func TestManyAreChangedTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *sqlstore.Store, _ *membus.Bus, p *settings.Service) {
		_, err := p.Update(t.Context(), domain.SystemActor(), nil, values(t, "server.name", "Kino", "mail.port", 0, "no.such", 1))
		f := fault.As(err)
		if fault.CodeOf(err) != settings.CodeInvalid || f.Kind != fault.Invalid || len(f.Fields) != 2 || f.Fields[0].Path != "mail.port" || f.Fields[1].Path != "no.such" {
			t.Fatalf("got %+v", err)
		}
		if got := get(t, p, settings.ServerName); got != "Revenge" {
			t.Errorf("half of it is set: %s", got)
		}
		set(t, p, "server.name", "Kino", "api.allowKeyInQuery", true, "auth.mfaRequiredRoles", []string{"admin", "legacy:read"})
		if !get(t, p, settings.AllowKeyInQuery) || get(t, p, settings.ServerName) != "Kino" || len(get(t, p, settings.MFARequiredRoles)) != 2 {
			t.Error("not all of it is set")
		}
		err = s.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			name, err := settings.InTx(ctx, p, tx, settings.ServerName)
			if name != "Kino" {
				t.Errorf("a transaction reads %q", name)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		set(t, p, "server.name", nil)
		if got := get(t, p, settings.ServerName); got != "Revenge" {
			t.Errorf("after null: %s", got)
		}
	})
}

func TestOfManyWhoReadTheSameRevisionOneChangesIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ *sqlstore.Store, _ *membus.Bus, p *settings.Service) {
		for round := range 2 {
			read, err := p.List(t.Context(), domain.SystemActor())
			if err != nil {
				t.Fatal(err)
			}
			var changed atomic.Int32
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					_, err := p.Update(context.Background(), domain.SystemActor(), &read.Revision, values(t, "mail.port", 1000+i))
					switch {
					case err == nil:
						changed.Add(1)
					case fault.CodeOf(err) != settings.CodeChanged || fault.KindOf(err) != fault.Precondition:
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := changed.Load(); n != 1 {
				t.Errorf("round %d: %d changed it", round, n)
			}
		}
		before := set(t, p, "mail.port", 1)
		if after := set(t, p, "mail.port", nil); !after.Revision.After(before.Revision) {
			t.Error("going back to the default is no new revision")
		}
	})
}

func TestASecretIsSealedAndShownToNobody(t *testing.T) {
	t.Parallel()
	const password = "open sesame 42"
	each(t, func(t *testing.T, s *sqlstore.Store, _ *membus.Bus, p *settings.Service) {
		view := set(t, p, "mail.password", password)
		if get(t, p, settings.MailPassword) != password {
			t.Error("the server does not know it itself")
		}
		listed, err := p.List(t.Context(), domain.SystemActor())
		if err != nil {
			t.Fatal(err)
		}
		rows, err := s.Read().Settings.All(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		log, err := s.Read().Activity.List(t.Context(), domain.ActivityFilter{Action: domain.ActivitySettingChanged}, domain.PageRequest{Limit: 10})
		if err != nil || len(log.Items) != 1 || log.Items[0].ResourceID != "mail.password" || !log.Items[0].Success {
			t.Errorf("the log: %+v, %v", log.Items, err)
		}
		shown, err := json.Marshal([]any{view, listed, log})
		if err != nil {
			t.Fatal(err)
		}
		if text := string(shown) + fmt.Sprintf("%s", rows); strings.Contains(text, password) {
			t.Errorf("it shows: %s", text)
		}
		for _, item := range listed.Items {
			if item.Name == "mail.password" && (!item.Set || item.Value != nil) {
				t.Errorf("it is shown as %+v", item)
			}
		}

		// Put in another's place it does not open (S20).
		moved := rows[0]
		moved.Name = "mail.username"
		if err := s.Update(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Settings.Save(ctx, moved) }); err != nil {
			t.Fatal(err)
		}
		err = s.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			_, err := settings.InTx(ctx, p, tx, settings.MailUsername)
			return err
		})
		if fault.CodeOf(err) != "secrets.tampered" {
			t.Errorf("a moved value: %v", err)
		}
	})
}

func TestEverySettingRefusesWhatBreaksItsRule(t *testing.T) {
	t.Parallel()
	bus := membus.New()
	p := process(t, sqlstoretest.SQLite(t, sqlstore.Config{Publisher: bus}), bus, map[string]any{"server.publicURL": "https://of.the.configuration"})
	if got := get(t, p, settings.PublicURL); got != "https://of.the.configuration" {
		t.Errorf("what nobody set is %q, not what the configuration says", got)
	}
	for name, cases := range map[string]struct{ good, bad []any }{
		"server.name":               {[]any{"Kino", "Kino für alle"}, []any{"", "  ", 7, true, strings.Repeat("x", 61), "a\nb", "a\u0085b"}},
		"server.publicURL":          {[]any{"", "https://a.example.org", "http://[::1]:8096/revenge"}, []any{"a.example.org", "ftp://a", "https://u@a", "https://a/?q", "https://a#f", "javascript:alert(1)", "https://"}},
		"auth.registration":         {[]any{"closed", "invite", "open"}, []any{"", "Open", 1}},
		"auth.mfaRequiredRoles":     {[]any{[]string{}, []string{"admin"}}, []any{"admin", []any{1}, []string{"A B"}, []string{""}}},
		"auth.sessionIdle":          {[]any{1, 365}, []any{0, 366, -1, 1.5, "1", 1e300}},
		"api.allowKeyInQuery":       {[]any{true, false}, []any{"true", 1}},
		"activity.retentionDays":    {[]any{0}, []any{-1}},
		"account.deletionGraceDays": {[]any{0, 365}, []any{-1}},
		"mail.host":                 {[]any{"", "smtp.example.org", "localhost", "127.0.0.1", "::1"}, []any{"a b", "a:25", "-a", "a..b", "http://a", "a\r\nb"}},
		"mail.port":                 {[]any{1, 65535}, []any{0, 65536}},
		"mail.security":             {[]any{"none"}, []any{"ssl"}},
		"mail.from":                 {[]any{"", "a@example.org"}, []any{"a", "A <a@example.org>", "a@b, c@d", "a@b\r\nBcc: c@d"}},
		"mail.fromName":             {[]any{"Kino"}, []any{"a\r\nBcc: c@d"}},
		"ui.language":               {[]any{"de"}, []any{"xx"}},
	} {
		for _, v := range cases.good {
			if _, err := p.Update(t.Context(), domain.SystemActor(), nil, values(t, name, v)); err != nil {
				t.Errorf("%s = %v: %v", name, v, err)
			}
		}
		for _, v := range cases.bad {
			_, err := p.Update(t.Context(), domain.SystemActor(), nil, values(t, name, v))
			if fault.CodeOf(err) != settings.CodeInvalid || len(fault.As(err).Fields) != 1 || fault.As(err).Fields[0].Path != name || fault.As(err).Fields[0].Message == "" {
				t.Errorf("%s = %q: %v", name, v, err)
			}
		}
	}
	all := settings.Registry()
	if all[0].Name != "server.name" || all[1].Name != "server.publicURL" {
		t.Errorf("the first settings are %s and %s, not as they are declared", all[0].Name, all[1].Name)
	}
	for _, d := range all {
		initial, err := json.Marshal(d.Default)
		if err != nil || d.Description == "" || (d.Type == settings.Choice) != (len(d.Options) > 0) {
			t.Errorf("%+v", d)
		}
		if _, err := p.Update(t.Context(), domain.SystemActor(), nil, map[string]json.RawMessage{d.Name: initial}); err != nil {
			t.Errorf("%s refuses its own default: %v", d.Name, err)
		}
	}
}

func TestClientSettingsHaveBounds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *sqlstore.Store, _ *membus.Bus, p *settings.Service) {
		ann := domain.User{ID: domain.NewID(), Username: "ann", Roles: []domain.RoleName{domain.RoleUser}, CreatedAt: domain.Stamp(time.Now()), UpdatedAt: domain.Stamp(time.Now())}
		if err := s.Update(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Users.Create(ctx, ann, "") }); err != nil {
			t.Fatal(err)
		}
		actor := domain.Actor{UserID: ann.ID, Username: "ann", Roles: ann.Roles, SessionID: domain.NewID()}
		all, err := p.UpdateOfUser(t.Context(), actor, map[string]json.RawMessage{"theme": json.RawMessage(` "dark" `), "grid.size": json.RawMessage("6")})
		if err != nil || len(all) != 2 || string(all["theme"]) != `"dark"` {
			t.Fatalf("%s, %v", all, err)
		}
		if all, err = p.UpdateOfUser(t.Context(), actor, values(t, "theme", nil)); err != nil || len(all) != 1 || string(all["grid.size"]) != "6" {
			t.Errorf("%s, %v", all, err)
		}
		for name, changes := range map[string]map[string]json.RawMessage{
			"a name": values(t, "a b", 1), "an empty name": values(t, "", 1), "a long name": values(t, strings.Repeat("a", 65), 1),
			"a value": values(t, "a", strings.Repeat("x", 4095)), "no JSON": {"a": json.RawMessage("{")},
		} {
			if _, err := p.UpdateOfUser(t.Context(), actor, changes); fault.CodeOf(err) != settings.CodeInvalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		many := map[string]json.RawMessage{}
		for i := range 100 {
			many[fmt.Sprint("k", i)] = json.RawMessage("1")
		}
		if _, err := p.UpdateOfUser(t.Context(), actor, many); fault.CodeOf(err) != settings.CodeTooMany {
			t.Errorf("101 settings: %v", err)
		}
		if kept, err := p.OfUser(t.Context(), actor); err != nil || len(kept) != 1 {
			t.Errorf("%d are kept, %v", len(kept), err)
		}
	})
}
