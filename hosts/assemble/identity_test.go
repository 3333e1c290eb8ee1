package assemble

import (
	"testing"

	"github.com/revenge-media/revenge/hosts/config"
)

func TestNoTwoProcessesShareANameAndOneThatComesBackHasItsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	named := func(dir string) (*App, string) {
		a := &App{Config: config.Config{DataDir: dir}}
		t.Cleanup(func() { _ = a.Close() })
		id, err := a.identify()
		if err != nil {
			t.Fatal(err)
		}
		return a, id
	}
	first, one := named(dir)
	_, two := named(dir)
	_, elsewhere := named(t.TempDir())
	if one == two || one == elsewhere || two == elsewhere {
		t.Errorf("names are shared: %s, %s, %s", one, two, elsewhere)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, again := named(dir); again != one {
		t.Errorf("it was %s and comes back as %s", one, again)
	}
	if _, err := (&App{Config: config.Config{DataDir: dir + "/absent"}}).identify(); err == nil {
		t.Error("a folder that is not there gives a name")
	}
}
