package mfa

import (
	"context"
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/ports/passkey"
	"github.com/revenge-media/revenge/ports/store"
)

// MaxPasskeys is how many an account has at most.
const MaxPasskeys = 20

// What passkeys are asked: to be registered, or to sign in.
const (
	purposeRegister domain.ChallengePurpose = "mfa.passkey-register"
	purposeSignIn   domain.ChallengePurpose = "mfa.passkey-sign-in"
)

// asked is the Data of these challenges.
type asked struct {
	Party passkey.RelyingParty `json:"party"`
	State []byte               `json:"state"`
}

// Availability tells whether passkeys work under the server's address.
type Availability struct {
	Available bool
	// Reason says why not, for people.
	Reason string
	// RPID is the host name that they are for.
	RPID string
}

// Availability looks at the server's public address. requestOrigin is the address that the request came to, which counts on the computer itself only: see party.
func (s *Service) Availability(ctx context.Context, requestOrigin string) (Availability, error) {
	rp, err := s.party(ctx, requestOrigin)
	if fault.CodeOf(err) == CodeUnavailable {
		return Availability{Reason: fault.As(err).Message}, nil
	}
	return Availability{Available: err == nil, RPID: rp.ID}, err
}

// party is the site that passkeys are for: the configured public address, whatever a request names. Browsers want HTTPS and a name, or the computer itself
// (Secure Contexts, section 3.1). Where no address is configured, and only there, a request to localhost itself counts, with its port.
func (s *Service) party(ctx context.Context, requestOrigin string) (passkey.RelyingParty, error) {
	configured, err := settings.Get(ctx, s.deps.Settings, settings.PublicURL)
	if err != nil {
		return passkey.RelyingParty{}, err
	}
	name, err := settings.Get(ctx, s.deps.Settings, settings.ServerName)
	if err != nil {
		return passkey.RelyingParty{}, err
	}
	address := configured
	if address == "" {
		address = requestOrigin
	}
	u, err := url.Parse(address)
	if err != nil {
		return passkey.RelyingParty{}, unavailable("The address of this server cannot be read. Set server.publicURL.")
	}
	host := strings.ToLower(u.Hostname())
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	_, notIP := netip.ParseAddr(host)
	switch {
	case configured == "" && !local:
		return passkey.RelyingParty{}, unavailable("Passkeys need the address under which people reach this server. An administrator sets it: server.publicURL.")
	case notIP == nil:
		return passkey.RelyingParty{}, unavailable("Passkeys need a host name; the address of this server, %s, is an IP address.", address)
	case u.Scheme != "https" && !local:
		return passkey.RelyingParty{}, unavailable("Passkeys need HTTPS; the address of this server is %s.", address)
	case host == "" || strings.HasSuffix(host, ".") || strings.ContainsFunc(host, func(r rune) bool { return r > 0x7e }):
		return passkey.RelyingParty{}, unavailable("Passkeys need a host name in its plain form (xn--… for others than ASCII); the address of this server is %s.", address)
	}
	return passkey.RelyingParty{ID: host, Name: name, Origin: origin(u, host)}, nil
}

// origin is an address as browsers write it into their answers: without a path, and without the port that its scheme implies (RFC 6454, section 6.2).
func origin(u *url.URL, host string) string {
	port := u.Port()
	if port == "" || (u.Scheme == "https" && port == "443") || (u.Scheme == "http" && port == "80") {
		return u.Scheme + "://" + host
	}
	return u.Scheme + "://" + host + ":" + port
}

func unavailable(reason string, args ...any) error {
	return fault.New(fault.Conflict, CodeUnavailable, reason, args...)
}

func refused(cause error) error {
	return fault.Wrap(cause, fault.Unauthenticated, passkey.CodeRefused, "This passkey does not open this account. Try another one.")
}

// Passkeys lists the actor's, oldest first.
func (s *Service) Passkeys(ctx context.Context, actor domain.Actor) ([]domain.Passkey, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionEnrol); err != nil {
		return nil, err
	}
	return s.deps.Store.Read().MFA.Passkeys(ctx, actor.UserID)
}

