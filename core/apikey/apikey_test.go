package apikey_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/memlimit"
	"github.com/revenge-media/revenge/adapters/otter"
	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/apikey"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/testkit/world"
	"github.com/revenge-media/revenge/testkit/world/identity"
)

// house is a server with keys, and somebody signed in there.
type house struct {
	*identity.Process
	keys *apikey.Service
	anna domain.Actor
}

// each runs fn on every database.
func each(t *testing.T, fn func(t *testing.T, h house)) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		memory, err := otter.Open(t.Context(), otter.Config{})
		if err != nil {
			t.Fatal(err)
		}
		h := house{Process: p, keys: apikey.New(apikey.Deps{
			Store: p.Store, Access: p.Access, Sessions: p.Sessions, Cache: memory, Bus: p.Bus, Limiter: memlimit.New(memlimit.Config{Now: p.Clock.Now}), Now: p.Clock.Now,
			Logger: slog.New(slog.DiscardHandler), RequestsPerMinute: func(context.Context) (int, error) { return 3, nil }, MustEnrol: p.MFA.MustEnrol,
		})}
		p.User(t, "owner", domain.RoleAdmin)
		p.User(t, "anna")
		h.anna = p.SignIn(t, "anna").Actor
		fn(t, h)
	})
}

func (h house) make(t *testing.T, by domain.Actor, permissions ...domain.Permission) (domain.APIKey, string) {
	t.Helper()
	k, text, err := h.keys.Create(t.Context(), by, apikey.Draft{Name: "Radarr", Permissions: permissions})
	if err != nil {
		t.Fatal(err)
	}
	return k, text
}

func (h house) by(t *testing.T, text string) domain.Actor {
	t.Helper()
	actor, err := h.keys.Authenticate(t.Context(), text, identity.Client)
	if err != nil {
		t.Fatal(err)
	}
	return actor
}

func wantCode(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Fatalf("got error %v, want %s with code %s", err, kind, code)
	}
}

func TestAKeyMayWhatBothItAndItsOwnerMayAtTheTime(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		k, text := h.make(t, h.anna, domain.PermissionHistory, domain.PermissionLibraryRead)
		may := func(want ...domain.Permission) {
			t.Helper()
			actor := h.by(t, text)
			if actor.UserID != h.anna.UserID || actor.KeyID == nil || *actor.KeyID != k.ID || actor.SessionID != (domain.ID{}) || actor.Client != identity.Client {
				t.Fatalf("by a key acts %+v", actor)
			}
			for _, info := range domain.Permissions() {
				p := info.Name
				if err := h.Access.Authorize(t.Context(), actor, p); (err == nil) != slices.Contains(want, p) {
					t.Errorf("may %s: %v", p, err)
				}
			}
		}
		become := func(roles ...domain.RoleName) {
			t.Helper()
			if _, err := h.Accounts.Edit(t.Context(), domain.SystemActor(), h.anna.UserID, nil, account.Edit{Roles: &roles}); err != nil {
				t.Fatal(err)
			}
		}
		may(domain.PermissionLibraryRead, domain.PermissionHistory)
		become(domain.RoleGuest)
		may(domain.PermissionLibraryRead)
		become()
		may()
		become(domain.RoleAdmin)
		may(domain.PermissionLibraryRead, domain.PermissionHistory)
	})
}

