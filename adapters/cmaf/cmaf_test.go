package cmaf

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/revenge-media/revenge/testkit/mediatest"
)

// asCutter makes this test's binary a process that makes segments, with nothing but the films in common with the test.
const asCutter = "REVENGE_TEST_AS_CUTTER"

func TestMain(m *testing.M) {
	if os.Getenv(asCutter) != "" {
		if err := mediatest.Serve(New(Config{Target: 3}), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	mediatest.Cleanup()
	os.Exit(code)
}

func TestPackagerKeepsItsPromises(t *testing.T) {
	mediatest.RunPackager(t, func(t *testing.T) mediatest.Harness {
		program, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		return mediatest.Harness{Packager: New(Config{Target: 3}), Target: 3, Process: func() *exec.Cmd {
			cmd := exec.Command(program)
			cmd.Env = append(os.Environ(), asCutter+"=1")
			return cmd
		}}
	})
}
