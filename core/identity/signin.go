package identity

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/oidc"
	"github.com/revenge-media/revenge/ports/store"
)

// AttemptLifetime is how long somebody may take to sign in at a provider.
const AttemptLifetime = 10 * time.Minute

const purposeAttempt domain.ChallengePurpose = "oidc.attempt"

// attempt is what the server keeps of a sign-in that was begun, under the hash of its state. Nonce and verifier follow from the secret that only
// the browser has, so that whoever reads the database can neither end an attempt nor redeem its code.
type attempt struct {
	Provider string `json:"provider"`
	Issuer   string `json:"issuer"`
	ReturnTo string `json:"returnTo"`
	Browser  []byte `json:"browser"` // SHA-256 of its secret
	// Link is the session that asked to be linked; nil signs in.
	Link *domain.ID `json:"link,omitempty"`
}

// Begun is a sign-in under way: the browser keeps Secret until ExpiresAt, out of reach of scripts, and goes to URL.
type Begun struct {
	URL       string
	Secret    string
	ExpiresAt time.Time
}

// Answer is how the browser came back.
type Answer struct {
	State, Code, Issuer string
	// Error is the provider's, "" where it let somebody in.
	Error string
	// Secret is what the browser kept.
	Secret string
}

// Finished is how a sign-in ended. Linked and ReturnTo tell also of one that failed what it was to be.
type Finished struct {
	// Outcome is the session or what is asked for besides; zero when Linked.
	Outcome auth.Outcome
	Linked  bool
	// ReturnTo is a path of this server.
	ReturnTo string
}

func callbackPath(name string) string    { return "/api/v1/auth/oidc/" + name + "/callback" }
func backchannelPath(name string) string { return "/api/v1/auth/oidc/" + name + "/backchannel-logout" }

func random() string {
	data := make([]byte, 32)
	_, _ = rand.Read(data) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(data)
}

func hashed(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

// derived is a value of an attempt that only its browser's secret gives.
func derived(secret, state, what string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(what + " of " + state))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Begin starts a sign-in. returnTo is where the person wants to be afterwards; what is no path of this server leads home. anew asks the provider
// to have the person prove again who they are.
func (s *Service) Begin(ctx context.Context, provider, returnTo string, anew bool) (Begun, error) {
	return s.begin(ctx, attempt{Provider: provider, ReturnTo: LocalPath(returnTo)}, anew)
}

// BeginLink starts to link the actor's account with who they are at a provider. It needs a proof of identity of the last minutes (S9).
func (s *Service) BeginLink(ctx context.Context, actor domain.Actor, provider, returnTo string) (Begun, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionProfile); err != nil {
		return Begun{}, err
	}
	if err := access.Fresh(actor, s.deps.Now()); err != nil {
		return Begun{}, err
	}
	return s.begin(ctx, attempt{Provider: provider, ReturnTo: LocalPath(returnTo), Link: &actor.SessionID}, false)
}

func (s *Service) begin(ctx context.Context, a attempt, anew bool) (Begun, error) {
	p, err := s.offered(ctx, a.Provider)
	if err != nil {
		return Begun{}, err
	}
	state, secret, now := random(), random(), domain.Stamp(s.deps.Now())
	a.Issuer, a.Browser = p.Issuer, hashed(secret)
	party, begun, err := s.party(ctx, p, state, secret)
	if err != nil {
		return Begun{}, err
	}
	begun.Anew = anew
	address, err := s.deps.Parties.Authorize(ctx, party, begun)
	if err != nil {
		return Begun{}, err
	}
	data, err := json.Marshal(a)
	if err != nil {
		return Begun{}, err
	}
	c := domain.Challenge{Hash: hashed(state), Purpose: purposeAttempt, Data: data, CreatedAt: now, ExpiresAt: now.Add(AttemptLifetime)}
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return tx.Challenges.Create(ctx, c) })
	return Begun{URL: address, Secret: secret, ExpiresAt: c.ExpiresAt}, err
}

