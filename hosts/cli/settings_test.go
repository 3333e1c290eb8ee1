package cli_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/testkit/smtptest"
)

func TestSettingsAreSetAndMailIsTestedFromTheHost(t *testing.T) {
	t.Parallel()
	h := onSQLite(t)
	server := smtptest.Start(t, smtptest.Config{Username: "kino", Password: "s3cret"})
	h.do(t, "s3cret\n", "admin", "settings", "set", "server.name=Kino", "mail.host=127.0.0.1", "mail.port="+strconv.Itoa(server.Port()), "mail.security=none",
		"mail.username=kino", "mail.password=-", `auth.mfaRequiredRoles=["admin"]`, "ui.language=de")
	got := h.do(t, "", "admin", "settings", "get")
	for _, line := range []string{`server.name="Kino"`, `mail.password="***"`, `auth.mfaRequiredRoles=["admin"]`, "mail.port=" + strconv.Itoa(server.Port())} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no %s in:\n%s", line, got)
		}
	}
	if strings.Contains(got, "s3cret") {
		t.Error("the password shows")
	}
	if got := h.do(t, "", "admin", "settings", "get", "ui.language"); got != "ui.language=\"de\"\n" {
		t.Errorf("got %q", got)
	}
	h.do(t, "", "admin", "mail-test", "ann@example.org")
	if mail := server.To(t, "ann@example.org"); mail.Subject != "E-Mails von Kino kommen an" || mail.Username != "kino" {
		t.Errorf("got %+v", mail)
	}
	server.Meet(smtptest.Never)
	refused(t, 1, "Nobody of this name lives here", h.dir, "", "admin", "mail-test", "bob@example.org")
	refused(t, 1, "settings.invalid", h.dir, "", "admin", "settings", "set", "server.name=Theater", "mail.port=x")
	if got := h.do(t, "", "admin", "settings", "get", "server.name"); got != "server.name=\"Kino\"\n" {
		t.Errorf("half of it was set: %q", got)
	}
}

func TestTheReferenceOfSettingsIsCurrent(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	if got := onSQLite(t).do(t, "", "admin", "settings", "reference"); got != string(data) {
		t.Error("docs/settings.md is old: revenge admin settings reference > docs/settings.md")
	}
}
