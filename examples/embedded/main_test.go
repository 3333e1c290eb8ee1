package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/hosts/config"
)

func TestTheEmbeddedServerServes(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c := config.Default()
	c.DataDir, c.Listen, c.MetricsListen = t.TempDir(), "127.0.0.1:0", ""
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() { ended <- serve(ctx, c, func(at net.Addr) { ready <- at }) }()
	var at net.Addr
	select {
	case at = <-ready:
	case err := <-ended:
		t.Fatalf("it does not start: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("it does not start")
	}
	answer, err := http.Get("http://" + at.String() + "/api/v1/settings")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), `"setupRequired":true`) {
		t.Errorf("%d %s %v", answer.StatusCode, body, err)
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not stop")
	}
}
