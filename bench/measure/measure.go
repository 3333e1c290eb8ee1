// Package measure compares a program with its limit: the least program that does the same work. Both run in the same minutes on the
// same machine, turn about, so that what else the machine does falls on both; what counts is their ratio and not the machine's speed.
package measure

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
)

// Rounds is how often the two sides take turns, unless a comparison says otherwise.
const Rounds = 3

// Side does its work once and returns what was measured: requests per second, seconds, bytes per second.
type Side func(ctx context.Context) (float64, error)

// Comparison is the outcome of taking turns: medians, and the median of the ratios of the single rounds.
type Comparison struct {
	Ours, Limit float64
	// Ratio is ours / limit.
	Ratio float64
	// Low and High are the least and the greatest ratio of a round.
	Low, High float64
}

// Interleave lets the two sides take turns. Each goes first in every other round, as who goes second finds a warmer machine.
func Interleave(ctx context.Context, rounds int, ours, limit Side) (Comparison, error) {
	var a, b, ratios []float64
	for round := range rounds {
		first, second := ours, limit
		if round%2 == 1 {
			first, second = limit, ours
		}
		x, err := first(ctx)
		if err != nil {
			return Comparison{}, err
		}
		y, err := second(ctx)
		if err != nil {
			return Comparison{}, err
		}
		if round%2 == 1 {
			x, y = y, x
		}
		if x <= 0 || y <= 0 {
			return Comparison{}, fmt.Errorf("round %d measured nothing: %g and %g", round+1, x, y)
		}
		a, b, ratios = append(a, x), append(b, y), append(ratios, x/y)
	}
	return Comparison{Ours: Median(a), Limit: Median(b), Ratio: Median(ratios), Low: slices.Min(ratios), High: slices.Max(ratios)}, nil
}

// Median is the middle value, or the mean of the two in the middle; of nothing it is 0.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Percentile returns the value that the given share (0…1) of the values does not exceed; of nothing it is 0.
func Percentile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// Row is a line of the table in docs/performance.md.
type Row struct {
	// Section and Path say what was measured: "API, SQLite, 10,000 films", "list of 50, 16 clients".
	Section, Path string
	// Ours, Limit and Unit are the medians: 812 and 1204 "requests/s". Limit is 0 where the wish is absolute.
	Ours, Limit float64
	Unit        string
	// Ratio is what Wish is about: ours / limit, or ours itself where the wish is absolute.
	Ratio float64
	// Spread is "0.61–0.68", the least and greatest round.
	Spread string
	// Wish is what it should be, ">= 0.6"; Met says whether it is.
	Wish string
	Met  bool
}

// ResultsFile names the environment variable with the file to which Report appends its rows, one JSON object a line.
const ResultsFile = "REVENGE_BENCH_RESULTS"

// AtLeast makes a row for a ratio that should be at least wish.
func (c Comparison) AtLeast(wish float64, section, path, unit string) Row {
	r := c.row(section, path, unit)
	r.Wish, r.Met = fmt.Sprintf(">= %g", wish), c.Ratio >= wish
	return r
}

// AtMost makes a row for a ratio that should be at most wish.
func (c Comparison) AtMost(wish float64, section, path, unit string) Row {
	r := c.row(section, path, unit)
	r.Wish, r.Met = fmt.Sprintf("<= %g", wish), c.Ratio <= wish
	return r
}

func (c Comparison) row(section, path, unit string) Row {
	return Row{Section: section, Path: path, Ours: c.Ours, Limit: c.Limit, Unit: unit, Ratio: c.Ratio, Spread: fmt.Sprintf("%.3g–%.3g", c.Low, c.High)}
}

// Absolute makes a row for a figure that should be at most wish.
func Absolute(value, wish float64, section, path, unit string) Row {
	return Row{Section: section, Path: path, Ours: value, Unit: unit, Ratio: value, Wish: fmt.Sprintf("<= %g %s", wish, unit), Met: value <= wish}
}

// Report prints the row as the benchmark's metrics and keeps it for the table. A wish that is not met fails nothing: speed is
// looked at, in the table, and never tested.
func Report(b *testing.B, r Row) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // one operation is a whole comparison: its time says nothing
	b.ReportMetric(r.Ours, "ours-"+metric(r.Unit))
	if r.Limit > 0 {
		b.ReportMetric(r.Limit, "limit-"+metric(r.Unit))
		b.ReportMetric(r.Ratio, "ratio")
	}
	met := "met"
	if !r.Met {
		met = "NOT MET"
	}
	b.Logf("%s: %s: %.4g %s (limit %.4g), ratio %.3g [%s], wished %s: %s", r.Section, r.Path, r.Ours, r.Unit, r.Limit, r.Ratio, r.Spread, r.Wish, met)
	name := os.Getenv(ResultsFile)
	if name == "" {
		return
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	if err := json.NewEncoder(file).Encode(r); err != nil {
		b.Fatal(err)
	}
}

// metric is a unit as ReportMetric takes it: without spaces.
func metric(unit string) string {
	out := []byte(unit)
	for i, c := range out {
		if c == ' ' {
			out[i] = '_'
		}
	}
	return string(out)
}