// party is both sides of an attempt: this server as the provider knows it, and what binds the end to the beginning.
func (s *Service) party(ctx context.Context, p domain.OIDCProvider, state, secret string) (oidc.Client, oidc.Attempt, error) {
	client, err := s.client(ctx, p)
	if err != nil {
		return oidc.Client{}, oidc.Attempt{}, err
	}
	redirect, err := s.deps.Link(ctx, callbackPath(p.Name))
	return client, oidc.Attempt{
		RedirectURI: redirect, State: state, Nonce: derived(secret, state, "nonce"), Verifier: derived(secret, state, "verifier"),
	}, err
}

func (s *Service) offered(ctx context.Context, name string) (domain.OIDCProvider, error) {
	p, err := s.deps.Store.Read().OIDC.Provider(ctx, name)
	if fault.IsNotFound(err) || (err == nil && !p.Enabled) {
		return domain.OIDCProvider{}, fault.New(fault.NotFound, CodeUnknown, "There is no such way to sign in any more. Choose another.")
	}
	return p, err
}

// Finish ends what Begin or BeginLink started. actor is who the browser's session says it is, or nobody: for a link it must be who began.
func (s *Service) Finish(ctx context.Context, actor domain.Actor, provider string, answer Answer, client domain.Client, o auth.Options) (Finished, error) {
	begun, err := s.take(ctx, provider, answer)
	finished := Finished{Linked: begun.Link != nil, ReturnTo: LocalPath(begun.ReturnTo)}
	if err != nil {
		return finished, err
	}
	if answer.Error != "" || answer.Code == "" {
		s.deps.Logger.InfoContext(ctx, "a provider let nobody in", "provider", provider, "error", activity.Line(answer.Error))
		return finished, fault.New(fault.Unauthenticated, CodeRefused, "The provider did not let you in. Try again, or choose another way to sign in.")
	}
	p, err := s.offered(ctx, provider)
	if err != nil {
		return finished, err
	}
	if p.Issuer != begun.Issuer {
		return finished, stateInvalid()
	}
	party, ends, err := s.party(ctx, p, answer.State, answer.Secret)
	if err != nil {
		return finished, err
	}
	who, err := s.deps.Parties.Redeem(ctx, party, ends, oidc.Answer{Code: answer.Code, Issuer: answer.Issuer}, wanted(p)...)
	if err != nil {
		s.deps.Logger.WarnContext(ctx, "a provider's answer was refused", "provider", provider, "error", err)
		return finished, err
	}
	if begun.Link != nil {
		return finished, s.link(ctx, actor, *begun.Link, p, who, client)
	}
	finished.Outcome, err = s.signIn(ctx, p, who, client, o)
	return finished, err
}

// take uses an attempt up, if this browser began it with this provider.
func (s *Service) take(ctx context.Context, provider string, answer Answer) (attempt, error) {
	var a attempt
	now, hash := s.deps.Now(), hashed(answer.State)
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		a = attempt{}
		kept, err := tx.Challenges.Get(ctx, purposeAttempt, hash, now)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(kept.Data, &a); err != nil {
			return err
		}
		if a.Provider != provider || !hmac.Equal(a.Browser, hashed(answer.Secret)) {
			return stateInvalid() // and whoever began it may still end it
		}
		_, err = tx.Challenges.Take(ctx, purposeAttempt, hash, now)
		return err
	})
	if fault.IsNotFound(err) {
		err = stateInvalid()
	}
	if err != nil {
		return attempt{}, err
	}
	return a, nil
}

func stateInvalid() error {
	return fault.New(fault.Unauthenticated, CodeStateInvalid, "This sign-in was not begun in this browser, or it took too long. Try again.")
}

