package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/text/cases"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/mailing"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/ratelimit"
	"github.com/revenge-media/revenge/ports/store"
)

// The values of settings.RegistrationMode.
const (
	registrationClosed = "closed"
	registrationInvite = "invite"
)

// requests bounds what one address of the network may ask for without being signed in: what fills tables and mailboxes.
var requests = ratelimit.Rate{Requests: 1200, Per: time.Hour}

// mailsAnHour is how many mails about registrations one mail address gets in an hour.
const mailsAnHour = 3

// Applicant is somebody who wants an account.
type Applicant struct {
	Username    string
	Email       string
	Password    string
	DisplayName string
	// Invitation is its code; empty for none.
	Invitation string
}

// Register makes an account, or prepares one where a mail must show first that the address is the person's: then verify is true, and nothing but the mail
// tells whether the address had an account already (S3). Nothing of the address is looked at before that, and the name is reserved in both cases, as a
// second attempt at it would tell otherwise. User names are told when they are taken, so none may look like an address.
//
// Where no mail can be sent there is nothing to verify: the account is there at once, and an address that nobody vouches for is not kept. An invitation
// vouches for the address that it was sent to.
func (s *Service) Register(ctx context.Context, a Applicant, client domain.Client) (verify bool, err error) {
	if err := s.allow(ctx, "register", client); err != nil {
		return false, err
	}
	invited, err := s.admitted(ctx, a.Invitation)
	if err != nil {
		return false, err
	}
	can, err := s.mails(ctx)
	if err != nil {
		return false, err
	}
	n := NewUser{Username: a.Username, DisplayName: a.DisplayName, Email: a.Email, Password: a.Password}
	if invited != nil {
		n.Roles = invited.Roles
		if n.Email == "" || same(n.Email, invited.Email) {
			n.Email, n.EmailVerified = invited.Email, invited.Email != ""
		}
	}
	verify = can && !n.EmailVerified
	user, hash, err := s.applicant(ctx, n, verify)
	if err != nil {
		return false, err
	}
	if !verify && !n.EmailVerified {
		user.Email = ""
	}
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if invited != nil {
			used, err := tx.Invitations.Use(ctx, invited.ID, user.CreatedAt, user.Username)
			if err != nil {
				return err
			}
			if !used {
				return notInvited()
			}
		}
		if !verify {
			if err := tx.Users.Create(ctx, user, hash); err != nil {
				return err
			}
			return s.record(ctx, tx, domain.Actor{UserID: user.ID, Username: user.Username, Client: client}, domain.ActivityUserRegistered, user, nil)
		}
		err := tx.Registrations.Create(ctx, domain.Registration{
			ID: user.ID, Username: user.Username, DisplayName: user.DisplayName, Email: user.Email, PasswordHash: hash, Roles: user.Roles, IP: client.IP,
			CreatedAt: user.CreatedAt, ExpiresAt: user.CreatedAt.Add(verifyLifetime),
		}, user.CreatedAt)
		if err != nil {
			return err
		}
		return s.later(ctx, tx, request{Registration: &user.ID})
	})
	return verify, err
}

// admitted tells whether somebody with this code may register, and by which invitation.
func (s *Service) admitted(ctx context.Context, code string) (*domain.Invitation, error) {
	mode, err := settings.Get(ctx, s.deps.Settings, settings.RegistrationMode)
	switch {
	case err != nil:
		return nil, err
	case mode == registrationClosed:
		return nil, fault.New(fault.Forbidden, CodeRegistrationClosed, "This server takes no registrations. Ask its administrator for an account.")
	case code == "" && mode == registrationInvite:
		return nil, fault.New(fault.Forbidden, CodeInvitation, "This server takes registrations by invitation only. Ask its administrator for one.")
	case code == "":
		return nil, nil
	}
	i, err := s.invitation(ctx, code)
	return &i, err
}

// applicant is Prepare for somebody who chooses their own name.
func (s *Service) applicant(ctx context.Context, n NewUser, verify bool) (domain.User, domain.PasswordHash, error) {
	user := s.draft(n)
	fields, err := s.faults(ctx, user)
	if err != nil {
		return domain.User{}, "", err
	}
	if looksLikeAddress(user.Username) {
		fields = append(fields, fault.Field{Path: "username", Message: "A user name holds no @. You can sign in by your address as well."})
	}
	if verify && user.Email == "" {
		fields = append(fields, fault.Field{Path: "email", Message: "Give the address at which you confirm your account."})
	}
	fields = append(fields, passwordFaults(n.Password, MinPasswordLength, user)...)
	if err := invalid(fields); err != nil {
		return domain.User{}, "", err
	}
	hash, err := s.deps.Hasher.Hash(ctx, n.Password)
	return user, hash, err
}

