package account_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/memlimit"
	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/attempts"
	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/passwords"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/world/identity"
)

// set changes a setting.
func set(t *testing.T, p *identity.Process, name string, value any) {
	t.Helper()
	data, err := json.Marshal(value)
	if err == nil {
		_, err = p.Settings.Update(t.Context(), domain.SystemActor(), nil, map[string]json.RawMessage{name: data})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// atOnce runs fn n times in parallel and returns how many succeeded; errors of another code than lost fail the test.
func atOnce(t *testing.T, n int, lost string, fn func(i int) error) int {
	t.Helper()
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			switch err := fn(i); {
			case err == nil:
				won.Add(1)
			case fault.CodeOf(err) != lost && fault.CodeOf(err) != store.CodeUnavailable:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return int(won.Load())
}

// code is what stands behind the fragment of a link.
func code(t *testing.T, link string) string {
	t.Helper()
	_, fragment, _ := strings.Cut(link, "#")
	_, value, ok := strings.Cut(fragment, "=")
	if !ok || len(value) < 22 { // 128 bits in base64
		t.Fatalf("%q is no link with a code", link)
	}
	return value
}

// manager is somebody who manages accounts and is no administrator.
func manager(t *testing.T, p *identity.Process) domain.Actor {
	t.Helper()
	err := p.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		now := domain.Stamp(p.Clock.Now())
		return tx.Roles.Create(ctx, domain.Role{Name: "manager", Permissions: []domain.Permission{domain.PermissionUserManage}, Parents: []domain.RoleName{domain.RoleUser}, CreatedAt: now, UpdatedAt: now})
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Access.Forget()
	p.User(t, "manager", "manager")
	return p.SignIn(t, "manager").Actor
}

func TestWhoManagesAccountsMakesOfNobodyMoreThanTheyAre(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		admin, legacy, anna := p.User(t, "admin", domain.RoleAdmin), p.User(t, "legacy", domain.RoleLegacy), p.User(t, "anna")
		set(t, p, "auth.registration", "invite")
		by := manager(t, p)
		me := by.UserID
		roles := func(r ...domain.RoleName) account.Edit { return account.Edit{Roles: &r} }
		name, mail := "renamed", "new@example.org"
		for what, do := range map[string]func() error{
			"makes an administrator": func() error {
				_, err := p.Accounts.Create(ctx, by, account.NewUser{Username: "x", Password: identity.Password, Roles: []domain.RoleName{domain.RoleAdmin}})
				return err
			},
			"promotes another": func() error { _, err := p.Accounts.Edit(ctx, by, anna.ID, nil, roles(domain.RoleAdmin)); return err },
			"promotes themselves": func() error {
				_, err := p.Accounts.Edit(ctx, by, me, nil, roles("manager", domain.RoleAdmin))
				return err
			},
			"sees restricted libraries": func() error {
				_, err := p.Accounts.Edit(ctx, by, me, nil, roles("manager", domain.RoleLegacy))
				return err
			},
			"demotes an administrator": func() error { _, err := p.Accounts.Edit(ctx, by, admin.ID, nil, roles(domain.RoleUser)); return err },
			"renames an administrator": func() error {
				_, err := p.Accounts.Edit(ctx, by, admin.ID, nil, account.Edit{Username: &name})
				return err
			},
			"takes an administrator's mails": func() error {
				_, err := p.Accounts.Edit(ctx, by, admin.ID, nil, account.Edit{Email: &mail})
				return err
			},
			"resets an administrator":   func() error { _, err := p.Accounts.SendReset(ctx, by, admin.ID); return err },
			"resets who sees more":      func() error { _, err := p.Accounts.SendReset(ctx, by, legacy.ID); return err },
			"disables an administrator": func() error { _, err := p.Accounts.SetDisabled(ctx, by, admin.ID, true); return err },
			"deletes an administrator":  func() error { return p.Accounts.Delete(ctx, by, admin.ID) },
			"invites an administrator": func() error {
				_, err := p.Accounts.Invite(ctx, by, account.NewInvitation{Roles: []domain.RoleName{domain.RoleAdmin}})
				return err
			},
		} {
			if err := do(); fault.CodeOf(err) != access.CodeNotOwn {
				t.Errorf("who manages accounts %s: %v", what, err)
			}
		}
		if u, err := p.Accounts.Edit(ctx, by, anna.ID, nil, roles("manager")); err != nil || !u.HasRole("manager") {
			t.Errorf("got %+v, %v", u, err)
		}
		if _, err := p.Accounts.SendReset(ctx, by, anna.ID); err != nil {
			t.Error(err)
		}
		key := domain.NewID()
		p.User(t, "owner", domain.RoleAdmin)
		byKey := p.SignIn(t, "owner").Actor
		byKey.KeyID, byKey.KeyPermissions = &key, []domain.Permission{domain.PermissionUserManage}
		_, err := p.Accounts.Edit(ctx, byKey, anna.ID, nil, roles(domain.RoleAdmin))
		wantCode(t, err, fault.Forbidden, access.CodeNotOwn)
		_, err = p.Accounts.SendReset(ctx, byKey, anna.ID)
		wantCode(t, err, fault.Forbidden, access.CodeNoSession)
	})
}

func TestOfAdministratorsWhoRemoveEachOtherOneStays(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		const n = 6
		var actors [n]domain.Actor
		for i := range n {
			p.User(t, fmt.Sprintf("admin %d", i), domain.RoleAdmin)
			actors[i] = p.SignIn(t, fmt.Sprintf("admin %d", i)).Actor
		}
		user := []domain.RoleName{domain.RoleUser}
		won := atOnce(t, n, access.CodeLastAdmin, func(i int) (err error) {
			next := actors[(i+1)%n].UserID
			switch i % 3 {
			case 0:
				_, err = p.Accounts.SetDisabled(t.Context(), actors[i], next, true)
			case 1:
				_, err = p.Accounts.Edit(t.Context(), actors[i], next, nil, account.Edit{Roles: &user})
			case 2:
				err = p.Accounts.Delete(t.Context(), actors[i], next)
			}
			return err
		})
		left, err := p.Store.Read().Users.CountAdmins(t.Context())
		if err != nil || left < 1 || left != n-won {
			t.Errorf("%d administrators are left after %d removals, %v", left, won, err)
		}
	})
}

