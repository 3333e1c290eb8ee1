// Package web embeds the built browser interface.
package web

import (
	"embed"
	"io/fs"
)

// The build folder holds a .gitkeep in every checkout, so that this compiles before the interface was built;
// the build itself (`npm run build`) is not checked in.
//
//go:embed all:build
var build embed.FS

// Page is the name of the document that answers every path which is no file: routes are resolved in the browser.
const Page = "index.html"

// Build returns the files of the interface with "index.html" at its root. ok is false where the checkout
// has no build: then a host says so instead of serving empty pages.
func Build() (files fs.FS, ok bool) {
	files, err := fs.Sub(build, "build")
	if err != nil {
		return nil, false
	}
	_, err = fs.Stat(files, Page)
	return files, err == nil
}
