package account_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/testkit/world/identity"
)

func wantCode(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Fatalf("got error %v, want %s with code %s", err, kind, code)
	}
}

func TestAllThatIsWrongWithAnAccountIsToldAtOnce(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		for _, c := range []struct {
			n    account.NewUser
			want string
		}{
			{account.NewUser{Password: "short", Email: "nowhere", DisplayName: "a\nb", Roles: []domain.RoleName{"root"}}, "username displayName email roles password"},
			{account.NewUser{Username: strings.Repeat("ä", 65), Password: identity.Password}, "username"},
			{account.NewUser{Username: "a", Email: "Anna <a@example.org>", Password: identity.Password}, "email"},
			{account.NewUser{Username: "a", Password: identity.Password, Roles: []domain.RoleName{domain.RoleUser, domain.RoleUser}}, "roles"},
			{account.NewUser{Username: "seventeen green", Password: "seventeen green"}, "password"},
		} {
			_, err := p.Accounts.Create(t.Context(), domain.SystemActor(), c.n)
			wantCode(t, err, fault.Invalid, account.CodeInvalid)
			var got []string
			for _, f := range fault.As(err).Fields {
				got = append(got, f.Path)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %v, want %s", got, c.want)
			}
		}
	})
}

func TestAccountsAreMadeWithDefaultsAndListedByAdministrators(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		u, err := p.Accounts.Create(ctx, domain.SystemActor(), account.NewUser{Username: " Anna ", Email: "anna@example.org", Password: identity.Password})
		if err != nil || u.Username != "Anna" || u.DisplayName != "Anna" || !slices.Equal(u.Roles, []domain.RoleName{domain.RoleUser}) {
			t.Fatalf("got %+v, %v", u, err)
		}
		_, err = p.Accounts.Create(ctx, domain.SystemActor(), account.NewUser{Username: "ANNA", Password: identity.Password})
		wantCode(t, err, fault.Conflict, "user.username_taken")
		p.User(t, "owner", domain.RoleAdmin)
		anna, owner := p.SignIn(t, "anna@EXAMPLE.org").Actor, p.SignIn(t, "owner").Actor

		page, err := p.Accounts.List(ctx, owner, domain.UserFilter{}, domain.PageRequest{})
		if err != nil || len(page.Items) != 2 || page.Items[0].Username != "Anna" {
			t.Errorf("got %+v, %v", page, err)
		}
		_, err = p.Accounts.List(ctx, anna, domain.UserFilter{}, domain.PageRequest{})
		wantCode(t, err, fault.Forbidden, "access.denied")
		_, err = p.Accounts.Create(ctx, anna, account.NewUser{Username: "x", Password: identity.Password})
		wantCode(t, err, fault.Forbidden, "access.denied")
		_, err = p.Accounts.SetDisabled(ctx, anna, owner.UserID, true)
		wantCode(t, err, fault.Forbidden, "access.denied")
		if me, err := p.Accounts.Me(ctx, anna); err != nil || me.ID != u.ID {
			t.Errorf("got %+v, %v", me, err)
		}
		_, err = p.Accounts.Me(ctx, domain.Actor{})
		wantCode(t, err, fault.Unauthenticated, "auth.required")
	})
}

func TestTheLastAdministratorStays(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		first, second := p.User(t, "first", domain.RoleAdmin), p.User(t, "second", domain.RoleAdmin)
		if u, err := p.Accounts.SetDisabled(ctx, domain.SystemActor(), first.ID, true); err != nil || !u.Disabled {
			t.Fatalf("got %+v, %v", u, err)
		}
		_, err := p.Accounts.SetDisabled(ctx, domain.SystemActor(), second.ID, true)
		wantCode(t, err, fault.Conflict, access.CodeLastAdmin)
		p.SignIn(t, "second")
		if u, err := p.Accounts.SetDisabled(ctx, domain.SystemActor(), first.ID, false); err != nil || u.Disabled {
			t.Fatalf("got %+v, %v", u, err)
		}
		p.SignIn(t, "first")
		_, err = p.Accounts.SetDisabled(ctx, domain.SystemActor(), domain.NewID(), true)
		wantCode(t, err, fault.NotFound, "user.not_found")
	})
}

func TestPreferencesAreCheckedAndKept(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		p.User(t, "anna")
		actor := p.SignIn(t, "anna").Actor
		if got, err := p.Accounts.Preferences(ctx, actor); err != nil || got.SubtitleMode != "auto" {
			t.Errorf("got %+v, %v", got, err)
		}
		want, err := p.Accounts.UpdatePreferences(ctx, actor, func(p *domain.Preferences) { p.AudioLanguage, p.Language = "ger", "de-AT" })
		if err != nil || want.AudioLanguage != "ger" || want.SubtitleMode != "auto" {
			t.Errorf("got %+v, %v", want, err)
		}
		for path, change := range map[string]func(*domain.Preferences){
			"audioLanguage":    func(p *domain.Preferences) { p.AudioLanguage = "de" },
			"subtitleLanguage": func(p *domain.Preferences) { p.SubtitleLanguage = "GER" },
			"subtitleMode":     func(p *domain.Preferences) { p.SubtitleMode = "" },
			"language":         func(p *domain.Preferences) { p.Language = "<script>" },
		} {
			_, err := p.Accounts.UpdatePreferences(ctx, actor, change)
			wantCode(t, err, fault.Invalid, "preferences.invalid")
			if got := fault.As(err).Fields; len(got) != 1 || got[0].Path != path {
				t.Errorf("got %v, want %s", got, path)
			}
		}
		if got, err := p.Accounts.Preferences(ctx, actor); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		_, err = p.Accounts.UpdatePreferences(ctx, domain.Actor{}, func(*domain.Preferences) {})
		wantCode(t, err, fault.Unauthenticated, "auth.required")
		_, err = p.Accounts.Preferences(ctx, domain.Actor{})
		wantCode(t, err, fault.Unauthenticated, "auth.required")
	})
}
