package identity

import (
	"context"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/oidc"
	"github.com/revenge-media/revenge/ports/store"
)

// register makes an account for somebody that no account is linked with. Nothing that the provider says makes it an account that exists: a taken
// name gets a number, an address that belongs to somebody is left out, as is one that the provider has not verified.
func (s *Service) register(ctx context.Context, p domain.OIDCProvider, who oidc.Identity, client domain.Client) (domain.OIDCLink, error) {
	now := domain.Stamp(s.deps.Now())
	name := username(who)
	user := domain.User{ID: domain.NewID(), DisplayName: clean(who.Name, 100), Roles: p.DefaultRoles, CreatedAt: now, UpdatedAt: now}
	if a, err := mail.ParseAddress(who.Email); err == nil && a.Address == who.Email && len(who.Email) <= 254 && who.EmailVerified {
		user.Email, user.EmailVerifiedAt = who.Email, &now
	}
	link := domain.OIDCLink{ID: domain.NewID(), UserID: user.ID, Issuer: who.Issuer, Subject: who.Subject, Label: label(who), CreatedAt: now, LastUsedAt: &now}
	for n := 1; ; {
		if user.Username = name; n > 1 {
			user.Username = fmt.Sprint(name, n)
		}
		if n > 20 {
			user.Username = name + "-" + strings.ToLower(random()[:8])
		}
		if clean(who.Name, 100) == "" {
			user.DisplayName = user.Username
		}
		err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Users.Create(ctx, user, ""); err != nil {
				return err
			}
			if err := tx.OIDC.CreateLink(ctx, link); err != nil {
				return err
			}
			e := domain.Activity{
				Action: domain.ActivityUserCreated, Success: true, UserID: &user.ID, Username: user.Username, ResourceType: "user", ResourceID: user.ID.String(),
				ResourceName: user.Username, Details: map[string]string{"provider": p.Name},
			}
			if err := activity.Record(ctx, tx, now, domain.Actor{Client: client}, e); err != nil {
				return err
			}
			return tx.Events.Publish(ctx, caching.Changed(bus.TopicUser, user.ID)...)
		})
		switch fault.CodeOf(err) {
		case "user.username_taken":
			n++
		case "user.email_taken":
			user.Email, user.EmailVerifiedAt = "", nil
		case "oidc.identity_taken": // the same person in another tab was faster
			return s.deps.Store.Read().OIDC.LinkOf(ctx, who.Issuer, who.Subject)
		default:
			return link, err
		}
	}
}

// username is what to call somebody's new account: as the provider does, without what follows an at sign, since a name that looks like an address is
// taken for one.
func username(who oidc.Identity) string {
	for _, name := range []string{who.Username, who.Email, who.Name} {
		name, _, _ = strings.Cut(name, "@")
		if name = clean(name, 50); name != "" {
			return name
		}
	}
	return "user"
}

// link ties the account that began it to who came back. Whoever is signed in by then must be the same.
func (s *Service) link(ctx context.Context, actor domain.Actor, began domain.ID, p domain.OIDCProvider, who oidc.Identity, client domain.Client) error {
	owner, _, err := s.deps.Sessions.Authenticate(ctx, began)
	if err != nil {
		return err
	}
	if !actor.Anonymous() && actor.UserID != owner.UserID {
		return fault.New(fault.Forbidden, CodeNotYours, "Another account is signed in by now. Sign in as who you were and link again.")
	}
	owner.Client = client
	now := domain.Stamp(s.deps.Now())
	l := domain.OIDCLink{ID: domain.NewID(), UserID: owner.UserID, Issuer: who.Issuer, Subject: who.Subject, Label: label(who), CreatedAt: now}
	return s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.OIDC.CreateLink(ctx, l); err != nil {
			return err
		}
		return activity.Record(ctx, tx, now, owner, linkEvent(domain.ActivityOIDCLinked, owner, p))
	})
}

func linkEvent(action string, actor domain.Actor, p domain.OIDCProvider) domain.Activity {
	return domain.Activity{
		Action: action, Success: true, ResourceType: "user", ResourceID: actor.UserID.String(), ResourceName: actor.Username,
		Details: map[string]string{"provider": p.Name},
	}
}

// Linked is a provider that an account is linked with.
type Linked struct {
	Provider domain.OIDCProvider
	Link     domain.OIDCLink
}

// Links lists what the actor's account is linked with, oldest first.
func (s *Service) Links(ctx context.Context, actor domain.Actor) ([]Linked, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSession); err != nil {
		return nil, err
	}
	return linked(ctx, s.deps.Store.Read(), actor.UserID)
}

func linked(ctx context.Context, r store.Repos, user domain.ID) ([]Linked, error) {
	links, err := r.OIDC.LinksOf(ctx, user)
	if err != nil || len(links) == 0 {
		return nil, err
	}
	providers, err := r.OIDC.Providers(ctx)
	if err != nil {
		return nil, err
	}
	var list []Linked
	for _, l := range links {
		if i := slices.IndexFunc(providers, func(p domain.OIDCProvider) bool { return p.Issuer == l.Issuer }); i >= 0 {
			list = append(list, Linked{providers[i], l})
		}
	}
	return list, nil
}