// BeginPasskey asks the actor's browser for a new passkey; with passwordless for one that can sign in without a user name. It returns the options of
// navigator.credentials.create and the id that FinishPasskey takes, once and within five minutes.
func (s *Service) BeginPasskey(ctx context.Context, actor domain.Actor, passwordless bool, requestOrigin string) (options json.RawMessage, challengeID string, err error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionEnrol); err != nil {
		return nil, "", err
	}
	rp, err := s.party(ctx, requestOrigin)
	if err != nil {
		return nil, "", err
	}
	has, err := inventory(ctx, s.deps.Store.Read(), actor.UserID)
	if err != nil {
		return nil, "", err
	}
	if err := s.shown(actor, has.settings); err != nil {
		return nil, "", err
	}
	if len(has.passkeys) >= MaxPasskeys {
		return nil, "", tooMany()
	}
	owner, err := s.owner(ctx, actor.UserID, rp.ID)
	if err != nil {
		return nil, "", err
	}
	options, state, err := s.deps.Passkeys.BeginRegistration(ctx, rp, owner, passwordless)
	if err != nil {
		return nil, "", err
	}
	challengeID, err = s.ask(ctx, purposeRegister, &actor.UserID, asked{rp, state})
	return options, challengeID, err
}

func tooMany() error {
	return fault.New(fault.Conflict, CodeTooMany, "An account has at most %d passkeys. Remove one first.", MaxPasskeys)
}

// ask stores what a passkey is asked, and returns the id that its answer names.
func (s *Service) ask(ctx context.Context, purpose domain.ChallengePurpose, user *domain.ID, a asked) (challengeID string, err error) {
	data, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	now := domain.Stamp(s.deps.Now())
	id, hash := token()
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.Challenges.Create(ctx, domain.Challenge{Hash: hash, Purpose: purpose, UserID: user, Data: data, CreatedAt: now, ExpiresAt: now.Add(ceremony)})
	})
	return id, err
}

// take uses a challenge up, whatever its answer is worth (S12).
func (s *Service) take(ctx context.Context, purpose domain.ChallengePurpose, challengeID string) (c domain.Challenge, a asked, err error) {
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		c, err = tx.Challenges.Take(ctx, purpose, hashed(challengeID), s.deps.Now())
		return err
	})
	if fault.IsNotFound(err) {
		return c, a, fault.New(fault.Unauthenticated, CodeChallenge, "This took too long, or was answered before. Begin again.")
	}
	if err == nil {
		err = json.Unmarshal(c.Data, &a)
	}
	return c, a, err
}

// owner is an account as authenticators know it, with its passkeys for a site. Its handle is its id, which tells nothing of the person.
func (s *Service) owner(ctx context.Context, user domain.ID, rpID string) (passkey.Person, error) {
	u, err := s.deps.Store.Read().Users.Get(ctx, user)
	if err != nil {
		return passkey.Person{}, err
	}
	list, err := s.deps.Store.Read().MFA.Passkeys(ctx, user)
	p := passkey.Person{Handle: user[:], Name: u.Username, DisplayName: u.DisplayName}
	for _, c := range list {
		if c.RPID == rpID {
			p.Credentials = append(p.Credentials, passkey.Credential{
				ID: c.CredentialID, PublicKey: c.PublicKey, Counter: c.Counter, AAGUID: c.AAGUID, Transports: c.Transports, Attachment: c.Attachment,
				Discoverable: c.Discoverable, BackupEligible: c.BackupEligible, BackedUp: c.BackedUp,
			})
		}
	}
	return p, err
}

