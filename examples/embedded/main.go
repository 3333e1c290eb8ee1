// Command embedded is a whole Revenge server inside another Go program: SQLite, jobs, API and web UI with the defaults.
package main

import (
	"context"
	"log"
	"os/signal"
	"syscall"

	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	app, err := assemble.Open(ctx, config.Default(), assemble.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer app.Close()
	log.Fatal(app.Serve(ctx, nil))
}
