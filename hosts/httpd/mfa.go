package httpd

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/mfa"
)

// TOTPSetup is what an authenticator app takes a secret from.
type TOTPSetup struct {
	Secret     string `json:"secret" example:"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" doc:"In base32, for typing"`
	OTPAuthURL string `json:"otpauthUrl" example:"otpauth://totp/Revenge:anna?algorithm=SHA1&digits=6&issuer=Revenge&period=30&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"`
	QRPNG      []byte `json:"qrPng" doc:"A PNG of 256x256, in base64"`
}

// FactorAdded is what adding or switching on a second factor led to.
type FactorAdded struct {
	Status      domain.MFAStatus `json:"status"`
	BackupCodes []string         `json:"backupCodes,omitempty" example:"[\"ABCD-EFGH-IJKL-MNOP-QRST-UVWX\"]" doc:"New ones where the account had none left. They are shown here and never again"`
}

// PasskeyAdded is a passkey that was just registered.
type PasskeyAdded struct {
	Passkey domain.Passkey `json:"passkey"`
	FactorAdded
}

// BackupCodes are a new set.
type BackupCodes struct {
	Codes []string `json:"codes" example:"[\"ABCD-EFGH-IJKL-MNOP-QRST-UVWX\"]" doc:"Ten, each good once. They are shown here and never again"`
}

// Ceremony is what a browser's passkeys are asked.
type Ceremony struct {
	ChallengeID string          `json:"challengeId" doc:"For the matching finish: good once, for five minutes"`
	Options     json.RawMessage `json:"options" doc:"\"publicKey\" of navigator.credentials.create or get, in its JSON form (WebAuthn Level 3, 5.1.8 and 5.1.9)"`
}

// MFAReset is what is left to do after a reset.
type MFAReset struct {
	PasswordTooShort bool `json:"passwordTooShort" doc:"The account's password is shorter than one without a second factor may be: have its owner choose another"`
}

// PasskeySupport tells whether passkeys work under the server's address.
type PasskeySupport struct {
	Available bool   `json:"available"`
	Reason    string `json:"reason,omitempty" doc:"Why not, for people"`
	RPID      string `json:"rpId,omitempty" example:"movies.example.org" doc:"The host name that they are for"`
}

type totpCodeInput struct {
	Body struct {
		Code string `json:"code" minLength:"1" maxLength:"20" example:"123456"`
	}
}

type beginPasskeyInput struct {
	origin
	Body struct {
		Passwordless bool `json:"passwordless,omitempty" doc:"Only a passkey that can sign in without a user name will do"`
	}
}

type finishPasskeyInput struct {
	Body struct {
		ChallengeID string          `json:"challengeId" minLength:"1" maxLength:"200"`
		Credential  json.RawMessage `json:"credential" doc:"What the browser answered (RegistrationResponseJSON)"`
		Name        string          `json:"name,omitempty" maxLength:"100" example:"Security key" doc:"Absent: that of the browser"`
	}
}

type renamePasskeyInput struct {
	ByID
	Body struct {
		Name *string `json:"name,omitempty" minLength:"1" maxLength:"100"`
	}
}

type beginPasskeySignInInput struct {
	origin
	Body struct {
		Token          string `json:"token,omitempty" maxLength:"200" doc:"Of a sign-in that asks for a second factor. Absent: any passkey that can sign in without a user name"`
		Reauthenticate bool   `json:"reauthenticate,omitempty" doc:"Ask for one of the passkeys of whoever is signed in, for POST /auth/reauthenticate"`
	}
}

type finishPasskeySignInInput struct {
	origin
	Body struct {
		ChallengeID string          `json:"challengeId" minLength:"1" maxLength:"200"`
		Credential  json.RawMessage `json:"credential" doc:"What the browser answered (AuthenticationResponseJSON)"`
		Token       string          `json:"token,omitempty" maxLength:"200" doc:"Of a sign-in that asks for a second factor; absent, the passkey alone signs in"`
		TrustDevice bool            `json:"trustDevice,omitempty" doc:"With token: do not ask for the second factor on this device for 30 days"`
		Cookie      bool            `json:"cookie,omitempty" doc:"Set the browser's session cookie instead of returning tokens"`
	}
}

// maxPasskeyAnswer bounds what authenticators answer: a few kilobytes, with certificates that nobody asked for.
const maxPasskeyAnswer = 64 << 10