// FinishPasskey registers the passkey that the browser answered with; the account's first factor switches the second factor on.
func (s *Service) FinishPasskey(ctx context.Context, actor domain.Actor, challengeID, name string, credential json.RawMessage) (p domain.Passkey, added Added, err error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionEnrol); err != nil {
		return p, added, err
	}
	if name == "" {
		name = session.Device(actor.Client.UserAgent)
	}
	if name, err = named(name); err != nil {
		return p, added, err
	}
	c, a, err := s.take(ctx, purposeRegister, challengeID)
	if err != nil {
		return p, added, err
	}
	if c.UserID == nil || *c.UserID != actor.UserID {
		return p, added, refused(nil)
	}
	owner, err := s.owner(ctx, actor.UserID, a.Party.ID)
	if err != nil {
		return p, added, err
	}
	created, err := s.deps.Passkeys.FinishRegistration(ctx, a.Party, owner, a.State, credential)
	if err != nil {
		return p, added, err
	}
	id := domain.NewID()
	event := domain.Activity{Action: domain.ActivityMFAPasskeyAdded, ResourceType: "passkey", ResourceID: id.String(), ResourceName: name}
	err = s.change(ctx, actor, event, "passkeyAdded", func(ctx context.Context, tx store.Tx, has factors, now time.Time) error {
		if len(has.passkeys) >= MaxPasskeys {
			return tooMany()
		}
		p = domain.Passkey{
			ID: id, UserID: actor.UserID, Name: name, CredentialID: created.ID, PublicKey: created.PublicKey, RPID: a.Party.ID, Counter: created.Counter,
			AAGUID: created.AAGUID, Transports: created.Transports, Attachment: created.Attachment, Discoverable: created.Discoverable,
			BackupEligible: created.BackupEligible, BackedUp: created.BackedUp, CreatedAt: now,
		}
		if err := tx.MFA.CreatePasskey(ctx, p); err != nil {
			return err
		}
		added.BackupCodes, err = s.added(ctx, tx, actor, has, now)
		return err
	})
	if err != nil {
		return p, Added{}, err
	}
	added.Status, err = s.status(ctx, actor)
	return p, added, err
}

// UpdatePasskey gives one of the actor's another name, nil leaves it; somebody else's is NotFound.
func (s *Service) UpdatePasskey(ctx context.Context, actor domain.Actor, id domain.ID, name *string) (p domain.Passkey, err error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionProfile); err != nil {
		return p, err
	}
	if err := access.Interactive(actor); err != nil {
		return p, err
	}
	if name == nil {
		return s.deps.Store.Read().MFA.PasskeyOf(ctx, actor.UserID, id)
	}
	text, err := named(*name)
	if err != nil {
		return p, err
	}
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		if err := tx.MFA.RenamePasskey(ctx, actor.UserID, id, text); err != nil {
			return err
		}
		p, err = tx.MFA.PasskeyOf(ctx, actor.UserID, id)
		return err
	})
	return p, err
}

// RemovePasskey takes one of the actor's away, somebody else's is NotFound; without another factor that switches the second factor off.
func (s *Service) RemovePasskey(ctx context.Context, actor domain.Actor, id domain.ID) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionProfile); err != nil {
		return err
	}
	event := domain.Activity{Action: domain.ActivityMFAPasskeyRemoved, ResourceType: "passkey", ResourceID: id.String()}
	return s.change(ctx, actor, event, "passkeyRemoved", func(ctx context.Context, tx store.Tx, _ factors, now time.Time) error {
		if err := tx.MFA.DeletePasskey(ctx, actor.UserID, id); err != nil {
			return err
		}
		return s.removed(ctx, tx, actor, now)
	})
}

// BeginPasskeySignIn asks for any passkey that knows by itself whose it is. It returns the options of navigator.credentials.get and the id that
// FinishPasskeySignIn takes, once and within five minutes.
func (s *Service) BeginPasskeySignIn(ctx context.Context, requestOrigin string) (options json.RawMessage, challengeID string, err error) {
	rp, err := s.party(ctx, requestOrigin)
	if err != nil {
		return nil, "", err
	}
	options, state, err := s.deps.Passkeys.BeginSignIn(ctx, rp, nil)
	if err != nil {
		return nil, "", err
	}
	challengeID, err = s.ask(ctx, purposeSignIn, nil, asked{rp, state})
	return options, challengeID, err
}

