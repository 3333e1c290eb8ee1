package httpd_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/smtptest"
	"github.com/revenge-media/revenge/testkit/world"
)

func TestS20SecretSettingsAreSetAndNeverRead(t *testing.T) {
	t.Parallel()
	const password = "open sesame 42"
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	admin := s.Admin(t)
	patch := func(c world.Client, values map[string]any, header ...string) world.Response {
		t.Helper()
		return c.Do(t, http.MethodPatch, "/api/v1/admin/settings", map[string]any{"values": values}, header...)
	}
	read := admin.Get(t, "/admin/settings")
	changed := patch(admin, map[string]any{"mail.password": password, "mail.host": "smtp.example.org", "server.name": "Kino", "server.publicURL": "https://kino.example.org", "auth.registration": "invite"}, "If-Match", read.Header.Get("ETag"))
	if changed.Status != http.StatusOK {
		t.Fatalf("%d: %s", changed.Status, changed.Body)
	}
	if again := patch(admin, map[string]any{"mail.port": 25}, "If-Match", read.Header.Get("ETag")); again.Status != http.StatusPreconditionFailed {
		t.Errorf("an old revision: %d", again.Status)
	}
	if bad := patch(admin, map[string]any{"mail.port": 25, "no.such": 1}); bad.Status != http.StatusUnprocessableEntity || len(bad.Problem(t).Errors) != 1 {
		t.Errorf("an unknown one: %d %s", bad.Status, bad.Body)
	}
	listed := admin.Get(t, "/admin/settings")
	shown := map[string]settings.Setting{}
	for _, item := range world.Decode[httpd.ServerSettings](t, listed, http.StatusOK).Items {
		shown[item.Name] = item
	}
	if p := shown["mail.password"]; !p.Secret || !p.Set || p.Value != nil || shown["mail.port"].Set || shown["mail.host"].Value != "smtp.example.org" {
		t.Errorf("shown: %+v", shown)
	}
	log := admin.Get(t, "/admin/activity")
	if !strings.Contains(string(log.Body), domain.ActivitySettingChanged) {
		t.Errorf("the log: %s", log.Body)
	}
	for name, answer := range map[string]world.Response{"the change": changed, "the list": listed, "the log": log} {
		if strings.Contains(string(answer.Body), password) {
			t.Errorf("%s shows it: %s", name, answer.Body)
		}
	}
	public := world.Decode[httpd.PublicSettings](t, s.Anonymous().Get(t, "/settings"), http.StatusOK)
	if public.Name != "Kino" || public.Registration != "invite" || !public.MailConfigured {
		t.Errorf("what anybody sees: %+v", public)
	}
	for name, c := range map[string]struct {
		client world.Client
		status int
	}{"nobody": {s.Anonymous(), http.StatusUnauthorized}, "a user": {s.User(t), http.StatusForbidden}} {
		for _, answer := range []world.Response{c.client.Get(t, "/admin/settings"), patch(c.client, map[string]any{"server.name": "Mine"}), c.client.Post(t, "/admin/settings/mail/test", nil)} {
			if answer.Status != c.status || strings.Contains(string(answer.Body), "smtp.example.org") {
				t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
			}
		}
	}
}

func TestAnAdministratorHearsWhatTheMailServerSays(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	if got := s.Admin(t).Post(t, "/admin/settings/mail/test", nil); got.Status != http.StatusConflict || got.Problem(t).Code != "mail.no_address" {
		t.Errorf("without an address: %d %s", got.Status, got.Body)
	}
	server := smtptest.Start(t, smtptest.Config{})
	server.Meet(smtptest.Never)
	if err := w.Mailing.TestTo(t.Context(), domain.SystemActor(), "ann@example.org", ""); err == nil {
		t.Error("a mail went without a mail server")
	}
	changed := s.Admin(t).Do(t, http.MethodPatch, "/api/v1/admin/settings", map[string]any{"values": map[string]any{"mail.host": "127.0.0.1", "mail.port": server.Port(), "mail.security": "none"}})
	if changed.Status != http.StatusOK {
		t.Fatalf("%d: %s", changed.Status, changed.Body)
	}
	if err := w.Mailing.TestTo(t.Context(), domain.SystemActor(), "ann@example.org", ""); err == nil || !strings.Contains(err.Error(), "Nobody of this name lives here") {
		t.Errorf("refused: %v", err)
	}
	if err := w.Mailing.TestTo(t.Context(), domain.SystemActor(), "ann@example.org", "de"); err != nil || server.To(t, "ann@example.org").Subject != "E-Mails von Revenge kommen an" {
		t.Errorf("taken: %v", err)
	}
}
