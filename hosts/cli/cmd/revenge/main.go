// Command revenge is the whole product in one binary: the all-in-one server and the operator's tools.
package main

import (
	"os"

	"github.com/revenge-media/revenge/hosts/cli"
)

func main() { os.Exit(cli.Process()) }