// Unlink takes a link away and ends the sessions that came by it, but the one that asks. The last way to sign in stays: Conflict. It needs a proof
// of identity of the last minutes (S9).
func (s *Service) Unlink(ctx context.Context, actor domain.Actor, provider string) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionProfile); err != nil {
		return err
	}
	now := domain.Stamp(s.deps.Now())
	if err := access.Fresh(actor, now); err != nil {
		return err
	}
	var ended []domain.ID
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		ended = nil
		list, err := linked(ctx, tx.Repos, actor.UserID)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(list, func(l Linked) bool { return l.Provider.Name == provider })
		if at < 0 {
			return fault.New(fault.NotFound, "oidc_link.not_found", "Your account is not linked with this provider.")
		}
		gone := list[at]
		if err := anotherWay(ctx, tx, actor.UserID, slices.Delete(list, at, at+1)); err != nil {
			return err
		}
		if err := tx.OIDC.DeleteLink(ctx, gone.Link.ID); err != nil {
			return err
		}
		if ended, err = s.end(ctx, tx, oidc.Logout{Subject: gone.Link.Subject, IssuedAt: now}, gone.Link.Issuer, &actor.SessionID); err != nil {
			return err
		}
		return activity.Record(ctx, tx, now, actor, linkEvent(domain.ActivityOIDCUnlinked, actor, gone.Provider))
	})
	s.deps.Sessions.Forget(ctx, ended...)
	return err
}

// anotherWay refuses to leave an account without any way to sign in: a password, a passkey, or one of these links by a provider that is on.
func anotherWay(ctx context.Context, tx store.Tx, user domain.ID, left []Linked) error {
	hash, err := tx.Users.PasswordHash(ctx, user)
	if err != nil {
		return err
	}
	if hash != "" || slices.ContainsFunc(left, func(l Linked) bool { return l.Provider.Enabled }) {
		return nil
	}
	if passkeys, err := tx.MFA.Passkeys(ctx, user); err != nil || len(passkeys) > 0 {
		return err
	}
	return fault.New(fault.Conflict, CodeLastWay, "You could not sign in any more. Set a password first.")
}

// end revokes the sessions that an issuer opened before it said so.
func (s *Service) end(ctx context.Context, tx store.Tx, said oidc.Logout, issuer string, except *domain.ID) (ended []domain.ID, err error) {
	sessions, err := tx.OIDC.SessionsOf(ctx, issuer, said.Subject, said.Session, said.IssuedAt)
	if err != nil {
		return nil, err
	}
	for _, one := range sessions {
		if except != nil && one.SessionID == *except {
			continue
		}
		if err := tx.Sessions.Revoke(ctx, one.SessionID, domain.Stamp(s.deps.Now())); err != nil {
			return nil, err
		}
		ended = append(ended, one.SessionID)
	}
	return ended, tx.Events.Publish(ctx, caching.Changed(bus.TopicSession, ended...)...)
}

// Logout ends what a provider says has ended (OpenID Connect Back-Channel Logout 1.0). A token that is played again ends nothing that began since.
func (s *Service) Logout(ctx context.Context, provider, token string, client domain.Client) error {
	p, err := s.offered(ctx, provider)
	if err != nil {
		return err
	}
	said, err := s.deps.Parties.Logout(ctx, oidc.Client{Issuer: p.Issuer, ID: p.ClientID}, token)
	if err != nil {
		return err
	}
	said.IssuedAt = said.IssuedAt.Add(time.Second) // it is told in whole seconds
	var ended []domain.ID
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		if ended, err = s.end(ctx, tx, said, p.Issuer, nil); err != nil || len(ended) == 0 {
			return err
		}
		return activity.Record(ctx, tx, s.deps.Now(), domain.Actor{Client: client}, domain.Activity{
			Action: domain.ActivityLogout, Success: true, ResourceType: "session", ResourceID: ended[0].String(),
			Details: map[string]string{"provider": p.Name, "sessions": fmt.Sprint(len(ended))},
		})
	})
	s.deps.Sessions.Forget(ctx, ended...)
	return err
}

// LogoutURL is where the browser goes on to sign out of the provider that opened the actor's session (OpenID Connect RP-Initiated Logout 1.0); "" for
// sessions of other origin, and where the provider offers or answers nothing: signing out here works in any case. Ask before the session ends.
func (s *Service) LogoutURL(ctx context.Context, actor domain.Actor) (string, error) {
	came, err := s.deps.Store.Read().OIDC.Session(ctx, actor.SessionID)
	if fault.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	offered, err := s.Offered(ctx)
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(offered, func(p domain.OIDCProvider) bool { return p.Issuer == came.Issuer })
	if at < 0 {
		return "", nil
	}
	p := offered[at]
	asking, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	m, err := s.deps.Parties.Metadata(asking, oidc.Client{Issuer: p.Issuer, ID: p.ClientID})
	if err != nil || m.EndSession == "" {
		if err != nil {
			s.deps.Logger.WarnContext(ctx, "a provider does not say where to sign out", "provider", p.Name, "error", err)
		}
		return "", nil
	}
	home, err := s.deps.Link(ctx, "/")
	if err != nil {
		return "", err
	}
	address, err := url.Parse(m.EndSession)
	if err != nil {
		return "", nil
	}
	query := address.Query()
	query.Set("client_id", p.ClientID)
	query.Set("post_logout_redirect_uri", home)
	if came.SealedToken != nil {
		hint, err := s.deps.Sealer.Open(ctx, hintLocation(came), came.SealedToken)
		if err == nil { // without it the provider asks the person
			query.Set("id_token_hint", string(hint))
		} else {
			s.deps.Logger.WarnContext(ctx, "a kept identity token cannot be opened", "error", err)
		}
	}
	address.RawQuery = query.Encode()
	return address.String(), nil
}
