package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/naming"
)

type libraryParseCommand struct {
	JSON bool `help:"One JSON object a line."`
	Sets bool `help:"Each input line is a JSON list of paths; the answer groups them into films, versions, parts and extras."`
}

// longestLine bounds one line of input: a set may list a large folder.
const longestLine = 16 << 20

// Run reads standard input to its end.
func (c *libraryParseCommand) Run(r *run) error {
	in := bufio.NewScanner(r.program.Stdin)
	in.Buffer(nil, longestLine)
	out := bufio.NewWriter(r.program.Stdout)
	encode := json.NewEncoder(out)
	encode.SetEscapeHTML(false)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSuffix(in.Text(), "\r")
		if line == "" {
			continue
		}
		var err error
		switch {
		case c.Sets:
			var paths []string
			if err := json.Unmarshal([]byte(line), &paths); err != nil {
				return fault.Wrap(err, fault.Invalid, "parse.not_a_list", "Line %d is not a JSON list of paths.", n)
			}
			err = encode.Encode(naming.Group(paths))
		case c.JSON:
			err = encode.Encode(naming.Parse(line))
		default:
			_, err = fmt.Fprintln(out, describe(naming.Parse(line)))
		}
		if err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return fault.Wrap(err, fault.Invalid, "parse.input", "Standard input cannot be read to its end: a line may hold at most %d bytes.", longestLine)
	}
	return out.Flush()
}

// describe is one line for a person.
func describe(n naming.Name) string {
	parts := []string{string(n.Kind)}
	add := func(label, value string) {
		if value != "" {
			parts = append(parts, label+value)
		}
	}
	add("", n.Title)
	if n.Year > 0 {
		add("", fmt.Sprintf("(%d)", n.Year))
	}
	add("edition: ", strings.Join(n.Edition, ", "))
	add("", n.Resolution)
	add("", n.Source)
	add("", n.VideoCodec)
	if n.Part > 0 {
		add("part ", fmt.Sprint(n.Part))
	}
	add("extra: ", n.Extra)
	add("imdb: ", n.IMDbID)
	if n.TMDbID > 0 {
		add("tmdb: ", fmt.Sprint(n.TMDbID))
	}
	add("group: ", n.Group)
	return strings.Join(parts, "  ")
}
