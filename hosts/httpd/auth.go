package httpd

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/mfa"
)

// origin gives a handler the request it came by: address, device, TLS.
type origin struct{ request *http.Request }

// Resolve is huma's hook that runs before the handler.
func (o *origin) Resolve(ctx huma.Context) []error {
	o.request, _ = humachi.Unwrap(ctx)
	return nil
}

func (o origin) client() domain.Client {
	return domain.Client{IP: clientIP(o.request), UserAgent: o.request.UserAgent()}
}

// SignIn is the answer to a sign-in: a session, or what is asked for before there is one.
type SignIn struct {
	User         *domain.User        `json:"user,omitempty" doc:"Absent with challenge, as are permissions and session"`
	Permissions  []domain.Permission `json:"permissions,omitempty"`
	Session      *domain.Session     `json:"session,omitempty"`
	MustEnrol    bool                `json:"mustEnrol,omitempty" doc:"A role asks for a second factor: nothing else is allowed before one is added"`
	AccessToken  string              `json:"accessToken,omitempty" doc:"A JWT for the Authorization header; absent with cookie"`
	RefreshToken string              `json:"refreshToken,omitempty" doc:"Single use: POST /auth/refresh gives the next; absent with cookie"`
	ExpiresIn    int                 `json:"expiresIn,omitempty" doc:"Seconds until the access token ends"`
	Challenge    *Challenge          `json:"challenge,omitempty" doc:"A second factor is asked for: POST /auth/mfa/verify"`
	DeviceToken  string              `json:"deviceToken,omitempty" doc:"With it this device need not show the second factor for 30 days: send it with the next login. Browsers get a cookie instead"`
}

// Challenge asks for a second factor.
type Challenge struct {
	Token     string                `json:"token" doc:"For POST /auth/mfa/verify. It may be used until a factor was right"`
	Methods   []domain.FactorMethod `json:"methods" enum:"totp,webauthn,backup_code" doc:"What may be shown, the most convenient first"`
	ExpiresAt time.Time             `json:"expiresAt"`
}

type signInOutput struct {
	SetCookie []*http.Cookie `header:"Set-Cookie"`
	Body      SignIn
}

type loginInput struct {
	origin
	Body struct {
		Login       string `json:"login" minLength:"1" maxLength:"254" doc:"User name or e-mail address"`
		Password    string `json:"password" minLength:"1" maxLength:"1024"`
		Cookie      bool   `json:"cookie,omitempty" doc:"Set the browser's session cookie instead of returning tokens"`
		DeviceToken string `json:"deviceToken,omitempty" maxLength:"200" doc:"Of a trusted device, for clients without cookies"`
	}
}

// FactorBody shows a second factor.
type FactorBody struct {
	Method      domain.FactorMethod `json:"method,omitempty" enum:"totp,webauthn,backup_code"`
	Code        string              `json:"code,omitempty" maxLength:"100" doc:"Of an authenticator app, or a backup code"`
	ChallengeID string              `json:"challengeId,omitempty" maxLength:"200" doc:"Of the passkey's ceremony"`
	Credential  json.RawMessage     `json:"credential,omitempty" doc:"The browser's PublicKeyCredential as JSON"`
}

func (f FactorBody) proof() domain.FactorProof {
	return domain.FactorProof{Method: f.Method, Code: f.Code, ChallengeID: f.ChallengeID, Credential: f.Credential}
}

type verifyInput struct {
	origin
	Body struct {
		FactorBody
		Token       string `json:"token" minLength:"1" maxLength:"200" doc:"The challenge's"`
		TrustDevice bool   `json:"trustDevice,omitempty" doc:"Do not ask for the second factor on this device for 30 days"`
		Cookie      bool   `json:"cookie,omitempty" doc:"Set the browser's session cookie instead of returning tokens"`
	}
}