func TestAnEditOfWhatChangedMeanwhileIsRefused(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		u := p.User(t, "anna")
		name, system := "Anna", domain.SystemActor()
		second, err := p.Accounts.Edit(t.Context(), system, u.ID, &u.UpdatedAt, account.Edit{DisplayName: &name})
		if err != nil || second.DisplayName != "Anna" || second.UpdatedAt.Equal(u.UpdatedAt) {
			t.Fatalf("got %+v, %v", second, err)
		}
		_, err = p.Accounts.Edit(t.Context(), system, u.ID, &u.UpdatedAt, account.Edit{DisplayName: &name})
		wantCode(t, err, fault.Precondition, account.CodeChanged)
	})
}

func TestRegistrationIsForWhoTheServerLetsIn(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx, client, n := t.Context(), domain.Client{IP: "192.0.2.1"}, 0
		register := func(change func(*account.Applicant)) error {
			n++
			a := account.Applicant{Username: fmt.Sprintf("guest %d", n), Email: fmt.Sprintf("guest%d@example.org", n), Password: identity.Password}
			if change != nil {
				change(&a)
			}
			verify, err := p.Accounts.Register(ctx, a, client)
			if verify {
				t.Error("a mail is waited for that nobody sends")
			}
			return err
		}
		wantCode(t, register(nil), fault.Forbidden, account.CodeRegistrationClosed)
		_, err := p.Accounts.Invite(ctx, domain.SystemActor(), account.NewInvitation{})
		wantCode(t, err, fault.Conflict, account.CodeRegistrationClosed)

		set(t, p, "auth.registration", "invite")
		wantCode(t, register(nil), fault.Forbidden, account.CodeInvitation)
		invite := func(n account.NewInvitation) account.Invited {
			made, err := p.Accounts.Invite(ctx, domain.SystemActor(), n)
			if err != nil || made.Sent || made.State(p.Clock.Now()) != domain.InvitationOpen {
				t.Fatalf("got %+v, %v", made, err)
			}
			return made
		}
		for what, spoil := range map[string]func(account.Invited){
			"revoked": func(i account.Invited) {
				if err := p.Accounts.RevokeInvitation(ctx, domain.SystemActor(), i.ID); err != nil {
					t.Error(err)
				}
			},
			"expired": func(account.Invited) { p.Clock.Add(8 * 24 * time.Hour) },
			"used": func(i account.Invited) {
				if err := register(func(a *account.Applicant) { a.Invitation = code(t, i.Link) }); err != nil {
					t.Error(err)
				}
			},
		} {
			i := invite(account.NewInvitation{})
			spoil(i)
			if err := register(func(a *account.Applicant) { a.Invitation = code(t, i.Link) }); fault.CodeOf(err) != account.CodeInvitation {
				t.Errorf("an invitation that is %s: %v", what, err)
			}
		}
		made := invite(account.NewInvitation{Email: "Dora@example.org", Roles: []domain.RoleName{domain.RoleGuest}})
		won := atOnce(t, 8, account.CodeInvitation, func(i int) error {
			_, err := p.Accounts.Register(ctx, account.Applicant{Username: fmt.Sprintf("dora %d", i), Password: identity.Password, Invitation: code(t, made.Link)}, client)
			return err
		})
		dora, _, err := p.Store.Read().Users.ByLogin(ctx, "dora@EXAMPLE.org")
		if won != 1 || err != nil || dora.EmailVerifiedAt == nil || !dora.HasRole(domain.RoleGuest) || len(dora.Roles) != 1 {
			t.Errorf("%d used one invitation; it made %+v, %v", won, dora, err)
		}

		set(t, p, "auth.registration", "open")
		if err := register(func(a *account.Applicant) { a.Username, a.Email = "emil", "emil@example.org" }); err != nil {
			t.Error(err)
		}
		if u := p.SignIn(t, "emil").User; u.Email != "" {
			t.Errorf("an address that nobody vouches for is kept: %s", u.Email)
		}
		wantCode(t, register(func(a *account.Applicant) { a.Username = "EMIL" }), fault.Conflict, "user.username_taken")
		for _, name := range []string{"dora@example.org", "dora＠example.org", "who@ever"} { // would tell which addresses have an account
			err := register(func(a *account.Applicant) { a.Username = name })
			wantCode(t, err, fault.Invalid, account.CodeInvalid)
		}
		wantCode(t, register(func(a *account.Applicant) { a.Password = "short" }), fault.Invalid, account.CodeInvalid)
	})
}

