// Command revenge-worker runs jobs, and leaves requests to revenge-httpd: "revenge worker" as a program of its own.
package main

import (
	"os"

	"github.com/revenge-media/revenge/hosts/cli"
)

func main() { os.Exit(cli.Process("worker")) }
