package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/hosts/assemble"
)

type serveCommand struct {
	Folders []string `arg:"" optional:"" type:"path" help:"Folders of movies; each becomes a library unless it is in one."`
	Listen  string   `help:"Address to listen on, HOST:PORT or :PORT." placeholder:"ADDRESS"`
}

// Run serves until the context ends.
func (c *serveCommand) Run(r *run) (err error) {
	overrides := map[string]any{}
	if c.Listen != "" {
		overrides["listen"] = c.Listen
	}
	app, err := r.open(overrides, "revenge")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	for _, folder := range c.Folders {
		if err := ensureLibrary(r.ctx, app, folder); err != nil {
			return err
		}
	}
	return app.Serve(r.ctx, func(addr net.Addr) {
		if err := announce(r, app, addr); err != nil {
			app.Logger.Warn("the first-run link could not be made", "error", err)
		}
	})
}

type httpdCommand struct {
	Listen string `help:"Address to listen on, HOST:PORT or :PORT." placeholder:"ADDRESS"`
}

// Run answers requests until the context ends.
func (c *httpdCommand) Run(r *run) (err error) {
	overrides := map[string]any{}
	if c.Listen != "" {
		overrides["listen"] = c.Listen
	}
	app, err := r.open(overrides, "revenge-httpd")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	return app.ServeAPI(r.ctx, func(addr net.Addr) {
		if err := announce(r, app, addr); err != nil {
			app.Logger.Warn("the first-run link could not be made", "error", err)
		}
	})
}

type workerCommand struct {
	Listen string `help:"Address of the probes and metrics, HOST:PORT or :PORT." placeholder:"ADDRESS"`
}

// Run runs jobs until the context ends.
func (c *workerCommand) Run(r *run) (err error) {
	overrides := map[string]any{}
	if c.Listen != "" {
		overrides["workers.listen"] = c.Listen
	}
	app, err := r.open(overrides, "revenge-worker")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	return app.Work(r.ctx, func(addr net.Addr) {
		fmt.Fprintf(r.program.Stdout, "\nRevenge %s runs jobs\n\n  %-20s http://%s/readyz\n\n", version(), "Probes", addr)
	})
}

// ensureLibrary makes a library of a folder that is in none.
func ensureLibrary(ctx context.Context, app *assemble.App, folder string) error {
	real, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "serve.no_folder", "The folder %s cannot be opened: %v.", folder, err)
	}
	all, err := app.Core.Library.List(ctx, domain.SystemActor())
	if err != nil {
		return err
	}
	name, taken := filepath.Base(real), 0
	for _, l := range all {
		for _, p := range l.Paths {
			if real == string(p.Raw) || strings.HasPrefix(real, string(p.Raw)+"/") {
				return nil
			}
		}
		if strings.EqualFold(l.Name, name) {
			taken++
		}
	}
	if taken > 0 {
		name = real // two folders of one name: the whole path tells them apart
	}
	_, err = app.Core.Library.Create(ctx, domain.SystemActor(), library.Draft{Name: name, Paths: []string{real}, Open: true})
	return err
}

// announce prints for a person where the server is, and on the first run the link that makes them its owner (S31).
func announce(r *run, app *assemble.App, addr net.Addr) error {
	out := r.program.Stdout
	fmt.Fprintf(out, "\nRevenge %s\n\n", version())
	addresses := addressesOf(app.Config.BaseURL, addr)
	for _, a := range addresses {
		fmt.Fprintf(out, "  %-20s %s\n", a.label, a.url)
	}
	if _, err := app.Transcoder.Available(r.ctx); r.ctx.Err() != nil {
		return r.ctx.Err() // it is stopped already
	} else if err != nil {
		fmt.Fprintf(out, "  %-20s %s\n", "Note", fault.As(err).Message)
	}
	code, err := app.Core.Auth.ClaimCode(r.ctx)
	if err != nil && !fault.IsNotFound(err) {
		return err
	}
	if err == nil {
		fmt.Fprintf(out, "\n  %-20s %s/setup#code=%s\n  %-20s (open it within 24 hours to become the owner)\n", "First run", addresses[0].url, code, "")
	}
	fmt.Fprintln(out)
	return nil
}

type address struct{ label, url string }

// addressesOf lists where a person reaches the server: this computer first, whose localhost is a secure context for browsers.
func addressesOf(baseURL string, addr net.Addr) []address {
	if baseURL != "" {
		return []address{{"Address", strings.TrimSuffix(baseURL, "/")}}
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return []address{{"Address", "http://" + addr.String()}}
	}
	if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() && !ip.IsLoopback() {
		return []address{{"Address", "http://" + net.JoinHostPort(host, port)}}
	}
	out := []address{{"On this computer", "http://localhost:" + port}}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return out
	}
	interfaces, _ := net.InterfaceAddrs()
	for _, i := range interfaces {
		if n, ok := i.(*net.IPNet); ok && n.IP.IsPrivate() && n.IP.To4() != nil {
			out = append(out, address{"On the network", "http://" + net.JoinHostPort(n.IP.String(), port)})
		}
	}
	return out
}
