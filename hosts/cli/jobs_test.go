package cli_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/testkit/world"
)

// TestJobsAreSeenAndSteeredFromTheHost looks at the scan of a library that waits for a server, and lets it wait.
func TestJobsAreSeenAndSteeredFromTheHost(t *testing.T) {
	t.Parallel()
	dir, films := t.TempDir(), filepath.Join(t.TempDir(), "films")
	world.Write(t, filepath.Join(films, "Freaks (1932).mkv"), []byte("no film"))
	ok(t, dir, "", "library", "add", films)
	list := ok(t, dir, "", "admin", "jobs", "list", "--state", "waiting", "--queue", "scan")
	id := regexp.MustCompile(`(?m)^(\S+)\s+library\.scan\s+waiting`).FindStringSubmatch(list)
	if id == nil || strings.Count(list, "\n") != 2 {
		t.Fatalf("the list is\n%s", list)
	}
	if said := ok(t, dir, "", "admin", "jobs", "show", id[1]); !strings.Contains(said, `"kind": "library.scan"`) || !strings.Contains(said, `"scanId"`) {
		t.Errorf("the job is\n%s", said)
	}
	ok(t, dir, "", "admin", "jobs", "pause", "scan")
	if said := ok(t, dir, "", "admin", "jobs", "queues"); !regexp.MustCompile(`(?m)^scan\s+0\s+1\s.*\spaused$`).MatchString(said) || strings.Count(said, "paused") != 1 {
		t.Errorf("the queues are\n%s", said)
	}
	ok(t, dir, "", "admin", "jobs", "resume", "scan")
	if said := ok(t, dir, "", "admin", "jobs", "queues"); strings.Contains(said, "paused") {
		t.Errorf("the queues are\n%s", said)
	}
	refused(t, 1, "job.no_queue", dir, "", "admin", "jobs", "pause", "nonsense")
	refused(t, 1, "job.not_ended", dir, "", "admin", "jobs", "retry", id[1])
	ok(t, dir, "", "admin", "jobs", "cancel", id[1])
	if said := ok(t, dir, "", "admin", "jobs", "retry", id[1]); !strings.Contains(said, id[1]+" runs again") {
		t.Errorf("retry says %s", said)
	}
	ok(t, dir, "", "admin", "jobs", "delete", id[1])
	refused(t, 1, "job.not_found", dir, "", "admin", "jobs", "show", id[1])
	if said := ok(t, dir, "", "admin", "jobs", "schedules"); !strings.Contains(said, "core.clean-up") || !strings.Contains(said, "1h0m0s") {
		t.Errorf("the schedules are\n%s", said)
	}
	if said := ok(t, dir, "", "admin", "jobs", "processes"); strings.Count(said, "\n") != 1 {
		t.Errorf("the processes are\n%s", said)
	}
}