// signIn opens a session for whom a provider vouches for.
func (s *Service) signIn(ctx context.Context, p domain.OIDCProvider, who oidc.Identity, client domain.Client, o auth.Options) (auth.Outcome, error) {
	link, err := s.deps.Store.Read().OIDC.LinkOf(ctx, who.Issuer, who.Subject)
	if fault.IsNotFound(err) {
		if !p.AutoRegister {
			return auth.Outcome{}, s.denied(ctx, p, who, nil, client, fault.New(fault.Forbidden, CodeNotLinked,
				"No account here is linked with you at %s. Sign in otherwise and link it in your settings, or ask an administrator.", p.DisplayName))
		}
		link, err = s.register(ctx, p, who, client)
	}
	if err != nil {
		return auth.Outcome{}, err
	}
	user, err := s.recognise(ctx, p, link, who, client)
	if fault.CodeOf(err) == CodeAccountClosed {
		err = s.denied(ctx, p, who, &user, client, err)
	}
	if err != nil {
		return auth.Outcome{}, err
	}
	if o.OIDC, err = s.origin(ctx, who); err != nil {
		return auth.Outcome{}, err
	}
	o.SecondFactorShown = p.TrustMFA && slices.Contains(who.Methods, "mfa")
	o.AuthenticatedAt = who.AuthenticatedAt
	return s.deps.Auth.Open(ctx, link.UserID, domain.SignInOIDC, client, o)
}

// denied notes a sign-in that the provider confirmed and this server refused, and returns why.
func (s *Service) denied(ctx context.Context, p domain.OIDCProvider, who oidc.Identity, user *domain.User, client domain.Client, why error) error {
	e := domain.Activity{Action: domain.ActivityLoginFailed, Details: map[string]string{"method": string(domain.SignInOIDC), "provider": p.Name, "reason": fault.CodeOf(why)}}
	if user != nil {
		e.UserID, e.Username = &user.ID, user.Username
	}
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		return activity.Record(ctx, tx, s.deps.Now(), domain.Actor{Client: client}, e)
	})
	if err != nil {
		return err
	}
	return why
}

// longestHint is how long an identity token may be to be kept: it goes back to the provider in an address.
const longestHint = 4 << 10

// origin is what is kept with a session of where it came from.
func (s *Service) origin(ctx context.Context, who oidc.Identity) (*domain.OIDCSession, error) {
	o := &domain.OIDCSession{ID: domain.NewID(), Issuer: who.Issuer, Subject: who.Subject, ProviderSession: who.Session}
	if len(who.Token) > longestHint {
		return o, nil
	}
	var err error
	o.SealedToken, err = s.deps.Sealer.Seal(ctx, hintLocation(*o), []byte(who.Token))
	return o, err
}

// hintLocation is what an identity token is sealed for.
func hintLocation(o domain.OIDCSession) string {
	return "oidc_sessions/" + o.ID.String() + "/sealed_token"
}

// recognise returns the account of a link, with the roles that the provider's claim gives it.
func (s *Service) recognise(ctx context.Context, p domain.OIDCProvider, link domain.OIDCLink, who oidc.Identity, client domain.Client) (domain.User, error) {
	var user domain.User
	var changed bool
	now := domain.Stamp(s.deps.Now())
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		changed = false
		if user, err = tx.Users.Get(ctx, link.UserID); err != nil {
			return err
		}
		if !user.Usable() {
			return fault.New(fault.Forbidden, CodeAccountClosed, "Your account here is closed. Ask an administrator.")
		}
		if err := tx.OIDC.UseLink(ctx, link.ID, label(who), now); err != nil {
			return err
		}
		before := user.Roles
		if user.Roles, err = s.mapped(ctx, tx, p, user, who); err != nil {
			return err
		}
		if changed = !slices.Equal(before, user.Roles); !changed {
			return nil
		}
		user.UpdatedAt = now
		if err := tx.Users.Update(ctx, user); err != nil {
			return err
		}
		e := domain.Activity{
			Action: domain.ActivityRoleChanged, Success: true, UserID: &user.ID, Username: user.Username, ResourceType: "user", ResourceID: user.ID.String(),
			ResourceName: user.Username, Details: map[string]string{"provider": p.Name, "before": roles(before), "after": roles(user.Roles)},
		}
		if err := activity.Record(ctx, tx, now, domain.Actor{Client: client}, e); err != nil {
			return err
		}
		return tx.Events.Publish(ctx, caching.Changed(bus.TopicUser, user.ID)...)
	})
	if err == nil && changed {
		s.deps.Sessions.ForgetUsers(ctx, user.ID)
	}
	return user, err
}