// same compares addresses without regard to case.
func same(a, b string) bool {
	fold := cases.Fold()
	return fold.String(strings.TrimSpace(a)) == fold.String(strings.TrimSpace(b))
}

// allow bounds what an address of the network may ask for.
func (s *Service) allow(ctx context.Context, what string, client domain.Client) error {
	from := client.IP
	if ip, err := netip.ParseAddr(from); err == nil && ip.Is6() && !ip.Is4In6() { // a household has a whole /64 of them
		from = netip.PrefixFrom(ip, 64).Masked().String()
	}
	d, err := s.deps.Limiter.Allow(ctx, "account."+what+":"+from, requests)
	if err != nil {
		return err
	}
	if !d.Allowed {
		return fault.New(fault.RateLimited, CodeTooMany, "Too much was asked for from your address. Try again later.").WithRetryAfter(d.RetryAfter)
	}
	return nil
}

// KindMail looks up whom a request concerns and writes to them: apart from the request, so that its answer takes as long and looks alike whether there
// is an account or not (S3).
const KindMail jobs.Kind = "account.mail"

// request is what somebody who is not signed in asked for. Exactly one of the first three is set.
type request struct {
	Registration *domain.ID `json:"registration,omitempty"`
	Verify       string     `json:"verify,omitempty"` // an address
	// Reset is an account, or nobody's id: what was typed is not kept, since people type their passwords there.
	Reset *domain.ID `json:"reset,omitempty"`
	IP    string     `json:"ip,omitempty"`
}

func (s *Service) later(ctx context.Context, tx store.Tx, r request) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data) // asking again while it waits adds nothing
	job, err := jobs.New(KindMail, hex.EncodeToString(sum[:16]), r)
	if err != nil {
		return err
	}
	return tx.Jobs.Enqueue(ctx, job)
}

// Definitions are the jobs of this area.
func (s *Service) Definitions() []jobs.Definition {
	return []jobs.Definition{{Kind: KindMail, MaxAttempts: 5, Timeout: 20 * time.Second, Handler: func(ctx context.Context, run jobs.Run) error {
		var r request
		if err := json.Unmarshal(run.Payload, &r); err != nil {
			return jobs.Discard(err)
		}
		switch {
		case r.Registration != nil:
			return s.mailRegistration(ctx, *r.Registration)
		case r.Verify != "":
			return s.mailVerification(ctx, r.Verify)
		case r.Reset != nil:
			return s.mailReset(ctx, *r.Reset, domain.Client{IP: r.IP})
		}
		return jobs.Discard(errors.New("a request for nothing"))
	}}}
}

// mailRegistration sends the code to who registered; where the address has an account already, its owner hears of that instead.
func (s *Service) mailRegistration(ctx context.Context, id domain.ID) error {
	now := domain.Stamp(s.deps.Now())
	r, err := s.deps.Store.Read().Registrations.Get(ctx, id)
	if fault.IsNotFound(err) || (err == nil && !now.Before(r.ExpiresAt)) {
		return nil
	}
	if err != nil {
		return err
	}
	others, err := s.deps.Store.Read().Registrations.ByEmail(ctx, r.Email, now)
	if err != nil {
		return err
	}
	recent := 0
	for _, o := range others {
		if o.MailedAt != nil && now.Sub(*o.MailedAt) < time.Hour {
			recent++
		}
	}
	if recent >= mailsAnHour || (r.MailedAt != nil && now.Sub(*r.MailedAt) < again) {
		return nil
	}
	owner, _, err := s.deps.Store.Read().Users.ByLogin(ctx, r.Email)
	if err != nil && !fault.IsNotFound(err) {
		return err
	}
	var hash []byte
	m := mailing.Message{}
	if err == nil {
		if same(owner.Email, r.Email) {
			if m, err = s.to(ctx, owner, mailing.AddressInUse, map[string]string{"when": moment(now)}); err != nil {
				return err
			}
		}
	} else {
		var code, link string
		code, hash = newCode()
		if link, err = s.link(ctx, "verify", "code", code); err != nil {
			return err
		}
		m = mailing.Message{To: r.Email, ToName: r.DisplayName, Template: mailing.VerifyEmail, Data: map[string]string{"link": link, "expires": moment(r.ExpiresAt)}}
	}
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Registrations.Mailed(ctx, id, hash, now); err != nil {
			return err
		}
		return s.deps.Mail.Send(ctx, tx, m)
	})
	if fault.IsNotFound(err) {
		return nil // confirmed meanwhile
	}
	return err
}

// ResendVerification asks for the mail once more. The answer is the same whatever is known of the address (S3).
func (s *Service) ResendVerification(ctx context.Context, email string, client domain.Client) error {
	return s.ask(ctx, "verify", request{Verify: strings.TrimSpace(email)}, client)
}

