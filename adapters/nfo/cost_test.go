package nfo

import (
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/ports/metadata"
)

// The largest file that is read, in the shapes that are worst for a parser, takes no longer than a scan can bear.
func TestHostileShapesCostLittle(t *testing.T) {
	t.Parallel()
	fill := func(head, body string) []byte {
		return []byte(head + strings.Repeat(body, (metadata.MaxNFOSize-len(head))/len(body)))
	}
	for name, data := range map[string][]byte{
		"deep":           fill("<movie>", "<a>"),
		"deep in a set":  fill("<movie><set>", "<name>"),
		"end tags":       fill("<movie>", "</a>"),
		"attributes":     fill("<movie ", `a="" `),
		"actors":         fill("<movie>", "<actor><name>x</name></actor>"),
		"genres":         fill("<movie><genre>", "a/"),
		"entities":       fill("<movie><title>", "&amp;"),
		"loose":          fill("<movie><title>", "&x"),
		"almost links":   fill("", "imdb.com/t"),
		"open tags":      fill("<movie>", "<"),
		"comments":       fill("<movie>", "<!-- -->"),
		"almost films":   fill("", "<movi"),
		"one long field": fill("<movie><plot>", "\n "),
	} {
		begun := time.Now()
		_, _ = New().Read(t.Context(), name, data)
		if took := time.Since(begun); took > 20*time.Second { // milliseconds in practice; quadratic shapes take minutes
			t.Errorf("%s took %v", name, took)
		} else {
			t.Logf("%s took %v", name, took)
		}
	}
}