type reauthenticateInput struct {
	origin
	Body struct {
		FactorBody
		Password string `json:"password,omitempty" maxLength:"1024" doc:"Or a second factor: what changes second factors asks for one in sessions that saw none"`
		Cookie   bool   `json:"cookie,omitempty" doc:"Set the browser's session cookie instead of returning tokens; taken as true when the request came by it"`
	}
}

type refreshInput struct {
	origin
	Body struct {
		RefreshToken string `json:"refreshToken" minLength:"1" maxLength:"200"`
	}
}

// Tokens are a fresh pair.
type Tokens struct {
	AccessToken  string `json:"accessToken"`
	RefreshToken string `json:"refreshToken"`
	ExpiresIn    int    `json:"expiresIn" doc:"Seconds until the access token ends"`
}

type tokensOutput struct{ Body Tokens }

// Logout is how signing out goes on.
type Logout struct {
	Redirect string `json:"redirect,omitempty" doc:"Where a browser goes on to sign out of the provider that signed it in"`
}

type logoutOutput struct {
	SetCookie []*http.Cookie `header:"Set-Cookie"`
	Body      Logout
}

// lockedNote says how too many wrong secrets are answered (S3, S4).
const lockedNote = "After five wrong secrets of an account in a row, or twenty from an address, nothing is looked at for a while: right or wrong, the answer is 429 " +
	"(auth.too_many_attempts) with Retry-After, from 30 seconds to 16 minutes. "

func (s *Server) mountAuth() {
	register(s, Route{ID: "login", Method: http.MethodPost, Path: "/auth/login", Summary: "Sign in with user name or e-mail address and password", Description: lockedNote + "It is the same for names that nobody has. Passkeys go on working.", Tag: "Authentication", Permission: domain.PermissionPublic, Errors: []int{http.StatusUnauthorized, http.StatusTooManyRequests}},
		func(ctx context.Context, in *loginInput) (*signInOutput, error) {
			token := in.Body.DeviceToken
			if token == "" {
				token = s.deviceToken(in.request)
			}
			outcome, err := s.core.Auth.Login(ctx, in.Body.Login, in.Body.Password, in.client(), auth.Options{DeviceToken: token})
			if err != nil {
				return nil, err
			}
			return s.outcome(ctx, in.origin, outcome, in.Body.Cookie)
		})
	register(s, Route{ID: "verifySecondFactor", Method: http.MethodPost, Path: "/auth/mfa/verify", Summary: "Show the second factor that a sign-in asked for", Description: lockedNote + "Passkeys without a password go on working.", Tag: "Authentication", Permission: domain.PermissionPublic, Errors: []int{http.StatusUnauthorized, http.StatusTooManyRequests}},
		func(ctx context.Context, in *verifyInput) (*signInOutput, error) {
			return s.secondFactor(ctx, in.origin, in.Body.Token, in.Body.proof(), in.Body.TrustDevice, in.Body.Cookie)
		})
	register(s, Route{ID: "reauthenticate", Method: http.MethodPost, Path: "/auth/reauthenticate", Summary: "Show once more who you are: for what changes how one signs in. This session goes on under a new id", Description: lockedNote + "The session itself stays.", Tag: "Authentication", Permission: domain.PermissionEnrol, Errors: []int{http.StatusTooManyRequests}},
		func(ctx context.Context, in *reauthenticateInput) (*signInOutput, error) {
			proof := auth.Proof{Password: in.Body.Password}
			if in.Body.Method != "" {
				factor := in.Body.proof()
				proof.Factor = &factor
			}
			signedIn, err := s.core.Auth.Reauthenticate(ctx, actorOf(ctx), proof, in.client())
			if err != nil {
				return nil, err
			}
			return s.signIn(ctx, in.origin, signedIn, in.Body.Cookie || credentialOf(ctx).viaCookie)
		})
	register(s, Route{ID: "refresh", Method: http.MethodPost, Path: "/auth/refresh", Summary: "Exchange a refresh token for the next pair of tokens", Tag: "Authentication", Permission: domain.PermissionPublic, Errors: []int{http.StatusUnauthorized}},
		func(ctx context.Context, in *refreshInput) (*tokensOutput, error) {
			t, err := s.core.Auth.Refresh(ctx, in.Body.RefreshToken, in.client())
			if err != nil {
				return nil, err
			}
			return &tokensOutput{Tokens{t.AccessToken, t.RefreshToken, int(t.ExpiresIn.Seconds())}}, nil
		})
	register(s, Route{ID: "logout", Method: http.MethodPost, Path: "/auth/logout", Summary: "End this session: tokens, cookie and streams with it", Tag: "Authentication", Permission: domain.PermissionEnrol},
		func(ctx context.Context, in *struct{ origin }) (*logoutOutput, error) {
			redirect, err := s.core.Identity.LogoutURL(ctx, actorOf(ctx))
			if err != nil {
				return nil, err
			}
			if err := s.core.Auth.Logout(ctx, actorOf(ctx)); err != nil {
				return nil, err
			}
			return &logoutOutput{[]*http.Cookie{s.clearedCookie(in.request)}, Logout{redirect}}, nil
		})
}

