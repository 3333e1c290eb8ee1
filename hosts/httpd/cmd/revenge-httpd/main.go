// Command revenge-httpd answers requests, and leaves the jobs to revenge-worker: "revenge httpd" as a program of its own.
package main

import (
	"os"

	"github.com/revenge-media/revenge/hosts/cli"
)

func main() { os.Exit(cli.Process("httpd")) }