// together hashes when as many ask as it was told, so that all of them have looked at what they use up.
type together struct {
	passwords.Hasher
	*sync.WaitGroup
}

func (h together) Hash(ctx context.Context, password string) (domain.PasswordHash, error) {
	h.Done()
	h.Wait()
	return h.Hasher.Hash(ctx, password)
}

func TestOneInvitationMakesOneAccount(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		set(t, p, "auth.registration", "invite")
		made, err := p.Accounts.Invite(ctx, domain.SystemActor(), account.NewInvitation{}) // for whoever holds it: nothing else is taken by its second use
		if err != nil {
			t.Fatal(err)
		}
		const n = 4
		hasher := together{p.Hasher, &sync.WaitGroup{}}
		hasher.Add(n)
		accounts := account.New(account.Deps{
			Store: p.Store, Hasher: hasher, Policy: p.Policy, Access: p.Access, Sessions: p.Sessions, Settings: p.Settings, Mail: p.Mailing, Attempts: p.Attempts,
			Limiter: memlimit.New(memlimit.Config{Now: p.Clock.Now}), Now: p.Clock.Now,
		})
		register := func(i int) error {
			_, err := accounts.Register(ctx, account.Applicant{Username: fmt.Sprintf("guest %d", i), Password: identity.Password, Invitation: code(t, made.Link)}, domain.Client{})
			return err
		}
		won := atOnce(t, n, account.CodeInvitation, register)
		there, err := p.Accounts.List(ctx, domain.SystemActor(), domain.UserFilter{}, domain.PageRequest{})
		if won != 1 || err != nil || len(there.Items) != 1 {
			t.Errorf("%d used one invitation, and there are %+v, %v", won, there.Items, err)
		}
		wantCode(t, register(n), fault.Forbidden, account.CodeInvitation) // before anything is hashed
	})
}

