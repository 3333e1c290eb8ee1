package httpd

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
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

// SignIn is the answer to a successful sign-in.
type SignIn struct {
	User         domain.User         `json:"user"`
	Permissions  []domain.Permission `json:"permissions"`
	Session      domain.Session      `json:"session"`
	AccessToken  string              `json:"accessToken,omitempty" doc:"A JWT for the Authorization header; absent with cookie"`
	RefreshToken string              `json:"refreshToken,omitempty" doc:"Single use: POST /auth/refresh gives the next; absent with cookie"`
	ExpiresIn    int                 `json:"expiresIn,omitempty" doc:"Seconds until the access token ends"`
}

type signInOutput struct {
	SetCookie []*http.Cookie `header:"Set-Cookie"`
	Body      SignIn
}

type loginInput struct {
	origin
	Body struct {
		Login    string `json:"login" minLength:"1" maxLength:"254" doc:"User name or e-mail address"`
		Password string `json:"password" minLength:"1" maxLength:"1024"`
		Cookie   bool   `json:"cookie,omitempty" doc:"Set the browser's session cookie instead of returning tokens"`
	}
}

type refreshInput struct {
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

func (s *Server) mountAuth() {
	register(s, Route{ID: "login", Method: http.MethodPost, Path: "/auth/login", Summary: "Sign in with user name or e-mail address and password", Tag: "Authentication", Permission: domain.PermissionPublic, Errors: []int{http.StatusUnauthorized, http.StatusTooManyRequests}},
		func(ctx context.Context, in *loginInput) (*signInOutput, error) {
			signedIn, err := s.core.Auth.Login(ctx, in.Body.Login, in.Body.Password, in.client())
			if err != nil {
				return nil, err
			}
			return s.signIn(ctx, in.origin, signedIn, in.Body.Cookie)
		})
	register(s, Route{ID: "refresh", Method: http.MethodPost, Path: "/auth/refresh", Summary: "Exchange a refresh token for the next pair of tokens", Tag: "Authentication", Permission: domain.PermissionPublic, Errors: []int{http.StatusUnauthorized}},
		func(ctx context.Context, in *refreshInput) (*tokensOutput, error) {
			t, err := s.core.Auth.Refresh(ctx, in.Body.RefreshToken)
			if err != nil {
				return nil, err
			}
			return &tokensOutput{Tokens{t.AccessToken, t.RefreshToken, int(t.ExpiresIn.Seconds())}}, nil
		})
	register(s, Route{ID: "logout", Method: http.MethodPost, Path: "/auth/logout", Summary: "End this session: tokens, cookie and streams with it", Tag: "Authentication", Permission: domain.PermissionSession},
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

// signIn answers with tokens, or with the cookie and no token that a script could keep (S8).
func (s *Server) signIn(ctx context.Context, o origin, in auth.SignedIn, cookie bool) (*signInOutput, error) {
	permissions, err := s.core.Access.Permissions(ctx, in.Actor)
	if err != nil {
		return nil, err
	}
	out := &signInOutput{Body: SignIn{User: in.User, Permissions: permissions, Session: in.Session}}
	if cookie {
		out.SetCookie = []*http.Cookie{s.sessionCookie(o.request, s.core.Auth.CookieFor(in.Session), in.Session)}
		return out, nil
	}
	out.Body.AccessToken, out.Body.RefreshToken, out.Body.ExpiresIn = in.Tokens.AccessToken, in.Tokens.RefreshToken, int(in.Tokens.ExpiresIn.Seconds())
	return out, nil
}
