package httpd

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/swaggest/swgui/v5/static"

	"github.com/revenge-media/revenge/core/domain"
)

const docsPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Revenge API</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
<link rel="icon" href="/api/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
`

const docsStart = `SwaggerUIBundle({ url: '/api/openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null });
`

// mountDocs serves the OpenAPI document and Swagger UI, all from the binary.
func (s *Server) mountDocs() {
	s.handle(http.MethodGet, "/api/openapi.json", domain.PermissionPublic, func(w http.ResponseWriter, r *http.Request) {
		data, err := s.document()
		s.writeDocument(w, r, "application/vnd.oai.openapi+json", data, err)
	})
	s.handle(http.MethodGet, "/api/openapi.yaml", domain.PermissionPublic, func(w http.ResponseWriter, r *http.Request) {
		data, err := s.api.OpenAPI().YAML()
		s.writeDocument(w, r, "application/vnd.oai.openapi", data, err)
	})
	s.handle(http.MethodGet, "/api/docs", domain.PermissionPublic, func(w http.ResponseWriter, r *http.Request) {
		s.writeDocument(w, r, "text/html; charset=utf-8", []byte(docsPage), nil)
	})
	s.handle(http.MethodGet, "/api/docs/*", domain.PermissionPublic, s.serveDocsAsset)
}

// document is the OpenAPI document in the form that is committed: indented, keys sorted.
func (s *Server) document() ([]byte, error) {
	compact, err := json.Marshal(s.api.OpenAPI())
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func (s *Server) writeDocument(w http.ResponseWriter, r *http.Request, kind string, data []byte, err error) {
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(data)
}

func (s *Server) serveDocsAsset(w http.ResponseWriter, r *http.Request) {
	name := chi.URLParam(r, "*")
	if name == "start.js" {
		s.writeDocument(w, r, "text/javascript; charset=utf-8", []byte(docsStart), nil)
		return
	}
	data, err := fs.ReadFile(static.FS, name)
	if err != nil {
		data, err = fs.ReadFile(static.FS, name+".gz")
		w.Header().Set("Content-Encoding", "gzip")
	}
	if err != nil || strings.Contains(name, "/") {
		w.Header().Del("Content-Encoding")
		s.writeProblem(w, r, routerProblem(r.Context(), http.StatusNotFound, "There is nothing at this address"))
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("Cache-Control", "public, max-age=86400")
	_, _ = w.Write(data)
}