func TestAPasswordThatTheHostSetsIsTheOnlyWayIn(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx, system := t.Context(), domain.SystemActor()
		p.User(t, "admin", domain.RoleAdmin)
		admin := p.SignIn(t, "admin").Actor
		anna := p.User(t, "anna")
		in := p.SignIn(t, "anna")
		reset, err := p.Accounts.SendReset(ctx, system, anna.ID)
		if err != nil {
			t.Fatal(err)
		}
		login := func(password string) error {
			_, err := p.Auth.Login(ctx, "anna", password, identity.Client, auth.Options{})
			return err
		}
		for range 5 {
			wantCode(t, login("wrong, as always"), fault.Unauthenticated, auth.CodeInvalidCredentials)
		}
		wantCode(t, login(identity.Password), fault.RateLimited, attempts.CodeTooMany)

		const better = "eleven purple teapots"
		wantCode(t, p.Accounts.SetPassword(ctx, admin, anna.ID, better), fault.Forbidden, access.CodeDenied)
		wantCode(t, p.Accounts.SetPassword(ctx, system, domain.NewID(), better), fault.NotFound, "user.not_found")
		wantCode(t, p.Accounts.SetPassword(ctx, system, anna.ID, "eight to"), fault.Invalid, account.CodeInvalid)
		if _, _, err := p.Sessions.Authenticate(ctx, in.Session.ID); err != nil {
			t.Errorf("what was refused ended a session: %v", err)
		}
		if err := p.Accounts.SetPassword(ctx, system, anna.ID, better); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.Sessions.Authenticate(ctx, in.Session.ID); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("a session outlives it: %v", err)
		}
		wantCode(t, p.Accounts.ResetPassword(ctx, code(t, reset.Link), identity.Password, identity.Client), fault.Invalid, account.CodeBadCode)
		if err := login(better); err != nil { // nor do the failures stand in the way
			t.Error(err)
		}
		wantCode(t, login(identity.Password), fault.Unauthenticated, auth.CodeInvalidCredentials)
		log, err := p.Store.Read().Activity.List(ctx, domain.ActivityFilter{Action: domain.ActivityUserPasswordReset}, domain.PageRequest{})
		if err != nil || len(log.Items) != 1 || log.Items[0].ResourceID != anna.ID.String() || log.Items[0].UserID != nil {
			t.Errorf("the log says %+v, %v", log.Items, err)
		}
	})
}

func TestAnInvitationSaysWhoUsedItForAsLongAsTheyHaveAnAccount(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx, system := t.Context(), domain.SystemActor()
		set(t, p, "auth.registration", "invite")
		made, err := p.Accounts.Invite(ctx, system, account.NewInvitation{Email: "dora@example.org"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Accounts.Register(ctx, account.Applicant{Username: "dora", Password: identity.Password, Invitation: code(t, made.Link)}, domain.Client{}); err != nil {
			t.Fatal(err)
		}
		says := func(by, email string) {
			t.Helper()
			i, err := p.Store.Read().Invitations.Get(ctx, made.ID)
			if err != nil || i.UsedBy != by || i.Email != email || i.State(p.Clock.Now()) != domain.InvitationUsed {
				t.Errorf("got %+v, %v", i, err)
			}
		}
		says("dora", "dora@example.org")
		dora, name := p.SignIn(t, "dora"), "theodora"
		if _, err := p.Accounts.UpdateMe(ctx, dora.Actor, &name, nil); err != nil {
			t.Fatal(err)
		}
		says("theodora", "dora@example.org")
		if err := errors.Join(p.Accounts.Delete(ctx, system, dora.User.ID), p.Accounts.Purge(ctx, system, dora.User.ID)); err != nil {
			t.Fatal(err)
		}
		says("", "")
	})
}

