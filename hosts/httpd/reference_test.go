package httpd_test

import (
	"os"
	"testing"

	"github.com/revenge-media/revenge/hosts/httpd"
)

func TestTheReferenceOfPermissionsIsCurrent(t *testing.T) {
	t.Parallel()
	want, err := httpd.PermissionReference()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("../../docs/permissions.md"); err != nil || string(got) != want {
		t.Errorf("docs/permissions.md is not what \"revenge permissions\" prints (%v)", err)
	}
}
