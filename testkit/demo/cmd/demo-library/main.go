// Command demo-library makes the demo library in a folder: films of two minutes with posters, facts, subtitles and
// chapters, for a first look at Revenge. With -small the films are short and plain, and with -odd the library has the
// broken files and strange names that tests need.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/revenge-media/revenge/testkit/demo"
)

func main() {
	var options demo.Options
	flag.BoolVar(&options.Small, "small", false, "films of 16 s of test picture")
	flag.BoolVar(&options.Odd, "odd", false, "add broken files and strange names")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: demo-library [-small] [-odd] FOLDER")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(64)
	}
	options.Progress = func(done, total int, name string) {
		if done == 0 {
			fmt.Fprintln(os.Stderr, "Making the demo library, once: this takes up to two minutes.")
		}
		fmt.Fprintf(os.Stderr, "  %2d of %d  %s\n", done+1, total, name)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := demo.Library(ctx, flag.Arg(0), options); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