func TestAKeyHoldsOnlyWhatItsOwnerHasAndPeopleDoNotKeepForThemselves(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		owner := h.SignIn(t, "owner").Actor // who has every permission
		for _, p := range []domain.Permission{domain.PermissionPublic, domain.PermissionEnrol, domain.PermissionProfile, domain.PermissionAPIKey, "films.eat"} {
			_, _, err := h.keys.Create(t.Context(), owner, apikey.Draft{Name: "x", Permissions: []domain.Permission{domain.PermissionLibraryRead, p}})
			wantCode(t, err, fault.Invalid, apikey.CodeScope)
		}
		k, _ := h.make(t, h.anna, domain.PermissionLibraryRead)
		past, none, tooOften := h.Clock.Now(), 0, apikey.MaxRequestsPerMinute+1
		for what, c := range map[string]struct {
			code   string
			change func(d *apikey.Draft)
		}{
			"what the owner lacks": {apikey.CodeScope, func(d *apikey.Draft) { d.Permissions = append(d.Permissions, domain.PermissionUserManage) }},
			"no permission":        {apikey.CodeScope, func(d *apikey.Draft) { d.Permissions = nil }},
			"no name":              {apikey.CodeName, func(d *apikey.Draft) { d.Name = " " }},
			"a long name":          {apikey.CodeName, func(d *apikey.Draft) { d.Name = strings.Repeat("ä", apikey.MaxName+1) }},
			"two lines":            {apikey.CodeName, func(d *apikey.Draft) { d.Name = "a\nb" }},
			"an end that is over":  {apikey.CodeExpired, func(d *apikey.Draft) { d.ExpiresAt = &past }},
			"no requests":          {apikey.CodeBadLimit, func(d *apikey.Draft) { d.RequestsPerMinute = &none }},
			"too many requests":    {apikey.CodeBadLimit, func(d *apikey.Draft) { d.RequestsPerMinute = &tooOften }},
		} {
			d := apikey.Draft{Name: "x", Permissions: []domain.Permission{domain.PermissionLibraryRead}}
			c.change(&d)
			_, _, made := h.keys.Create(t.Context(), h.anna, d)
			_, changed := h.keys.Update(t.Context(), h.anna, k.ID, c.change)
			if fault.CodeOf(made) != c.code || fault.CodeOf(changed) != c.code {
				t.Errorf("%s: %v and %v", what, made, changed)
			}
		}
		if list, err := h.keys.List(t.Context(), h.anna); err != nil || len(list) != 1 || fmt.Sprint(list[0]) != fmt.Sprint(k) {
			t.Errorf("got %+v, %v", list, err)
		}
	})
}

// TestAKeyMakesChangesAndEndsNoKeys, whatever it holds: what is taken from whoever uses it must not come back by another (S16).
func TestAKeyMakesChangesAndEndsNoKeys(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		ctx, owner := t.Context(), h.SignIn(t, "owner").Actor
		k, text := h.make(t, owner, domain.PermissionLibraryRead, domain.PermissionUserManage)
		other, _ := h.make(t, h.anna, domain.PermissionLibraryRead)
		for _, holds := range [][]domain.Permission{k.Permissions, append(slices.Clone(k.Permissions), domain.PermissionAPIKey)} { // as a row that was tampered with
			by := h.by(t, text)
			by.KeyPermissions, by.AuthenticatedAt = holds, h.Clock.Now()
			_, _, create := h.keys.Create(ctx, by, apikey.Draft{Name: "x", Permissions: []domain.Permission{domain.PermissionLibraryRead}})
			_, _, createFor := h.keys.CreateFor(ctx, by, "anna", apikey.Draft{Name: "x", Permissions: []domain.Permission{domain.PermissionLibraryRead}})
			_, update := h.keys.Update(ctx, by, k.ID, func(d *apikey.Draft) { d.Name = "renamed" })
			for what, err := range map[string]error{
				"makes one": create, "makes one for another": createFor, "changes itself": update, "ends itself": h.keys.Revoke(ctx, by, k.ID),
				"ends another's": h.keys.RevokeOf(ctx, by, h.anna.UserID, other.ID), "ends any": h.keys.RevokeAny(ctx, by, other.ID),
			} {
				if fault.KindOf(err) != fault.Forbidden {
					t.Errorf("a key with %v %s: %v", holds, what, err)
				}
			}
		}
		for _, of := range []domain.ID{owner.UserID, h.anna.UserID} {
			if list, err := h.keys.ListOf(ctx, owner, of); err != nil || len(list) != 1 || list[0].Name != "Radarr" {
				t.Errorf("got %+v, %v", list, err)
			}
		}
	})
}