// secondFactor finishes a sign-in with the second factor that it asked for.
func (s *Server) secondFactor(ctx context.Context, o origin, token string, proof domain.FactorProof, trustDevice, cookie bool) (*signInOutput, error) {
	signedIn, deviceToken, err := s.core.Auth.VerifySecondFactor(ctx, token, proof, trustDevice, o.client())
	if err != nil {
		return nil, err
	}
	out, err := s.signIn(ctx, o, signedIn, cookie)
	switch {
	case err != nil || deviceToken == "":
		return out, err
	case cookie:
		out.SetCookie = append(out.SetCookie, s.deviceCookie(o.request, deviceToken, signedIn.Session.CreatedAt.Add(mfa.TrustFor)))
	default:
		out.Body.DeviceToken = deviceToken
	}
	return out, nil
}

// outcome answers with a session, or with what is asked for.
func (s *Server) outcome(ctx context.Context, o origin, out auth.Outcome, cookie bool) (*signInOutput, error) {
	if c := out.Challenge; c != nil {
		return &signInOutput{Body: SignIn{Challenge: &Challenge{c.Token, c.Methods, c.ExpiresAt}}}, nil
	}
	return s.signIn(ctx, o, *out.SignedIn, cookie)
}

// deviceCookieName is the cookie's that a trusted browser keeps.
func deviceCookieName(secure bool) string { return cookieName(secure) + "-device" }

// deviceToken is the browser's token of a trusted device, "" without one.
func (s *Server) deviceToken(r *http.Request) string {
	cookie, err := r.Cookie(deviceCookieName(s.isSecure(r)))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// deviceCookie lets a browser keep its token of a trusted device (S15).
func (s *Server) deviceCookie(r *http.Request, token string, expires time.Time) *http.Cookie {
	c := s.sessionCookie(r, token, domain.Session{})
	c.Name, c.Expires = deviceCookieName(c.Secure), expires
	return c
}

// signIn answers with tokens, or with the cookie and no token that a script could keep (S8).
func (s *Server) signIn(ctx context.Context, o origin, in auth.SignedIn, cookie bool) (*signInOutput, error) {
	permissions, err := s.core.Access.Permissions(ctx, in.Actor)
	if err != nil {
		return nil, err
	}
	out := &signInOutput{Body: SignIn{User: &in.User, Permissions: permissions, Session: &in.Session, MustEnrol: in.Actor.MustEnrol}}
	if cookie {
		out.SetCookie = []*http.Cookie{s.sessionCookie(o.request, s.core.Auth.CookieFor(in.Session), in.Session)}
		return out, nil
	}
	out.Body.AccessToken, out.Body.RefreshToken, out.Body.ExpiresIn = in.Tokens.AccessToken, in.Tokens.RefreshToken, int(in.Tokens.ExpiresIn.Seconds())
	return out, nil
}