// BeginPasskeyFactor asks for one of an account's passkeys, as its second factor: for Verify.
func (s *Service) BeginPasskeyFactor(ctx context.Context, user domain.ID, requestOrigin string) (options json.RawMessage, challengeID string, err error) {
	rp, err := s.party(ctx, requestOrigin)
	if err != nil {
		return nil, "", err
	}
	owner, err := s.owner(ctx, user, rp.ID)
	if err != nil {
		return nil, "", err
	}
	if len(owner.Credentials) == 0 {
		return nil, "", fault.New(fault.Conflict, CodeElsewhere, "You have no passkey for %s. Use another second factor.", rp.ID)
	}
	options, state, err := s.deps.Passkeys.BeginSignIn(ctx, rp, &owner)
	if err != nil {
		return nil, "", err
	}
	challengeID, err = s.ask(ctx, purposeSignIn, &user, asked{rp, state})
	return options, challengeID, err
}

// FinishPasskeySignIn returns whose passkey answered. Unauthenticated when it proves nothing. Whether that account may sign in is the caller's to ask.
func (s *Service) FinishPasskeySignIn(ctx context.Context, challengeID string, credential json.RawMessage, client domain.Client) (domain.ID, error) {
	return s.usePasskey(ctx, challengeID, credential, nil, client)
}

// usePasskey checks an answer and notes the use. user is who must have answered, nil for anybody: then the challenge must be anybody's as well.
func (s *Service) usePasskey(ctx context.Context, challengeID string, credential json.RawMessage, user *domain.ID, client domain.Client) (domain.ID, error) {
	c, a, err := s.take(ctx, purposeSignIn, challengeID)
	if err != nil {
		return domain.ID{}, err
	}
	if c.UserID != nil && (user == nil || *user != *c.UserID) {
		return domain.ID{}, refused(nil)
	}
	claim, err := s.deps.Passkeys.Claim(credential)
	if err != nil {
		return domain.ID{}, refused(err)
	}
	p, err := s.deps.Store.Read().MFA.PasskeyByCredential(ctx, claim.CredentialID)
	if fault.IsNotFound(err) || (err == nil && user != nil && p.UserID != *user) {
		return domain.ID{}, refused(err)
	}
	if err != nil {
		return domain.ID{}, err
	}
	owner, err := s.owner(ctx, p.UserID, a.Party.ID)
	if err != nil {
		return domain.ID{}, err
	}
	proven, err := s.deps.Passkeys.FinishSignIn(ctx, a.Party, owner, a.State, credential)
	if err != nil {
		return domain.ID{}, refused(err)
	}
	advanced := false
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		now := domain.Stamp(s.deps.Now())
		if advanced, err = tx.MFA.UsePasskey(ctx, p.ID, domain.PasskeyUse{Counter: proven.Counter, BackedUp: proven.BackedUp, At: now}); err != nil || advanced {
			return err
		}
		return cloned(ctx, tx, now, p, client)
	})
	if err != nil {
		return domain.ID{}, err
	}
	if !advanced {
		return domain.ID{}, refused(nil)
	}
	return p.UserID, nil
}

// cloned notes that a passkey's counter was not ahead of what it showed before: it, or a copy of it, was used in between (WebAuthn L3, section 6.1.1).
func cloned(ctx context.Context, tx store.Tx, now time.Time, p domain.Passkey, client domain.Client) error {
	err := tx.MFA.MarkPasskeyCloned(ctx, p.ID, now)
	if fault.IsNotFound(err) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	by, err := person(ctx, tx.Repos, p.UserID, client)
	if err != nil {
		return err
	}
	return activity.Record(ctx, tx, now, by, domain.Activity{
		Action: domain.ActivityMFAPasskeyCloned, ResourceType: "passkey", ResourceID: p.ID.String(), ResourceName: p.Name,
	})
}
