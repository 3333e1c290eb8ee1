package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/mailing"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/ports/store"
)

const (
	// resetLifetime is how long a link for a new password is good (S10).
	resetLifetime = 30 * time.Minute
	// verifyLifetime is how long an address can be confirmed, and a name stays reserved for it.
	verifyLifetime = 24 * time.Hour
	// again is how long a link that was sent stays the newest: who asks at every second neither floods a mailbox nor voids what was just sent.
	again = 2 * time.Minute
)

// newCode returns 256 random bits for a link, and the hash that is stored (S10).
func newCode() (code string, hash []byte) {
	random := make([]byte, 32)
	rand.Read(random) // which never fails (crypto/rand)
	code = base64.RawURLEncoding.EncodeToString(random)
	return code, hashOf(code)
}

func hashOf(code string) []byte {
	sum := sha256.Sum256([]byte(code))
	return sum[:]
}

func badCode() error {
	return fault.InvalidField(CodeBadCode, "code", "This link was used already, has expired, or was replaced by a newer one. Ask for another.")
}

// badCodeIfAbsent hides which of the reasons it is.
func badCodeIfAbsent(err error) error {
	if fault.IsNotFound(err) {
		return badCode()
	}
	return err
}

// moment is a time as mails tell it.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// mails tells whether links can be sent: there is a mail server, and the server knows its own address.
func (s *Service) mails(ctx context.Context) (bool, error) {
	configured, err := s.deps.Mail.Configured(ctx)
	if err != nil || !configured {
		return false, err
	}
	_, err = s.deps.Mail.Link(ctx, "")
	if fault.CodeOf(err) == mailing.CodeNoPublicURL {
		return false, nil
	}
	return err == nil, err
}

// CanMail tells whether links can be sent to people: where not, open registration asks for no address, and administrators hand links over.
func (s *Service) CanMail(ctx context.Context) (bool, error) { return s.mails(ctx) }

// link is a page with a code behind the fragment, which no server and no log sees: absolute where the public address is known, else its path.
func (s *Service) link(ctx context.Context, page, name, code string) (string, error) {
	path := "/" + page + "#" + name + "=" + code
	link, err := s.deps.Mail.Link(ctx, path)
	if fault.CodeOf(err) == mailing.CodeNoPublicURL {
		return path, nil
	}
	return link, err
}

// to is a mail to an account.
func (s *Service) to(ctx context.Context, u domain.User, template mailing.Template, data map[string]string) (mailing.Message, error) {
	preferences, err := s.deps.Store.Read().Users.Preferences(ctx, u.ID)
	if err != nil {
		return mailing.Message{}, err
	}
	return mailing.Message{To: u.Email, ToName: u.DisplayName, Language: preferences.Language, Template: template, Data: data}, nil
}

// note is a mail about something that happened to an account just now.
func (s *Service) note(ctx context.Context, u domain.User, template mailing.Template) (mailing.Message, error) {
	grace, err := s.grace(ctx)
	now := s.deps.Now()
	if err != nil {
		return mailing.Message{}, err
	}
	return s.to(ctx, u, template, map[string]string{"when": moment(now), "purgeAt": moment(now.Add(grace))})
}

// from adds where a change came from.
func from(m mailing.Message, client domain.Client) mailing.Message {
	m.Data = maps.Clone(m.Data)
	if client.IP != "" {
		m.Data["ip"] = client.IP
	}
	if client.UserAgent != "" {
		m.Data["device"] = session.Device(client.UserAgent)
	}
	return m
}

// issued is a one-time token that is about to be stored, with its link and, where one can be sent, its mail.
type issued struct {
	token domain.OneTimeToken
	link  string
	mail  *mailing.Message
}

// issue makes a token for an account, and the mail with its link to an address; without an address, or where no mail can be sent, only the link.
func (s *Service) issue(ctx context.Context, u domain.User, kind domain.TokenKind, email, page string, lifetime time.Duration, template mailing.Template, data map[string]string) (issued, error) {
	now := domain.Stamp(s.deps.Now())
	code, hash := newCode()
	link, err := s.link(ctx, page, "code", code)
	if err != nil {
		return issued{}, err
	}
	i := issued{link: link, token: domain.OneTimeToken{Hash: hash, Kind: kind, UserID: u.ID, Email: email, CreatedAt: now, ExpiresAt: now.Add(lifetime)}}
	can, err := s.mails(ctx)
	if err != nil || !can || email == "" {
		return i, err
	}
	values := map[string]string{"link": link, "expires": moment(i.token.ExpiresAt)}
	maps.Copy(values, data)
	m, err := s.to(ctx, u, template, values)
	m.To = email
	i.mail = &m
	return i, err
}

// store stores the token, which voids the account's older ones of its kind, and sends the mail.
func (i issued) store(ctx context.Context, tx store.Tx, s *Service) error {
	if err := tx.OneTimeTokens.Create(ctx, i.token); err != nil || i.mail == nil {
		return err
	}
	return s.deps.Mail.Send(ctx, tx, *i.mail)
}

// answer is what an administrator gets to see: the link only where it has to be handed over.
func (i issued) answer() ResetLink {
	if i.mail != nil {
		return ResetLink{Sent: true, ExpiresAt: i.token.ExpiresAt}
	}
	return ResetLink{Link: i.link, ExpiresAt: i.token.ExpiresAt}
}

func (s *Service) newReset(ctx context.Context, u domain.User, client domain.Client) (issued, error) {
	data := map[string]string{}
	if client.IP != "" {
		data["ip"] = client.IP
	}
	return s.issue(ctx, u, domain.TokenResetPassword, u.Email, "reset", resetLifetime, mailing.ResetPassword, data)
}