func TestOnlyAPersonJustSeenMakesAKeyOrWidensOne(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		ctx := t.Context()
		stale := h.anna
		stale.AuthenticatedAt = h.Clock.Now().Add(-access.FreshFor - time.Second)
		soon, later, few, many := h.Clock.Now().Add(time.Hour), h.Clock.Now().Add(2*time.Hour), 10, 20
		d := apikey.Draft{Name: "x", Permissions: []domain.Permission{domain.PermissionLibraryRead, domain.PermissionPlayback}, ExpiresAt: &soon, RequestsPerMinute: &few}
		_, _, err := h.keys.Create(ctx, stale, d)
		wantCode(t, err, fault.Forbidden, access.CodeNotFresh)
		k, _, err := h.keys.Create(ctx, h.anna, d)
		if err != nil {
			t.Fatal(err)
		}
		for what, wider := range map[string]func(d *apikey.Draft){
			"another permission": func(d *apikey.Draft) { d.Permissions = append(d.Permissions, domain.PermissionHistory) },
			"a later end":        func(d *apikey.Draft) { d.ExpiresAt = &later },
			"no end":             func(d *apikey.Draft) { d.ExpiresAt = nil },
			"more requests":      func(d *apikey.Draft) { d.RequestsPerMinute = &many },
			"no limit":           func(d *apikey.Draft) { d.RequestsPerMinute = nil },
		} {
			if _, err := h.keys.Update(ctx, stale, k.ID, wider); fault.CodeOf(err) != access.CodeNotFresh {
				t.Errorf("%s: %v", what, err)
			}
		}
		narrower := func(d *apikey.Draft) { d.Name, d.Permissions = "y", d.Permissions[:1] }
		if k, err := h.keys.Update(ctx, stale, k.ID, narrower); err != nil || k.Name != "y" || !slices.Equal(k.Permissions, []domain.Permission{domain.PermissionLibraryRead}) {
			t.Errorf("narrowed: %+v, %v", k, err)
		}
		if k, err := h.keys.Update(ctx, h.anna, k.ID, func(d *apikey.Draft) { d.ExpiresAt = nil }); err != nil || k.ExpiresAt != nil {
			t.Errorf("widened: %+v, %v", k, err)
		}
		// Another's key is not there.
		_, err = h.keys.Update(ctx, h.SignIn(t, "owner").Actor, k.ID, narrower)
		wantCode(t, err, fault.NotFound, "api_key.not_found")
		wantCode(t, h.keys.Revoke(ctx, h.SignIn(t, "owner").Actor, k.ID), fault.NotFound, "api_key.not_found")
		wantCode(t, h.keys.RevokeOf(ctx, h.anna, h.anna.UserID, k.ID), fault.Forbidden, access.CodeDenied)
		if err := h.keys.RevokeOf(ctx, h.SignIn(t, "owner").Actor, h.anna.UserID, k.ID); err != nil {
			t.Error(err)
		}
		for range apikey.MaxPerUser {
			h.make(t, h.anna, domain.PermissionLibraryRead)
		}
		_, _, err = h.keys.Create(ctx, h.anna, d)
		wantCode(t, err, fault.Conflict, apikey.CodeTooMany)
	})
}

func TestAKeyEndsWithItsTimeItsRevocationAndItsAccount(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		ctx, system := t.Context(), domain.SystemActor()
		disable := func(disabled bool) error {
			_, err := h.Accounts.SetDisabled(ctx, system, h.anna.UserID, disabled)
			return err
		}
		dead := func(text string) { // within a second, as the cache of another process would keep it so long
			t.Helper()
			_, err := h.keys.Authenticate(ctx, text, identity.Client)
			wantCode(t, err, fault.Unauthenticated, apikey.CodeInvalid)
		}
		ends := h.Clock.Now().Add(time.Hour)
		_, short, err := h.keys.Create(ctx, h.anna, apikey.Draft{Name: "short", Permissions: []domain.Permission{domain.PermissionLibraryRead}, ExpiresAt: &ends})
		if err != nil {
			t.Fatal(err)
		}
		k, text := h.make(t, h.anna, domain.PermissionLibraryRead)
		held := h.by(t, text) // as a connection that stays open
		h.Clock.Add(time.Hour - time.Second)
		h.by(t, short)
		h.Clock.Add(time.Second)
		dead(short)
		for _, wrong := range []string{"", "rvg_", text[:len(text)-1], text + "a", strings.ToUpper(text), text[:len(text)-1] + "-", short[:12] + text[12:]} {
			dead(wrong)
		}
		if err := disable(true); err != nil {
			t.Fatal(err)
		}
		dead(text)
		wantCode(t, h.keys.Check(ctx, held, domain.PermissionLibraryRead), fault.Unauthenticated, apikey.CodeInvalid)
		if err := errors.Join(disable(false), h.Accounts.Delete(ctx, system, h.anna.UserID)); err != nil {
			t.Fatal(err)
		}
		dead(text)
		if _, err := h.Accounts.Restore(ctx, system, h.anna.UserID); err != nil {
			t.Fatal(err)
		}
		h.by(t, text)
		if err := h.keys.Check(ctx, held, domain.PermissionLibraryRead); err != nil {
			t.Error(err)
		}
		if err := h.keys.Revoke(ctx, h.SignIn(t, "anna").Actor, k.ID); err != nil {
			t.Fatal(err)
		}
		dead(text)
		wantCode(t, h.keys.Check(ctx, held, domain.PermissionLibraryRead), fault.Unauthenticated, apikey.CodeInvalid)
	})
}

