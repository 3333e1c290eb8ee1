package check_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/opencontainers/go-digest"
)

const root = "../.."

// needed are the variables that have no default, with something a person may fill in.
var needed = map[string]string{"MEDIA_DIR": "/srv/films", "POSTGRES_PASSWORD": "a1b2c3", "DRAGONFLY_PASSWORD": "d4e5f6", "DOMAIN": "films.example.org", "ACME_EMAIL": "ann@example.org"}

// environment is a copy of env.example, its lines filled in or not.
func environment(t *testing.T, values map[string]string) string {
	t.Helper()
	text, err := os.ReadFile("../env.example")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range values {
		line := regexp.MustCompile(`(?m)^#?` + name + `=.*$`)
		if !line.Match(text) {
			t.Fatalf("env.example has no %s", name)
		}
		text = line.ReplaceAll(text, []byte(name+"="+value))
	}
	file := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// load reads Compose files as "docker compose --env-file" does, with no variable of this process.
func load(t *testing.T, env string, files ...string) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions(files, cli.WithWorkingDirectory(root), cli.WithEnvFiles(env), cli.WithDotEnv, cli.WithInterpolation(true), cli.WithConsistency(true))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(context.Background())
}

var (
	home = []string{root + "/docker-compose.yml"}
	tls  = []string{root + "/docker-compose.yml", root + "/deploy/tls.yml"}
)

func TestComposeTakesTheFilesWithTheExampleFilledIn(t *testing.T) {
	t.Parallel()
	for _, files := range [][]string{home, tls} {
		project, err := load(t, environment(t, needed), files...)
		if err != nil {
			t.Errorf("%v: %v", files, err)
			continue
		}
		for name, s := range project.Services {
			if len(s.Extensions) > 0 {
				t.Errorf("%s has %v, which Compose passes over", name, s.Extensions)
			}
			if s.Deploy == nil || s.Deploy.Resources.Limits == nil || s.Deploy.Resources.Limits.MemoryBytes < 64<<20 || s.Deploy.Resources.Limits.NanoCPUs != 0 {
				t.Errorf("%s may use %+v: some memory and every processor is meant, since Docker refuses more processors than there are", name, s.Deploy)
			}
		}
		if len(files) == 2 && len(project.Services["traefik"].Ports) != 3 {
			t.Errorf("with TLS, Traefik listens at %v", project.Services["traefik"].Ports)
		}
	}
}

func TestWhatIsLeftOutIsSaidByName(t *testing.T) {
	t.Parallel()
	for name := range needed {
		values := map[string]string{}
		for other, value := range needed {
			if other != name {
				values[other] = value
			}
		}
		if name == "DOMAIN" { // commented out in the example, with an example
			values[name] = ""
		}
		if _, err := load(t, environment(t, values), tls...); err == nil || !strings.Contains(err.Error(), "set "+name) {
			t.Errorf("without %s Compose says %v", name, err)
		}
	}
}

func TestLimitsAreThoseOfTheEnvFile(t *testing.T) {
	t.Parallel()
	for name, prefix := range map[string]string{"revenge": "API", "worker": "WORKER", "frontend": "FRONTEND", "traefik": "TRAEFIK", "postgresql": "POSTGRES", "dragonfly": "DRAGONFLY"} {
		values := map[string]string{prefix + "_CPUS": "1.5", prefix + "_MEMORY": "3g"}
		for other, value := range needed {
			values[other] = value
		}
		project, err := load(t, environment(t, values), home...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for other, s := range project.Services {
			limits := s.Deploy.Resources.Limits
			if set := limits.NanoCPUs == 1.5 && limits.MemoryBytes == 3<<30; set != (other == name) {
				t.Errorf("with the limits of %s set, %s has %v processors and %d bytes", name, other, limits.NanoCPUs, limits.MemoryBytes)
			}
		}
	}
}

// TestOnlyWhoMustReachesAnother: nothing leads from the proxies to the database, and from where it is nothing leads outside.
func TestOnlyWhoMustReachesAnother(t *testing.T) {
	t.Parallel()
	project, err := load(t, environment(t, needed), tls...)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"traefik": "outer", "frontend": "outer", "revenge": "inner outer", "worker": "inner out", "postgresql": "inner", "dragonfly": "inner"}
	for name, s := range project.Services {
		var in []string
		for _, network := range []string{"inner", "out", "outer", "default"} {
			if _, is := s.Networks[network]; is {
				in = append(in, network)
			}
		}
		if got := strings.Join(in, " "); got != want[name] {
			t.Errorf("%s is in %s and not in %s", name, got, want[name])
		}
	}
	for name, network := range project.Networks {
		if network.Internal != (name == "inner") {
			t.Errorf("%s: internal is %v", name, network.Internal)
		}
	}
}

// noRegistry knows no image, so that nothing is fetched: what a base image says of itself is no matter of ours.
type noRegistry struct{}

func (noRegistry) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	return ref, digest.FromString(ref), []byte(`{"architecture":"amd64","os":"linux","config":{}}`), nil
}

// warnings are what BuildKit's linter says of every stage of a Dockerfile.
func warnings(t *testing.T, name string, text []byte) (said []string) {
	t.Helper()
	source := llb.NewSourceMap(nil, name, "Dockerfile", text)
	source.Definition = &llb.Definition{} // it comes from nowhere that BuildKit knows
	results, err := dockerfile2llb.DockerfileLint(t.Context(), text, dockerfile2llb.ConvertOpt{SourceMap: source, MetaResolver: noRegistry{}})
	if err != nil {
		t.Fatal(err)
	}
	if results.Error != nil {
		said = append(said, results.Error.Message)
	}
	for _, w := range results.Warnings {
		line := 0
		if r := w.Location.GetRanges(); len(r) > 0 {
			line = int(r[0].Start.Line)
		}
		said = append(said, fmt.Sprintf("%s:%d: %s: %s", name, line, w.RuleName, w.Detail))
	}
	return said
}

func TestTheLinterHasNothingToSayOfTheDockerfiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"backend.Dockerfile", "frontend.Dockerfile"} {
		text, err := os.ReadFile("../" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, warning := range warnings(t, name, text) {
			t.Error(warning)
		}
	}
}

func TestTheLinterSpeaksOfWhatIsWrong(t *testing.T) {
	t.Parallel()
	for text, rule := range map[string]string{
		"FROM debian:12.12-slim as base\nCMD [\"true\"]\n":                 "FromAsCasing",
		"FROM debian:12.12-slim\nMAINTAINER ann\n":                         "MaintainerDeprecated",
		"FROM debian:12.12-slim\nCMD true\n":                               "JSONArgsRecommended",
		"FROM debian:12.12-slim\nENV DATABASE_PASSWORD=x\n":                "SecretsUsedInArgOrEnv",
		"FROM debian:12.12-slim\nENV X=$GONE\n":                            "UndefinedVar",
		"FROM debian:12.12-slim\nHEALTHCHECK --every=10s CMD [\"true\"]\n": "unknown flag",
	} {
		if said := strings.Join(warnings(t, "Dockerfile", []byte(text)), "\n"); !strings.Contains(said, rule) {
			t.Errorf("of %q is said %q", text, said)
		}
	}
}
