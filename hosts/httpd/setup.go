package httpd

import (
	"context"
	"net/http"

	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/settings"
)

// PublicSettings are what anybody may know of the server.
type PublicSettings struct {
	Name              string `json:"name"`
	Version           string `json:"version"`
	SetupRequired     bool   `json:"setupRequired" doc:"No administrator exists yet: POST /setup/claim makes the first"`
	PasswordMinLength int    `json:"passwordMinLength"`
	Registration      string `json:"registration" enum:"closed,invite,open" doc:"Who may make an account: nobody, whoever has an invitation, everybody"`
	MailConfigured    bool   `json:"mailConfigured" doc:"Whether the server can mail links: it has a mail server and knows its own address. Else administrators hand links over"`
	Language          string `json:"language" enum:"en,de" doc:"Of pages to people who chose none"`
	// Passkeys tells whether and for which host name they work here.
	Passkeys PasskeySupport `json:"passkeys"`
}

type settingsOutput struct{ Body PublicSettings }

type codeInput struct {
	Body struct {
		Code string `json:"code" minLength:"1" maxLength:"200"`
	}
}

type claimInput struct {
	origin
	Body struct {
		Code        string `json:"code" minLength:"1" maxLength:"200"`
		Username    string `json:"username" minLength:"1" maxLength:"64"`
		Password    string `json:"password" minLength:"1" maxLength:"1024"`
		DisplayName string `json:"displayName,omitempty" maxLength:"100"`
		Email       string `json:"email,omitempty" maxLength:"254"`
		Cookie      bool   `json:"cookie,omitempty" doc:"Set the browser's session cookie instead of returning tokens"`
	}
}

// mountSetup serves the first run (S31): open only while the database holds no administrator.
func (s *Server) mountSetup() {
	register(s, Route{ID: "getSettings", Method: http.MethodGet, Path: "/settings", Summary: "What anybody may know of this server", Tag: "Server", Permission: domain.PermissionPublic},
		func(ctx context.Context, in *struct{ origin }) (*settingsOutput, error) {
			public := PublicSettings{Version: s.version, PasswordMinLength: account.MinPasswordLength}
			var err error
			if public.SetupRequired, err = s.core.Auth.SetupRequired(ctx); err != nil {
				return nil, err
			}
			if public.MailConfigured, err = s.core.Account.CanMail(ctx); err != nil {
				return nil, err
			}
			for into, key := range map[*string]settings.Key[string]{&public.Name: settings.ServerName, &public.Registration: settings.RegistrationMode, &public.Language: settings.Language} {
				if *into, err = settings.Get(ctx, s.core.Settings, key); err != nil {
					return nil, err
				}
			}
			passkeys, err := s.core.MFA.Availability(ctx, s.requestOrigin(in.request))
			if err != nil {
				return nil, err
			}
			public.Passkeys = PasskeySupport{passkeys.Available, passkeys.Reason, passkeys.RPID}
			return &settingsOutput{public}, nil
		})
	register(s, Route{ID: "checkClaimCode", Method: http.MethodPost, Path: "/setup/check", Summary: "Is this the claim code?", Tag: "Setup", Permission: domain.PermissionPublic, Errors: []int{http.StatusNotFound}},
		func(ctx context.Context, in *codeInput) (*struct{}, error) {
			return nil, s.core.Auth.CheckClaimCode(ctx, in.Body.Code)
		})
	register(s, Route{ID: "claim", Method: http.MethodPost, Path: "/setup/claim", Summary: "Create the first administrator with the claim code that the host printed", Tag: "Setup", Permission: domain.PermissionPublic, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict}},
		func(ctx context.Context, in *claimInput) (*signInOutput, error) {
			b := in.Body
			signedIn, err := s.core.Auth.Claim(ctx, b.Code, account.NewUser{Username: b.Username, Password: b.Password, DisplayName: b.DisplayName, Email: b.Email}, in.client())
			if err != nil {
				return nil, err
			}
			return s.signIn(ctx, in.origin, signedIn, b.Cookie)
		})
}
