package cli_test

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/hosts/cli"
)

// TestAHealthCheckSaysWhetherTheServerOfItsConfigurationLives, as a container's does: by the environment alone.
func TestAHealthCheckSaysWhetherTheServerOfItsConfigurationLives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	check := func(environment []string, args ...string) result {
		var stdout, stderr bytes.Buffer
		code := cli.Main(t.Context(), cli.Program{Args: append([]string{"--data-dir", dir, "healthcheck"}, args...), Environ: append(environment, environ...), Stdout: &stdout, Stderr: &stderr})
		return result{code, stdout.String(), stderr.String()}
	}
	s := serve(t, dir)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.url, "http://"))
	nobody, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	silent := nobody.Addr().String()
	failing := httptest.NewServer(http.NotFoundHandler())
	defer failing.Close()
	sick := strings.TrimPrefix(failing.URL, "http://")
	for name, c := range map[string]struct {
		environment []string
		args        []string
		code        int
		says        string
	}{
		"by its port":           {[]string{"REVENGE_LISTEN=:" + port}, nil, 0, "200"},
		"on all interfaces":     {[]string{"REVENGE_LISTEN=0.0.0.0:" + port}, nil, 0, "200"},
		"a worker's":            {[]string{"REVENGE_LISTEN=" + sick, "REVENGE_WORKERS_LISTEN=127.0.0.1:" + port}, []string{"--worker"}, 0, "200"},
		"not a worker's":        {[]string{"REVENGE_LISTEN=127.0.0.1:" + port, "REVENGE_WORKERS_LISTEN=" + sick}, []string{"--worker"}, 1, "healthcheck.failed"},
		"by an address":         {[]string{"REVENGE_LISTEN=" + sick}, []string{"127.0.0.1:" + port}, 0, "200"},
		"by a web address":      {nil, []string{s.url + "/"}, 0, "200"},
		"another server's":      {nil, []string{sick}, 1, "404"},
		"nobody's":              {[]string{"HTTP_PROXY=" + s.url}, []string{"--timeout", "100ms", silent}, 1, "healthcheck.no_answer"},
		"what is no address":    {nil, []string{"http://%zz"}, 1, "healthcheck.address"},
		"a wrong configuration": {[]string{"REVENGE_LISSTEN=:1"}, nil, 1, "REVENGE_LISSTEN"},
	} {
		if r := check(c.environment, c.args...); r.code != c.code || !strings.Contains(r.stdout+r.stderr, c.says) {
			t.Errorf("%s ends with %d, not %d, or says no %q: %s%s", name, r.code, c.code, c.says, r.stdout, r.stderr)
		}
	}
}
