package cmaf

import (
	"os"
	"testing"

	"github.com/revenge-media/revenge/testkit/mediatest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	mediatest.Cleanup()
	os.Exit(code)
}

func TestPackagerKeepsItsPromises(t *testing.T) {
	mediatest.RunPackager(t, func(*testing.T) mediatest.Harness {
		return mediatest.Harness{Packager: New(Config{Target: 3}), Target: 3}
	})
}