func roles(list []domain.RoleName) string {
	texts := make([]string, len(list))
	for i, r := range list {
		texts[i] = string(r)
	}
	return strings.Join(texts, ", ")
}

// mapped returns the roles that an account has after a sign-in: those of the mapping exactly as the claim says, all others as they were. The last
// administrator stays one.
func (s *Service) mapped(ctx context.Context, tx store.Tx, p domain.OIDCProvider, user domain.User, who oidc.Identity) ([]domain.RoleName, error) {
	values := claim(who.Claims, p.RoleClaim)
	var managed, given []domain.RoleName
	for _, m := range p.RoleMapping {
		if m.Role == domain.RoleAdmin && !p.MapAdmin {
			continue
		}
		managed = append(managed, m.Role)
		if slices.Contains(values, m.Value) && !slices.Contains(given, m.Role) {
			given = append(given, m.Role)
		}
	}
	kept := []domain.RoleName{}
	for _, role := range user.Roles {
		stays := !slices.Contains(managed, role) || slices.Contains(given, role)
		if !stays && role == domain.RoleAdmin {
			admins, err := tx.Users.CountAdmins(ctx)
			if err != nil {
				return nil, err
			}
			stays = admins <= 1
		}
		if stays {
			kept = append(kept, role)
		}
	}
	for _, role := range given {
		if !slices.Contains(kept, role) {
			kept = append(kept, role)
		}
	}
	return kept, nil
}

// wanted are the claims that a sign-in uses, asked for besides where the identity token lacks them.
func wanted(p domain.OIDCProvider) []string {
	names := []string{"preferred_username", "email"}
	switch first, _, _ := strings.Cut(p.RoleClaim, "."); {
	case p.RoleClaim == "":
	case strings.Contains(p.RoleClaim, "://"): // a collision-resistant name (RFC 7519, 2) is no path
		names = append(names, p.RoleClaim)
	default:
		names = append(names, first)
	}
	return names
}

// claim returns the values of a claim, a text or a list of them: by its whole name, else by dots, as in "realm_access.roles".
func claim(claims map[string]any, name string) []string {
	value, ok := claims[name]
	if !ok {
		first, rest, nested := strings.Cut(name, ".")
		inner, isObject := claims[first].(map[string]any)
		if nested && isObject {
			return claim(inner, rest)
		}
		return nil
	}
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var values []string
		for _, one := range v {
			if text, ok := one.(string); ok {
				values = append(values, text)
			}
		}
		return values
	}
	return nil
}

// label is what to call somebody's identity in a list.
func label(who oidc.Identity) string {
	for _, name := range []string{who.Username, who.Email, who.Name} {
		if name = clean(name, 100); name != "" {
			return name
		}
	}
	return ""
}

// clean makes what a provider says fit to be a name: without control characters and directions of writing, at most n characters.
func clean(s string, n int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")))
	if runes := []rune(s); len(runes) > n {
		s = strings.TrimSpace(string(runes[:n]))
	}
	return s
}

// LocalPath returns an address within this server as it was given, and "/" for anything else: other hosts in any spelling that a browser takes for
// one, schemes, and what hides them by encoding.
func LocalPath(s string) string {
	if len(s) > 2000 {
		return "/"
	}
	for plain, rounds := s, 0; ; rounds++ {
		if !strings.HasPrefix(plain, "/") || strings.ContainsRune(plain, '\\') || strings.ContainsFunc(plain, unicode.IsControl) {
			return "/"
		}
		if path, _, _ := strings.Cut(plain, "?"); strings.Contains(path, "//") {
			return "/"
		}
		next, err := url.PathUnescape(plain)
		if err != nil || rounds == 4 {
			return "/"
		}
		if next == plain {
			break
		}
		plain = next
	}
	if u, err := url.Parse(s); err != nil || u.Scheme != "" || u.Host != "" || u.User != nil {
		return "/"
	}
	return s
}