// requestOrigin is the address that a request came to. Anybody can write it: only a loopback name in it means anything (core/mfa).
func (s *Server) requestOrigin(r *http.Request) string {
	if s.isSecure(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func factorAdded(a mfa.Added) FactorAdded { return FactorAdded{a.Status, a.BackupCodes} }

func (s *Server) mountMFA() {
	const tag = "Second factors"
	route := func(id, method, path string, p domain.Permission, summary string, errors ...int) Route {
		return Route{ID: id, Method: method, Path: "/mfa" + path, Summary: summary, Tag: tag, Permission: p, Errors: errors, MaxBody: maxPasskeyAnswer}
	}
	const enrol, profile = domain.PermissionEnrol, domain.PermissionProfile

	register(s, route("getMFAStatus", http.MethodGet, "/status", enrol, "What second factors the account has"),
		func(ctx context.Context, _ *struct{}) (*output[domain.MFAStatus], error) {
			return body(s.core.MFA.Status(ctx, actorOf(ctx)))
		})
	register(s, route("enableMFA", http.MethodPost, "/enable", enrol, "Ask for a second factor at sign-in; the account must have one", http.StatusConflict),
		func(ctx context.Context, _ *struct{}) (*output[FactorAdded], error) {
			added, err := s.core.MFA.Enable(ctx, actorOf(ctx))
			return body(factorAdded(added), err)
		})
	register(s, route("disableMFA", http.MethodPost, "/disable", profile, "Ask for none any more. The factors stay", http.StatusConflict),
		func(ctx context.Context, _ *struct{}) (*output[domain.MFAStatus], error) {
			return body(s.core.MFA.Disable(ctx, actorOf(ctx)))
		})

	register(s, route("setUpTOTP", http.MethodPost, "/totp/setup", enrol, "Begin with an authenticator app; it counts once its first code is verified"),
		func(ctx context.Context, _ *struct{}) (*output[TOTPSetup], error) {
			e, err := s.core.MFA.SetUpTOTP(ctx, actorOf(ctx))
			return body(TOTPSetup{e.Secret, e.URL, e.PNG}, err)
		})
	register(s, route("verifyTOTP", http.MethodPost, "/totp/verify", enrol, "Take the authenticator app into use by its first code", http.StatusConflict),
		func(ctx context.Context, in *totpCodeInput) (*output[FactorAdded], error) {
			added, err := s.core.MFA.VerifyTOTP(ctx, actorOf(ctx), in.Body.Code)
			return body(factorAdded(added), err)
		})
	register(s, route("deleteTOTP", http.MethodDelete, "/totp", profile, "Take the authenticator app away; without another factor none is asked for any more", http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			return nil, s.core.MFA.RemoveTOTP(ctx, actorOf(ctx))
		})

	for id, replace := range map[string]bool{"generate": false, "regenerate": true} {
		summary := "Make backup codes for an account that has none left"
		if replace {
			summary = "Make new backup codes; the old ones are worthless at once"
		}
		register(s, route(id+"BackupCodes", http.MethodPost, "/backup-codes/"+id, enrol, summary, http.StatusConflict),
			func(ctx context.Context, _ *struct{}) (*output[BackupCodes], error) {
				codes, err := s.core.MFA.BackupCodes(ctx, actorOf(ctx), replace)
				return body(BackupCodes{codes}, err)
			})
	}

	register(s, route("beginPasskey", http.MethodPost, "/webauthn/register/begin", enrol, "Ask the browser for a new passkey", http.StatusConflict),
		func(ctx context.Context, in *beginPasskeyInput) (*output[Ceremony], error) {
			options, id, err := s.core.MFA.BeginPasskey(ctx, actorOf(ctx), in.Body.Passwordless, s.requestOrigin(in.request))
			return body(Ceremony{id, options}, err)
		})
	finish := route("finishPasskey", http.MethodPost, "/webauthn/register/finish", enrol, "Register the passkey that the browser answered with", http.StatusConflict)
	finish.Status = http.StatusCreated
	register(s, finish, func(ctx context.Context, in *finishPasskeyInput) (*output[PasskeyAdded], error) {
		p, added, err := s.core.MFA.FinishPasskey(ctx, actorOf(ctx), in.Body.ChallengeID, in.Body.Name, in.Body.Credential)
		return body(PasskeyAdded{p, factorAdded(added)}, err)
	})
	register(s, route("beginPasskeySignIn", http.MethodPost, "/webauthn/login/begin", domain.PermissionPublic, "Ask the browser for a passkey: to sign in without a user name, as a second factor, or to reauthenticate",
		http.StatusUnauthorized, http.StatusConflict, http.StatusTooManyRequests), s.beginPasskeySignIn)
	register(s, route("finishPasskeySignIn", http.MethodPost, "/webauthn/login/finish", domain.PermissionPublic, "Sign in by a passkey, or finish a sign-in that asks for a second factor with it",
		http.StatusUnauthorized, http.StatusTooManyRequests), s.finishPasskeySignIn)
	register(s, route("listPasskeys", http.MethodGet, "/webauthn/credentials", enrol, "The account's passkeys"),
		func(ctx context.Context, _ *struct{}) (*output[items[domain.Passkey]], error) {
			return list(s.core.MFA.Passkeys(ctx, actorOf(ctx)))
		})
	register(s, route("patchPasskey", http.MethodPatch, "/webauthn/credentials/{id}", profile, "Rename a passkey"),
		func(ctx context.Context, in *renamePasskeyInput) (*output[domain.Passkey], error) {
			return body(s.core.MFA.UpdatePasskey(ctx, actorOf(ctx), in.ID, in.Body.Name))
		})
	register(s, route("deletePasskey", http.MethodDelete, "/webauthn/credentials/{id}", profile, "Remove a passkey; without another factor none is asked for any more", http.StatusConflict),
		func(ctx context.Context, in *ByID) (*struct{}, error) {
			return nil, s.core.MFA.RemovePasskey(ctx, actorOf(ctx), in.ID)
		})

	register(s, route("listTrustedDevices", http.MethodGet, "/trusted-devices", domain.PermissionSession, "Devices that need not show the second factor"),
		func(ctx context.Context, _ *struct{}) (*output[items[domain.TrustedDevice]], error) {
			return list(s.core.MFA.TrustedDevices(ctx, actorOf(ctx)))
		})
	register(s, route("deleteTrustedDevices", http.MethodDelete, "/trusted-devices/all", profile, "Have every device show the second factor again"),
		func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			return nil, s.core.MFA.DistrustDevices(ctx, actorOf(ctx))
		})
	register(s, route("deleteTrustedDevice", http.MethodDelete, "/trusted-devices/{id}", profile, "Have a device show the second factor again"),
		func(ctx context.Context, in *ByID) (*struct{}, error) {
			return nil, s.core.MFA.DistrustDevice(ctx, actorOf(ctx), in.ID)
		})

	reset := Route{ID: "resetMFAOfUser", Method: http.MethodPost, Path: "/admin/users/{id}/reset-mfa", Summary: "Take all second factors of somebody who lost them away, and sign them out", Tag: "Admin", Permission: domain.PermissionUserManage, Errors: []int{http.StatusNotFound, http.StatusConflict}}
	register(s, reset, func(ctx context.Context, in *ByID) (*output[MFAReset], error) {
		short, err := s.core.MFA.Reset(ctx, actorOf(ctx), in.ID)
		return body(MFAReset{short}, err)
	})
}

func (s *Server) beginPasskeySignIn(ctx context.Context, in *beginPasskeySignInInput) (*output[Ceremony], error) {
	at := s.requestOrigin(in.request)
	var user domain.ID
	switch {
	case in.Body.Token != "":
		var err error
		if user, err = s.core.Auth.ChallengeUser(ctx, in.Body.Token); err != nil {
			return nil, err
		}
	case in.Body.Reauthenticate:
		if err := s.core.Access.Authorize(ctx, actorOf(ctx), domain.PermissionEnrol); err != nil {
			return nil, err
		}
		user = actorOf(ctx).UserID
	default:
		options, id, err := s.core.MFA.BeginPasskeySignIn(ctx, at)
		return body(Ceremony{id, options}, err)
	}
	options, id, err := s.core.MFA.BeginPasskeyFactor(ctx, user, at)
	return body(Ceremony{id, options}, err)
}

func (s *Server) finishPasskeySignIn(ctx context.Context, in *finishPasskeySignInInput) (*signInOutput, error) {
	if in.Body.Token != "" {
		proof := domain.FactorProof{Method: domain.FactorWebAuthn, ChallengeID: in.Body.ChallengeID, Credential: in.Body.Credential}
		return s.secondFactor(ctx, in.origin, in.Body.Token, proof, in.Body.TrustDevice, in.Body.Cookie)
	}
	user, err := s.core.MFA.FinishPasskeySignIn(ctx, in.Body.ChallengeID, in.Body.Credential, in.client())
	if err != nil {
		return nil, err
	}
	outcome, err := s.core.Auth.Open(ctx, user, domain.SignInPasskey, in.client(), auth.Options{})
	if err != nil {
		return nil, err
	}
	return s.outcome(ctx, in.origin, outcome, in.Body.Cookie)
}
