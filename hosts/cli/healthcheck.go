package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/fault"
)

type healthcheckCommand struct {
	Address string        `arg:"" optional:"" help:"HOST:PORT or http://HOST:PORT; else where this configuration listens."`
	Worker  bool          `help:"Ask a process that only runs jobs, at workers.listen."`
	Timeout time.Duration `default:"5s" help:"How long the answer may take."`
}

// Run asks a running process whether it lives and fails if it does not say so, for the health checks of containers that have no other client.
func (c *healthcheckCommand) Run(r *run) error {
	base := c.Address
	if base == "" {
		configuration, err := r.load(nil)
		if err != nil {
			return err
		}
		if base = configuration.Listen; c.Worker {
			base = configuration.Workers.Listen
		}
	}
	if !strings.Contains(base, "://") {
		base = "http://" + reachable(base)
	}
	ctx, cancel := context.WithTimeout(r.ctx, c.Timeout)
	defer cancel()
	address := strings.TrimSuffix(base, "/") + "/healthz"
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "healthcheck.address", "%q is no address to ask: give HOST:PORT or http://HOST:PORT.", base)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy, whatever the environment says
	answer, err := client.Do(ask)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "healthcheck.no_answer", "Nothing answers at %s within %s. Is the server running, and does it listen there?", address, c.Timeout)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fault.New(fault.Unavailable, "healthcheck.failed", "%s is answered with %s.", address, answer.Status)
	}
	fmt.Fprintf(r.program.Stdout, "%s is answered: %s\n", address, answer.Status)
	return nil
}

// reachable makes of an address to listen on one to ask: without a host, or with that of all interfaces, it is this computer's.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}
