// Command table writes the rows that benchmarks reported as Markdown: to standard output, or with -into FILE between that file's two markers.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/revenge-media/revenge/bench/measure"
)

const begin, end = "<!-- figures: begin -->", "<!-- figures: end -->"

func main() {
	into := flag.String("into", "", "the file between whose markers the table goes")
	flag.Parse()
	if err := run(flag.Arg(0), *into, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func run(results, into string, out io.Writer) error {
	data, err := os.ReadFile(results)
	if err != nil {
		return err
	}
	table, err := render(data)
	if err != nil {
		return err
	}
	if into == "" {
		_, err := io.WriteString(out, table)
		return err
	}
	page, err := os.ReadFile(into)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return errors.New(into + " has not both markers")
	}
	heading := fmt.Sprintf("Measured on %s with `just bench`: %s.\n\n", time.Now().UTC().Format(time.DateOnly), machine())
	return os.WriteFile(into, []byte(before+begin+"\n\n"+heading+table+"\n"+end+after), 0o644)
}

// render makes a table of each section, in the order in which sections first appear.
func render(data []byte) (string, error) {
	var order []string
	sections := map[string][]measure.Row{}
	for decoder := json.NewDecoder(bytes.NewReader(data)); decoder.More(); {
		var r measure.Row
		if err := decoder.Decode(&r); err != nil {
			return "", err
		}
		if sections[r.Section] == nil {
			order = append(order, r.Section)
		}
		sections[r.Section] = append(sections[r.Section], r)
	}
	var b strings.Builder
	for i, section := range order {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "### %s\n\n| path | Revenge | limit | ratio | rounds | wished | |\n| --- | ---: | ---: | ---: | --- | --- | --- |\n", section)
		for _, r := range sections[section] {
			limit, ratio, met := "", "", "met"
			if r.Limit > 0 {
				limit, ratio = number(r.Limit), number(r.Ratio)
			}
			if !r.Met {
				met = "**not met**"
			}
			fmt.Fprintf(&b, "| %s | %s %s | %s | %s | %s | %s | %s |\n", r.Path, number(r.Ours), r.Unit, limit, ratio, r.Spread, r.Wish, met)
		}
	}
	return b.String(), nil
}

// number shows three digits that count, and no exponent.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// machine describes what the figures come from.
func machine() string {
	model := runtime.GOARCH
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(data), "model name"); ok {
			line, _, _ := strings.Cut(rest, "\n")
			model = strings.TrimSpace(strings.TrimLeft(line, "\t :"))
		}
	}
	return fmt.Sprintf("%d cores of %s, %s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.Version())
}
