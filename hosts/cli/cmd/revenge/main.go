// Command revenge is the whole product in one binary: the all-in-one server and the operator's tools.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/revenge-media/revenge/hosts/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, cli.Program{Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
	stop()
	os.Exit(code)
}
