package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/hosts/config"
)

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "revenge.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLaterSourcesWin(t *testing.T) {
	path := file(t, "listen: \":1\"\nmetricsListen: \":2\"\nlog: {level: warn}\nscan: {every: 5m}\ntrustedProxies: [10.0.0.0/8]\n")
	c, err := config.Load(path, []string{"REVENGE_METRICS_LISTEN=:3", "REVENGE_LOG_LEVEL=error", "REVENGE_DATA_DIR=/data", "REVENGE_TEST_POSTGRES=x", "HOME=/h"},
		map[string]any{"log.level": "debug"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != ":1" || c.MetricsListen != ":3" || c.Log.Level != "debug" || c.Scan.Every != 5*time.Minute || c.TrustedProxies[0] != "10.0.0.0/8" {
		t.Fatalf("%+v", c)
	}
	if c.Database != "sqlite:/data/revenge.db" || c.SecretKeyFile != "/data/secret.key" || c.CacheDir != "/data/cache" {
		t.Fatalf("what follows from dataDir: %+v", c)
	}
}

func TestWhatIsNotKnownOrNotValidIsRefused(t *testing.T) {
	cases := map[string]struct {
		file    string
		environ []string
		says    string
	}{
		"key":        {"lissten: x", nil, "lissten"},
		"nested key": {"log: {colour: red}", nil, "colour"},
		"variable":   {"", []string{"REVENGE_LISSTEN=x"}, "REVENGE_LISSTEN"},
		"syntax":     {"a: [", nil, "YAML"},
		"database":   {"database: mysql://x", nil, "database"},
		"level":      {"log: {level: loud}", nil, "log.level"},
		"proxy":      {"trustedProxies: [10.0.0.1/99]", nil, "10.0.0.1/99"},
		"duration":   {"scan: {every: soon}", nil, "scan.every"},
		"workers":    {"workers: {scan: 0}", nil, "workers.scan"},
		"pool":       {"postgres: {maxConns: 1}", nil, "postgres.maxConns"},
		"statements": {"postgres: {statementTimeout: 1ms}", nil, "postgres.statementTimeout"},
		"lifetime":   {"postgres: {connLifetime: 0}", nil, "postgres.connLifetime"},
	}
	for name, c := range cases {
		_, err := config.Load(file(t, c.file), c.environ, nil)
		if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.As(err).Message, c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := config.Load(filepath.Join(t.TempDir(), "absent.yaml"), nil, nil); fault.CodeOf(err) != "config.no_file" {
		t.Errorf("an absent file: %v", err)
	}
}

func TestPrintedConfigurationLoadsAgainAndHidesPasswords(t *testing.T) {
	c, err := config.Load("", []string{"REVENGE_DATABASE=postgres://u:hunter2@db/revenge?sslpassword=hunter2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := c.YAML(false)
	if err != nil {
		t.Fatal(err)
	}
	again, err := config.Load(file(t, plain), nil, nil)
	if err != nil || again.Database != c.Database || again.Scan != c.Scan {
		t.Fatalf("%v\n%+v", err, again)
	}
	redacted, err := c.YAML(true)
	if err != nil || strings.Contains(redacted, "hunter2") || !strings.Contains(redacted, "db/revenge") {
		t.Fatalf("%v\n%s", err, redacted)
	}
}

func TestReferenceIsComplete(t *testing.T) {
	reference := config.Reference()
	for _, s := range config.Settings() {
		if s.Doc == "" || !strings.Contains(reference, "`"+s.Variable+"`") {
			t.Errorf("%s is not documented", s.Key)
		}
	}
	committed, err := os.ReadFile("../../docs/configuration.md")
	if err != nil || string(committed) != reference {
		t.Fatalf("docs/configuration.md is not the generated reference; run \"just generate\" (%v)", err)
	}
}

func TestTracesAreForWhoeverNamesACollector(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]bool{
		"":                             false,
		"OTEL_SERVICE_NAME=x":          false,
		"OTEL_EXPORTER_OTLP_ENDPOINT=": false,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318":                           true,
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://collector:4318/v1/traces":          true,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 OTEL_SDK_DISABLED=true":    false,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 OTEL_TRACES_EXPORTER=none": false,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 OTEL_TRACES_EXPORTER=otlp": true,
	} {
		if got := config.Traced(strings.Fields(environ)); got != want {
			t.Errorf("%q: %v", environ, got)
		}
	}
}
