package deploy_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/knadh/koanf/parsers/yaml"

	"github.com/revenge-media/revenge/hosts/cli"
	"github.com/revenge-media/revenge/hosts/config"
)

// asProgram makes this test's binary be the program of that name.
const asProgram = "REVENGE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if name := os.Getenv(asProgram); name != "" {
		os.Unsetenv(asProgram)
		if os.Getenv(leashed) != "" {
			os.Unsetenv(leashed)
			syscall.CloseOnExec(3)
			go func() { // a pipe that ends with the test
				_, _ = io.Copy(io.Discard, os.NewFile(3, "test"))
				os.Exit(70)
			}()
		}
		os.Exit(cli.Process(programs[name]...))
	}
	os.Exit(m.Run())
}

// programs are those of the backend's image, each as the command of the first that it is.
var programs = map[string][]string{"revenge": nil, "revenge-httpd": {"httpd"}, "revenge-worker": {"worker"}}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tree is a YAML document, walked by keys.
type tree map[string]any

func parsed(t *testing.T, text string) tree {
	t.Helper()
	m, err := yaml.Parser().Unmarshal([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (m tree) in(key string) tree {
	below, _ := m[key].(map[string]any)
	return below
}

func (m tree) words(key string) []string {
	var out []string
	list, _ := m[key].([]any)
	for _, w := range list {
		out = append(out, fmt.Sprint(w))
	}
	return out
}

var variable = regexp.MustCompile(`\$\{([A-Z_]+)(:[?-])?([^}]*)\}`)

// filled puts values for what a person must set, and the defaults for the rest.
func filled(t *testing.T, text string) string {
	return variable.ReplaceAllStringFunc(text, func(use string) string {
		switch m := variable.FindStringSubmatch(use); m[2] {
		case ":?":
			if m[1] == "MEDIA_DIR" {
				return "/srv/films"
			}
			return "a1b2c3"
		case ":-":
			return m[3]
		default:
			t.Errorf("%s has neither a default nor words for whoever did not set it", use)
			return ""
		}
	})
}

func services(t *testing.T) (whole, all tree) {
	t.Helper()
	whole = parsed(t, filled(t, read(t, "docker-compose.yml")))
	return whole, whole.in("services")
}

func TestTheComposeFileHasEveryPartWholeAndNothingThatIsNotThere(t *testing.T) {
	t.Parallel()
	whole, all := services(t)
	for _, name := range []string{"revenge", "worker", "frontend", "traefik", "postgresql", "dragonfly"} {
		if len(all.in(name)) == 0 {
			t.Errorf("there is no service %s", name)
		}
	}
	ownCheck := []string{"dragonfly"} // in its image: tools/docker/healthcheck.sh of github.com/dragonflydb/dragonfly
	for name := range all {
		s := all.in(name)
		if s["restart"] != "unless-stopped" {
			t.Errorf("%s is not started again", name)
		}
		if s["container_name"] != nil || s["privileged"] != nil {
			t.Errorf("%s cannot be scaled, or may do everything", name)
		}
		if len(s.in("healthcheck").words("test")) < 2 && !slices.Contains(ownCheck, name) {
			t.Errorf("%s has no health check", name)
		}
		build := s.in("build")
		if build == nil {
			pinned(t, name, s["image"].(string))
		} else if _, err := os.Stat(filepath.Join("..", fmt.Sprint(build["dockerfile"]))); err != nil || build["context"] != "." {
			t.Errorf("%s is built from %v: %v", name, build, err)
		}
		for other, how := range s.in("depends_on") {
			if condition := tree(how.(map[string]any))["condition"]; len(all.in(other)) == 0 || condition != "service_healthy" {
				t.Errorf("%s waits for %s to be %v", name, other, condition)
			}
		}
		for _, v := range s.words("volumes") {
			from, _, _ := strings.Cut(v, ":")
			if _, named := whole.in("volumes")[from]; named || from == "/srv/films" && strings.HasSuffix(v, ":/media:ro") {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", from)); err != nil || !strings.HasPrefix(from, "./deploy/") {
				t.Errorf("%s mounts %s: %v", name, v, err)
			}
		}
	}
	if a, b := all.in("revenge").words("volumes"), all.in("worker").words("volumes"); len(a) != 4 || !slices.Equal(a, b) {
		t.Errorf("the API has %v and the workers have %v", a, b)
	}
	for name := range all {
		if ports := all.in(name).words("ports"); len(ports) > 0 != (name == "traefik") {
			t.Errorf("%s is reached from outside at %v", name, ports)
		}
	}
	if flags := all.in("dragonfly").words("command"); !slices.Contains(flags, "--default_lua_flags=allow-undeclared-keys") {
		t.Errorf("Asynq does not run on a Dragonfly started with %v", flags)
	}

	// Who is a proxy is said in three places, by one network.
	network := whole.in("networks").in("outer").in("ipam")["config"].([]any)[0].(map[string]any)["subnet"].(string)
	if all.in("revenge").in("environment")["REVENGE_TRUSTED_PROXIES"] != network || !strings.Contains(read(t, "deploy/nginx.conf"), network+" 1;") {
		t.Errorf("the API or nginx trusts others than %s", network)
	}
}

// pinned wants an image named with a version of at least two numbers.
func pinned(t *testing.T, where, image string) {
	t.Helper()
	if !regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9-]+)?$`).MatchString(image) {
		t.Errorf("%s: the image %s has no fixed version", where, image)
	}
}

// TestTheProgramsTakeTheConfigurationsOfTheComposeFile gives the real ones the environments and commands of their containers.
func TestTheProgramsTakeTheConfigurationsOfTheComposeFile(t *testing.T) {
	t.Parallel()
	_, all := services(t)
	for _, name := range []string{"revenge", "worker"} {
		s := all.in(name)
		environ := []string{"REVENGE_DATA_DIR=/var/lib/revenge"}
		for key, value := range s.in("environment") {
			environ = append(environ, fmt.Sprintf("%s=%v", key, value))
		}
		c, err := config.Load("", environ, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.Cache.URL == "" || c.Jobs.URL != c.Cache.URL || !strings.HasPrefix(c.Database, "postgres://revenge:a1b2c3@postgresql:") {
			t.Errorf("%s uses %+v", name, c)
		}
		if name == "revenge" && c.ShutdownDelay <= 0 {
			t.Error("nginx is not told before the API stops")
		}
		if grace := s["stop_grace_period"]; grace != "35s" {
			t.Errorf("%s is killed after %v, and may take 30 s", name, grace)
		}
		for _, command := range [][]string{s.words("command"), s.in("healthcheck").words("test")[1:]} {
			arguments, known := programs[command[0]]
			if !known {
				t.Errorf("%s: the image has no %s", name, command[0])
			}
			understood(t, append(slices.Clone(arguments), command[1:]...))
		}
	}
}

// understood asks the command line for the help of a command with its flags, which it refuses for one that is not there.
func understood(t *testing.T, arguments []string) {
	t.Helper()
	var out bytes.Buffer
	code := cli.Main(t.Context(), cli.Program{Args: append(arguments, "--help"), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out})
	if code != 0 || !strings.Contains(out.String(), "Usage: revenge "+arguments[0]) {
		t.Errorf("revenge %v: %d %s", arguments, code, out.String())
	}
	for _, a := range arguments {
		if strings.HasPrefix(a, "--") && !strings.Contains(out.String(), a) {
			t.Errorf("revenge %v: there is no %s", arguments, a)
		}
	}
}

func TestEveryVariableIsOneThatIsKnown(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, s := range config.Settings() {
		known[s.Variable] = true
	}
	example := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#?([A-Z_]+)=`).FindAllStringSubmatch(read(t, "deploy/env.example"), -1) {
		example[m[1]] = true
	}
	used := map[string]bool{}
	for _, file := range []string{"docker-compose.yml", "deploy/tls.yml", "deploy/backend.Dockerfile", "deploy/frontend.Dockerfile", "deploy/env.example", "docs/installation.md"} {
		text := read(t, file)
		for _, name := range regexp.MustCompile(`REVENGE_[A-Z_]+`).FindAllString(text, -1) {
			if !known[name] {
				t.Errorf("%s: %s is no setting", file, name)
			}
		}
		if !strings.HasSuffix(file, ".yml") {
			continue
		}
		for _, m := range variable.FindAllStringSubmatch(text, -1) {
			used[m[1]] = true
			if !example[m[1]] {
				t.Errorf("%s: env.example does not explain %s", file, m[1])
			}
			if m[2] == ":?" && !strings.Contains(m[3], m[1]) {
				t.Errorf("%s: what is said when %s is missing does not name it: %s", file, m[1], m[3])
			}
		}
	}
	for name := range example {
		if !used[name] {
			t.Errorf("nothing uses %s of env.example", name)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^[A-Z_]*PASSWORD=(.*)$`).FindAllStringSubmatch(read(t, "deploy/env.example"), -1) {
		if m[1] != "" {
			t.Error("a password is in git")
		}
	}
	if !slices.Contains(strings.Fields(read(t, ".gitignore")), ".env") {
		t.Error("git does not ignore .env")
	}
}

// instruction is one of a Dockerfile, its lines joined.
type instruction struct{ word, rest string }

func instructions(t *testing.T, file string) []instruction {
	t.Helper()
	var out []instruction
	text := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(read(t, file), "")
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if word, rest, _ := strings.Cut(strings.TrimSpace(line), " "); word != "" {
			out = append(out, instruction{word, strings.Join(strings.Fields(rest), " ")})
		}
	}
	return out
}

var dockerfiles = []string{"deploy/backend.Dockerfile", "deploy/frontend.Dockerfile"}

// TestTheDockerfilesAreWellFormed holds them to docs.docker.com/reference/dockerfile and to what a linter would say.
func TestTheDockerfilesAreWellFormed(t *testing.T) {
	t.Parallel()
	words := strings.Fields("FROM ARG ENV WORKDIR COPY RUN LABEL USER EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD") // of them all those that we want
	for _, file := range dockerfiles {
		stages, user, last := map[string]bool{}, "", map[string]string{}
		for i, in := range instructions(t, file) {
			if !slices.Contains(words, in.word) {
				t.Errorf("%s: %s %s", file, in.word, in.rest)
			}
			if i == 0 && in.word != "FROM" {
				t.Errorf("%s begins with %s", file, in.word)
			}
			last[in.word] = in.rest
			switch in.word {
			case "FROM":
				fields := strings.Fields(in.rest)
				if strings.HasPrefix(fields[0], "--platform=") {
					fields = fields[1:]
				}
				pinned(t, file, fields[0])
				if len(fields) == 3 && fields[1] == "AS" {
					stages[fields[2]] = true
				}
				user, last = "", map[string]string{}
			case "USER":
				user = in.rest
			case "COPY":
				if from := strings.TrimPrefix(strings.Fields(in.rest)[0], "--from="); from != strings.Fields(in.rest)[0] && !stages[from] {
					t.Errorf("%s: there is no stage %s before COPY %s", file, from, in.rest)
				}
			case "RUN":
				if strings.Contains(in.rest, "apt-get") && (!strings.HasPrefix(in.rest, "apt-get update &&") || !strings.HasSuffix(in.rest, "rm -rf /var/lib/apt/lists/*") ||
					!strings.Contains(in.rest, "install -y --no-install-recommends ")) {
					t.Errorf("%s leaves more than it needs: %s", file, in.rest)
				}
			case "CMD", "ENTRYPOINT":
				if !strings.HasPrefix(in.rest, "[") {
					t.Errorf("%s: signals go to a shell with %s", file, in.rest)
				}
			}
		}
		if !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
			t.Errorf("%s: the image runs as %q", file, user)
		}
		if last["HEALTHCHECK"] == "" || last["STOPSIGNAL"] == "" || !strings.Contains(last["LABEL"], "org.opencontainers.image.licenses=") {
			t.Errorf("%s ends with %v", file, last)
		}
	}
	understood(t, []string{"serve"})
	understood(t, []string{"healthcheck"})
}

// ignored tells what .dockerignore leaves out, for the patterns that ours has: the last that matches a path or a folder above it counts.
func ignored(t *testing.T, name string) bool {
	out := false
	for line := range strings.Lines(read(t, ".dockerignore")) {
		pattern := strings.TrimSpace(line)
		if pattern == "" || strings.HasPrefix(pattern, "#") {
			continue
		}
		pattern, keep := strings.CutPrefix(pattern, "!")
		for p := name; p != "."; p = path.Dir(p) {
			subject := p
			anywhere, ok := strings.CutPrefix(pattern, "**/")
			if ok {
				subject = path.Base(p)
			} else {
				anywhere = pattern
			}
			if match, err := path.Match(anywhere, subject); err != nil {
				t.Fatal(err)
			} else if match {
				out = !keep
			}
		}
	}
	return out
}

// TestTheImagesAreBuiltFromWhatIsThere: what is copied is in git and not left out, and is all that the programs are compiled from.
func TestTheImagesAreBuiltFromWhatIsThere(t *testing.T) {
	t.Parallel()
	tracked, err := exec.Command("git", "-C", "..", "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Skip("this is no checkout of git")
	}
	files := strings.Fields(string(tracked))
	var copied []string
	for _, file := range dockerfiles {
		for _, in := range instructions(t, file) {
			words := strings.Fields(in.rest)
			if in.word != "COPY" || strings.HasPrefix(words[0], "--from=") {
				continue
			}
			for _, source := range words[:len(words)-1] {
				if file == dockerfiles[0] {
					copied = append(copied, source)
				}
				if !slices.ContainsFunc(files, func(f string) bool { return (f == source || strings.HasPrefix(f, source+"/")) && !ignored(t, f) }) {
					t.Errorf("%s copies %s, which is not there", file, source)
				}
			}
		}
	}
	for _, secret := range []string{".env", "deploy/env.example", ".git/config", "bin/revenge", "web/node_modules/x/package.json", "web/build/index.html", "hosts/x.db/.env"} {
		if !ignored(t, secret) {
			t.Errorf("%s gets into the build of an image", secret)
		}
	}
	list := exec.Command("go", "list", "-deps", "-f", `{{if .Module}}{{if .Module.Main}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}
{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}
{{end}}{{end}}{{end}}`, "./hosts/cli/cmd/revenge", "./hosts/httpd/cmd/revenge-httpd", "./hosts/worker/cmd/revenge-worker")
	list.Dir = ".."
	sources, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for name := range strings.FieldsSeq(string(sources)) {
		name = strings.TrimPrefix(name, root+"/")
		if strings.HasPrefix(name, "web/build/") {
			continue // from the stage that builds the pages
		}
		n++
		if ignored(t, name) || !slices.ContainsFunc(copied, func(c string) bool { return c == name || strings.HasPrefix(name, c+"/") }) {
			t.Errorf("the programs are compiled from %s, which the image's build does not have", name)
		}
	}
	if n < 100 {
		t.Errorf("the programs are compiled from %d files", n)
	}
}