func TestAResetIsForOneUseByWhoHoldsTheNewestLink(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx, client := t.Context(), domain.Client{IP: "192.0.2.1"}
		anna := p.User(t, "anna")
		signedIn := p.SignIn(t, "anna")
		ask := func() string {
			reset, err := p.Accounts.SendReset(ctx, domain.SystemActor(), anna.ID)
			if err != nil || reset.Sent || !strings.HasPrefix(reset.Link, "/reset#code=") {
				t.Fatalf("got %+v, %v", reset, err)
			}
			return code(t, reset.Link)
		}
		older := ask()
		newest := ask()
		const better = "eleven purple teapots"
		wantCode(t, p.Accounts.ResetPassword(ctx, older, better, client), fault.Invalid, account.CodeBadCode)
		wantCode(t, p.Accounts.ResetPassword(ctx, newest, "short", client), fault.Invalid, account.CodeInvalid) // which does not use it up
		p.SignIn(t, "anna")
		won := atOnce(t, 8, account.CodeBadCode, func(int) error { return p.Accounts.ResetPassword(ctx, newest, better, client) })
		if won != 1 {
			t.Errorf("%d used one link", won)
		}
		if _, _, err := p.Sessions.Authenticate(ctx, signedIn.Session.ID); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("a session outlives the reset: %v", err)
		}
		if ok, _, err := p.Hasher.Verify(ctx, better, hashOf(t, p, anna.ID)); !ok || err != nil {
			t.Errorf("the new password: %v, %v", ok, err)
		}
		late := ask()
		p.Clock.Add(30 * time.Minute)
		wantCode(t, p.Accounts.ResetPassword(ctx, late, identity.Password, client), fault.Invalid, account.CodeBadCode)
		disabled := ask()
		if _, err := p.Accounts.SetDisabled(ctx, domain.SystemActor(), anna.ID, true); err != nil {
			t.Fatal(err)
		}
		wantCode(t, p.Accounts.ResetPassword(ctx, disabled, identity.Password, client), fault.Invalid, account.CodeBadCode)
	})
}

func hashOf(t *testing.T, p *identity.Process, id domain.ID) domain.PasswordHash {
	t.Helper()
	hash, err := p.Store.Read().Users.PasswordHash(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestAPasswordIsChangedByWhoKnowsIt(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		anna := p.User(t, "anna")
		here, there := p.SignIn(t, "anna"), p.SignIn(t, "anna")
		const better = "eleven purple teapots"
		wantCode(t, p.Accounts.ChangePassword(ctx, here.Actor, "", better), fault.Invalid, account.CodeWrongPassword)
		wantCode(t, p.Accounts.ChangePassword(ctx, here.Actor, better, better), fault.Invalid, account.CodeWrongPassword)
		wantCode(t, p.Accounts.ChangePassword(ctx, here.Actor, identity.Password, "eight to"), fault.Invalid, account.CodeInvalid)
		if err := p.Accounts.ChangePassword(ctx, here.Actor, identity.Password, better); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.Sessions.Authenticate(ctx, there.Session.ID); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("another session outlives the change: %v", err)
		}
		if _, _, err := p.Sessions.Authenticate(ctx, here.Session.ID); err != nil {
			t.Errorf("the session that changed it: %v", err)
		}
		// An account without a password sets one when its owner was just seen.
		err := p.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return tx.Users.SetPasswordHash(ctx, anna.ID, "") })
		if err != nil {
			t.Fatal(err)
		}
		stale := here.Actor
		stale.AuthenticatedAt = p.Clock.Now().Add(-access.FreshFor - time.Second)
		wantCode(t, p.Accounts.ChangePassword(ctx, stale, "", better), fault.Forbidden, access.CodeNotFresh)
		if err := p.Accounts.ChangePassword(ctx, here.Actor, "", identity.Password); err != nil {
			t.Error(err)
		}
		p.SignIn(t, "anna")
	})
}

