package httpd

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/revenge-media/revenge/core/fault"
)

// Texts are UTF-8 without U+0000: no database keeps others, so they are refused where they come in.
const codeBadText = "request.bad_text"

// plainText refuses an address whose path or query is no such text.
func plainText(r *http.Request) error {
	texts := []string{r.URL.Path}
	if r.URL.RawQuery != "" {
		for name, values := range r.URL.Query() {
			texts = append(append(texts, name), values...)
		}
	}
	for _, text := range texts {
		if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
			return fault.New(fault.Invalid, codeBadText, "The address has characters that no text has. Texts are UTF-8 without U+0000.")
		}
	}
	return nil
}

var errBadText = errors.New("texts cannot have the character U+0000")

// plainJSON writes JSON, also what is JSON already, and reads JSON whose texts have no U+0000. What is no UTF-8 encoding/json replaces by U+FFFD.
var plainJSON = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		if ready, ok := v.(interface{ encoded() []byte }); ok {
			_, err := w.Write(ready.encoded())
			return err
		}
		return huma.DefaultJSONFormat.Marshal(w, v)
	},
	Unmarshal: func(data []byte, v any) error {
		if err := json.Unmarshal(data, v); err != nil {
			return err
		}
		if !strings.Contains(string(data), `\u0000`) {
			return nil
		}
		var parsed any
		if err := json.Unmarshal(data, &parsed); err != nil {
			return err
		}
		if holdsNUL(parsed) {
			return errBadText
		}
		return nil
	},
}

func holdsNUL(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		for _, item := range v {
			if holdsNUL(item) {
				return true
			}
		}
	case map[string]any:
		for name, item := range v {
			if holdsNUL(name) || holdsNUL(item) {
				return true
			}
		}
	}
	return false
}