// ForgotPassword asks for a mail with which one chooses a new password. The answer is the same whatever is known of the login (S3).
func (s *Service) ForgotPassword(ctx context.Context, login string, client domain.Client) error {
	user, _, err := s.deps.Store.Read().Users.ByLogin(ctx, login)
	if fault.IsNotFound(err) {
		user.ID, err = domain.NewID(), nil
	}
	if err != nil {
		return err
	}
	return s.ask(ctx, "reset", request{Reset: &user.ID, IP: client.IP}, client)
}

func (s *Service) ask(ctx context.Context, what string, r request, client domain.Client) error {
	if err := s.allow(ctx, what, client); err != nil {
		return err
	}
	return s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return s.later(ctx, tx, r) })
}

// mailVerification sends the newest registration's code once more, or one for the address that an account has and never confirmed.
func (s *Service) mailVerification(ctx context.Context, email string) error {
	can, err := s.mails(ctx)
	if err != nil || !can {
		return err
	}
	now := domain.Stamp(s.deps.Now())
	waiting, err := s.deps.Store.Read().Registrations.ByEmail(ctx, email, now)
	if err != nil {
		return err
	}
	if len(waiting) > 0 {
		return s.mailRegistration(ctx, waiting[0].ID)
	}
	user, _, err := s.deps.Store.Read().Users.ByLogin(ctx, email)
	if fault.IsNotFound(err) || (err == nil && (!user.Usable() || user.EmailVerifiedAt != nil || !same(user.Email, email))) {
		return nil
	}
	if err != nil {
		return err
	}
	if sent, err := s.sentJustNow(ctx, domain.TokenVerifyEmail, user.ID); err != nil || sent {
		return err
	}
	verification, err := s.issue(ctx, user, domain.TokenVerifyEmail, user.Email, "verify", verifyLifetime, mailing.VerifyEmail, nil)
	if err != nil {
		return err
	}
	return s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return verification.store(ctx, tx, s) })
}

func (s *Service) sentJustNow(ctx context.Context, kind domain.TokenKind, user domain.ID) (bool, error) {
	t, err := s.deps.Store.Read().OneTimeTokens.Of(ctx, kind, user, s.deps.Now())
	if fault.IsNotFound(err) {
		return false, nil
	}
	return err == nil && s.deps.Now().Sub(t.CreatedAt) < again, err
}

// mailReset sends the link with which an account's owner chooses a new password.
func (s *Service) mailReset(ctx context.Context, id domain.ID, client domain.Client) error {
	can, err := s.mails(ctx)
	if err != nil || !can {
		return err
	}
	user, err := s.deps.Store.Read().Users.Get(ctx, id)
	if fault.IsNotFound(err) || (err == nil && (!user.Usable() || user.Email == "")) {
		return nil
	}
	if err != nil {
		return err
	}
	if sent, err := s.sentJustNow(ctx, domain.TokenResetPassword, user.ID); err != nil || sent {
		return err
	}
	reset, err := s.newReset(ctx, user, client)
	if err != nil {
		return err
	}
	return s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := reset.store(ctx, tx, s); err != nil {
			return err
		}
		return s.record(ctx, tx, domain.Actor{Client: client}, domain.ActivityUserResetRequested, user, nil)
	})
}

// VerifyEmail takes the code of a mail: of a registration, whose account is there from then on; of an account's address; or of a change of it, which ends
// the account's other sessions. Nobody is signed in by it. actor is who opened the link, if anybody.
func (s *Service) VerifyEmail(ctx context.Context, actor domain.Actor, code string) error {
	hash := hashOf(strings.TrimSpace(code))
	done, err := s.completeRegistration(ctx, actor.Client, hash)
	if err != nil || done {
		return err
	}
	return s.confirmAddress(ctx, actor, hash)
}

func (s *Service) completeRegistration(ctx context.Context, client domain.Client, hash []byte) (done bool, err error) {
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		done = false
		now := domain.Stamp(s.deps.Now())
		r, err := tx.Registrations.Take(ctx, hash, now)
		if fault.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		user := domain.User{
			ID: r.ID, Username: r.Username, DisplayName: r.DisplayName, Email: r.Email, Roles: r.Roles, CreatedAt: now, UpdatedAt: now, EmailVerifiedAt: &now,
		}
		if err := tx.Users.Create(ctx, user, r.PasswordHash); err != nil {
			return err
		}
		done = true
		return s.record(ctx, tx, domain.Actor{UserID: user.ID, Username: user.Username, Client: client}, domain.ActivityUserRegistered, user, nil)
	})
	return done, err
}
