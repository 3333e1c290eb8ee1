// Command embedded is a whole Revenge server inside another Go program: SQLite, jobs, API and web UI with the defaults.
package main

import (
	"context"
	"log"
	"net"
	"os/signal"
	"syscall"

	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/config"
)

func serve(ctx context.Context, c config.Config, ready func(net.Addr)) error {
	app, err := assemble.Open(ctx, c, assemble.Options{})
	if err != nil {
		return err
	}
	defer app.Close()
	return app.Serve(ctx, ready)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, config.Default(), nil); err != nil {
		log.Fatal(err)
	}
}
