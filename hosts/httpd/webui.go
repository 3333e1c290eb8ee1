package httpd

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"

	"github.com/revenge-media/revenge/core/domain"
)

// webui serves the built single-page application.
type webui struct {
	files  fs.FS
	index  []byte
	policy string
}

var inlineScript = regexp.MustCompile(`(?s)<script(?:\s[^>]*)?>(.*?)</script>`)

// newWebUI reads index.html and derives the Content-Security-Policy from it: its own scripts by hash, nothing else (S25).
func newWebUI(files fs.FS) (*webui, error) {
	ui := &webui{files: files}
	scripts := "'self'"
	if files != nil {
		index, err := fs.ReadFile(files, "index.html")
		if err != nil {
			return nil, fmt.Errorf("the web UI is not built (run \"just web\"): %w", err)
		}
		ui.index = index
		for _, m := range inlineScript.FindAllSubmatch(index, -1) {
			if len(m[1]) > 0 {
				sum := sha256.Sum256(m[1])
				scripts += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
			}
		}
	}
	ui.policy = strings.Join([]string{
		"default-src 'self'", "script-src " + scripts, "style-src 'self' 'unsafe-inline'", "img-src 'self' data: blob:", "font-src 'self'",
		"media-src 'self' blob:", "worker-src 'self' blob:", "connect-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
	}, "; ")
	return ui, nil
}

// webUIPattern takes every address that no other route does.
const webUIPattern = "/*"

func (s *Server) mountWebUI() {
	s.handle(http.MethodGet, webUIPattern, domain.PermissionPublic, s.serveWebUI)
}

// hasPage tells whether an address may be one of the application's.
func (s *Server) hasPage(r *http.Request) bool {
	return s.webui.files != nil && !strings.HasPrefix(r.URL.Path, "/api/")
}

// serveWebUI answers with a file of the build, or with the application's page, whose own router shows what the address means.
func (s *Server) serveWebUI(w http.ResponseWriter, r *http.Request) {
	if !s.hasPage(r) {
		s.nothingHere(w, r)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name != "" && name != "index.html" {
		if s.serveAsset(w, r, name) {
			return
		}
		if strings.HasPrefix(name, "_app/") || path.Ext(name) == ".js" {
			s.writeProblem(w, r, routerProblem(r.Context(), http.StatusNotFound, "This version of the web UI has no such file. Reload the page"))
			return
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(s.webui.index)
}

// serveAsset prefers the compressed form that the build made. It reports false where there is no such file.
func (s *Server) serveAsset(w http.ResponseWriter, r *http.Request, name string) bool {
	h := w.Header()
	for _, form := range []struct{ suffix, encoding string }{{".br", "br"}, {".gz", "gzip"}, {"", ""}} {
		if form.encoding != "" && !strings.Contains(r.Header.Get("Accept-Encoding"), form.encoding) {
			continue
		}
		data, err := readAsset(s.webui.files, name+form.suffix)
		if err != nil {
			continue
		}
		if form.encoding != "" {
			h.Set("Content-Encoding", form.encoding)
		}
		h.Add("Vary", "Accept-Encoding")
		h.Set("Content-Type", typeOf(name))
		h.Set("Cache-Control", "no-cache")
		if strings.HasPrefix(name, "_app/immutable/") {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		sum := sha256.Sum256(data)
		h.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:12])+form.suffix+`"`)
		http.ServeContent(w, r, "", zeroTime, bytes.NewReader(data))
		return true
	}
	return false
}

// typeOf is the media type of a file of the build. That of the manifest (w3.org/TR/appmanifest, 4.1) is none that Go or every system knows.
func typeOf(name string) string {
	kind := mime.TypeByExtension(path.Ext(name))
	switch {
	case path.Ext(name) == ".webmanifest":
		return "application/manifest+json"
	case kind == "":
		return "application/octet-stream"
	}
	return kind
}

var errNotFile = errors.New("not a file")

func readAsset(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errNotFile
	}
	return io.ReadAll(f)
}
