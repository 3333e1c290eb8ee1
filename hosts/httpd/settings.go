package httpd

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/settings"
)

// ServerSettings are all settings of the server, with what a form needs to draw them.
type ServerSettings struct {
	Items []settings.Setting `json:"items"`
}

type serverSettingsOutput struct {
	ETag string `header:"ETag"`
	Body ServerSettings
}

func serverSettings(v settings.View, err error) (*serverSettingsOutput, error) {
	if err != nil {
		return nil, err
	}
	return &serverSettingsOutput{ETag: versionTag(v.Revision), Body: ServerSettings{v.Items}}, nil
}

type patchServerSettingsInput struct {
	IfMatch string `header:"If-Match" doc:"The ETag that was read: 412 when a setting changed since"`
	Body    struct {
		Values map[string]json.RawMessage `json:"values" maxProperties:"200" doc:"New values by name; null goes back to the default. All of them or, when one is wrong, none." example:"{\"mail.host\": \"smtp.example.org\", \"mail.port\": 587, \"mail.from\": null}"`
	}
}

// UserSettings are what clients keep for an account.
type UserSettings struct {
	Values map[string]json.RawMessage `json:"values" doc:"Any JSON, by a name of the client's choice" example:"{\"theme\": \"dark\", \"grid.size\": 6}"`
}

type patchUserSettingsInput struct {
	Body struct {
		Values map[string]json.RawMessage `json:"values" maxProperties:"100" doc:"New values of at most 4 KiB by name (at most 64 letters, digits, dots, dashes and underscores); null removes one, what is not named stays. An account keeps 100 at most." example:"{\"theme\": \"dark\", \"grid.size\": null}"`
	}
}

// MailTest says where a test mail went.
type MailTest struct {
	To string `json:"to" example:"ann@example.org"`
}

func userSettings(values map[string]json.RawMessage, err error) (*output[UserSettings], error) {
	return body(UserSettings{values}, err)
}

func (s *Server) mountSettings() {
	register(s, Route{ID: "listServerSettings", Method: http.MethodGet, Path: "/admin/settings", Summary: "The server's settings, with what a form needs", Tag: "Settings", Permission: domain.PermissionSettingsManage},
		func(ctx context.Context, _ *struct{}) (*serverSettingsOutput, error) {
			return serverSettings(s.core.Settings.List(ctx, actorOf(ctx)))
		})
	register(s, Route{ID: "patchServerSettings", Method: http.MethodPatch, Path: "/admin/settings", Summary: "Change settings of the server, in effect everywhere within a second", Tag: "Settings", Permission: domain.PermissionSettingsManage, Errors: []int{http.StatusPreconditionFailed}},
		func(ctx context.Context, in *patchServerSettingsInput) (*serverSettingsOutput, error) {
			expected, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			return serverSettings(s.core.Settings.Update(ctx, actorOf(ctx), expected, in.Body.Values))
		})
	register(s, Route{ID: "testMail", Method: http.MethodPost, Path: "/admin/settings/mail/test", Summary: "Send a test mail to the own address, and tell what the mail server says", Tag: "Settings", Permission: domain.PermissionSettingsManage, Errors: []int{http.StatusConflict}},
		func(ctx context.Context, _ *struct{}) (*output[MailTest], error) {
			to, err := s.core.Mailing.Test(ctx, actorOf(ctx))
			return body(MailTest{to}, err)
		})
	register(s, Route{ID: "getUserSettings", Method: http.MethodGet, Path: "/users/me/settings", Summary: "What clients keep for this account", Tag: "Users", Permission: domain.PermissionSession},
		func(ctx context.Context, _ *struct{}) (*output[UserSettings], error) {
			return userSettings(s.core.Settings.OfUser(ctx, actorOf(ctx)))
		})
	register(s, Route{ID: "patchUserSettings", Method: http.MethodPatch, Path: "/users/me/settings", Summary: "Change what clients keep for this account", Tag: "Users", Permission: domain.PermissionSession},
		func(ctx context.Context, in *patchUserSettingsInput) (*output[UserSettings], error) {
			return userSettings(s.core.Settings.UpdateOfUser(ctx, actorOf(ctx), in.Body.Values))
		})
}