func TestAKeyIsKeptAsAHashAndItsUseIsNotedOnceAMinute(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		ctx := t.Context()
		k, text := h.make(t, h.anna, domain.PermissionLibraryRead)
		hash := sha256.Sum256([]byte(text))
		stored := func() domain.APIKey {
			t.Helper()
			list, err := h.keys.ListFor(ctx, domain.SystemActor(), "anna")
			if err != nil || len(list) != 1 {
				t.Fatalf("got %+v, %v", list, err)
			}
			return list[0]
		}
		if got := stored(); string(got.Hash) != string(hash[:]) || !strings.HasPrefix(text, got.Prefix) || len(got.Prefix) != 12 || strings.Contains(fmt.Sprintf("%+v", k), text) {
			t.Errorf("kept is %+v", got)
		}
		actor := h.by(t, text)
		h.keys.Seen(ctx, actor)
		first := stored()
		if first.LastUsedAt == nil || !first.LastUsedAt.Equal(domain.Stamp(h.Clock.Now())) || first.LastUsedIP != identity.Client.IP {
			t.Errorf("noted is %+v", first)
		}
		h.Clock.Add(59 * time.Second)
		h.keys.Seen(ctx, actor)
		if got := stored(); !got.LastUsedAt.Equal(*first.LastUsedAt) {
			t.Errorf("it was noted again at %s", got.LastUsedAt)
		}
		h.Clock.Add(time.Second)
		h.keys.Seen(ctx, actor)
		if got := stored(); !got.LastUsedAt.Equal(domain.Stamp(h.Clock.Now())) {
			t.Errorf("a minute later it was noted at %s", got.LastUsedAt)
		}
		// The server's limit, until the key has its own.
		allow := func() (n int) {
			t.Helper()
			for n < 10 {
				if _, _, err := h.keys.Allow(ctx, actor); err != nil {
					wantCode(t, err, fault.RateLimited, apikey.CodeExhausted)
					break
				}
				n++
			}
			return n
		}
		if n := allow(); n != 3 {
			t.Errorf("%d requests were allowed", n)
		}
		five := 5
		if _, err := h.keys.Update(ctx, h.SignIn(t, "anna").Actor, k.ID, func(d *apikey.Draft) { d.RequestsPerMinute = &five }); err != nil {
			t.Fatal(err)
		}
		h.Clock.Add(2 * time.Minute)
		world.Until(t, "its own limit holds", func() bool { h.Clock.Add(2 * time.Minute); return allow() == 5 })
	})
}

// TestTheKeysOfWhoMustAddASecondFactorDoNothingUntilThen: a key is no way around it.
func TestTheKeysOfWhoMustAddASecondFactorDoNothingUntilThen(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		_, text := h.make(t, h.anna, domain.PermissionLibraryRead)
		if err := h.Access.Authorize(t.Context(), h.by(t, text), domain.PermissionLibraryRead); err != nil {
			t.Fatal(err)
		}
		must := `["user"]`
		if _, err := h.Settings.Update(t.Context(), domain.SystemActor(), nil, map[string]json.RawMessage{"auth.mfaRequiredRoles": json.RawMessage(must)}); err != nil {
			t.Fatal(err)
		}
		wantCode(t, h.Access.Authorize(t.Context(), h.by(t, text), domain.PermissionLibraryRead), fault.Forbidden, access.CodeEnrol)
	})
}