func TestShortPasswordsAreForAccountsWithASecondFactor(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		anna := p.User(t, "anna")
		on := true
		accounts := account.New(account.Deps{
			Store: p.Store, Hasher: p.Hasher, Policy: p.Policy, Access: p.Access, Sessions: p.Sessions, Settings: p.Settings, Mail: p.Mailing, Attempts: p.Attempts, Now: p.Clock.Now,
			SecondFactor: func(context.Context, store.Repos, domain.ID) (bool, error) { return on, nil },
		})
		actor := p.SignIn(t, "anna").Actor
		weak := func() bool {
			short, err := account.WeakWithoutFactor(ctx, p.Store.Read(), anna.ID)
			if err != nil {
				t.Fatal(err)
			}
			return short
		}
		wantCode(t, accounts.ChangePassword(ctx, actor, identity.Password, "7 chars"), fault.Invalid, account.CodeInvalid)
		if err := accounts.ChangePassword(ctx, actor, identity.Password, "8 kettle"); err != nil || !weak() {
			t.Errorf("weak %v, %v", weak(), err)
		}
		on = false
		wantCode(t, accounts.ChangePassword(ctx, actor, "8 kettle", "9 kettles"), fault.Invalid, account.CodeInvalid)
		if err := accounts.ChangePassword(ctx, actor, "8 kettle", identity.Password); err != nil || weak() {
			t.Errorf("weak %v, %v", weak(), err)
		}
	})
}

func TestADeletedAccountIsGoneAfterItsTimeOfGrace(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		p.User(t, "admin", domain.RoleAdmin)
		admin := p.SignIn(t, "admin").Actor
		anna := p.User(t, "anna")
		in := p.SignIn(t, "anna")
		stale := in.Actor
		stale.AuthenticatedAt = p.Clock.Now().Add(-access.FreshFor - time.Second)
		wantCode(t, p.Accounts.DeleteMe(ctx, stale), fault.Forbidden, access.CodeNotFresh)
		wantCode(t, p.Accounts.DeleteMe(ctx, admin), fault.Conflict, access.CodeLastAdmin)
		if err := p.Accounts.DeleteMe(ctx, in.Actor); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.Sessions.Authenticate(ctx, in.Session.ID); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("a session outlives its account: %v", err)
		}
		cleanUp := func() {
			if err := p.Accounts.CleanUp(ctx); err != nil {
				t.Fatal(err)
			}
		}
		p.Clock.Add(29 * 24 * time.Hour)
		cleanUp()
		if u, err := p.Accounts.Restore(ctx, domain.SystemActor(), anna.ID); err != nil || u.DeletedAt != nil {
			t.Fatalf("got %+v, %v", u, err)
		}
		p.SignIn(t, "anna")
		wantCode(t, p.Accounts.Purge(ctx, domain.SystemActor(), anna.ID), fault.Conflict, account.CodeNotDeleted)
		if err := p.Accounts.Delete(ctx, domain.SystemActor(), anna.ID); err != nil {
			t.Fatal(err)
		}
		p.Clock.Add(31 * 24 * time.Hour)
		cleanUp()
		_, err := p.Accounts.Get(ctx, domain.SystemActor(), anna.ID)
		wantCode(t, err, fault.NotFound, "user.not_found")
		log, err := p.Store.Read().Activity.List(ctx, domain.ActivityFilter{}, domain.PageRequest{Limit: 100})
		if err != nil || len(log.Items) < 5 {
			t.Fatalf("%d entries, %v", len(log.Items), err)
		}
		for _, e := range log.Items {
			if e.Username == "anna" || e.ResourceName == "anna" {
				t.Errorf("the log still names a purged account: %+v", e)
			}
		}
		p.User(t, "anna") // the name is free
	})
}
