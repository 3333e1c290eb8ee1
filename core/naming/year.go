package naming

import (
	"strconv"
	"time"
)

// A film may be announced a year or two ahead; a number beyond that is a title ("Blade Runner 2049").
// In brackets a number says itself that it is a year.
const (
	firstYear   = 1878 // Muybridge
	lastBracket = 2099
)

var lastYear = time.Now().Year() + 2

// yearAt is the year that token i says, or 0. Dates (2013-12-09) and spans (1982-1992) are no years.
func (l lexed) yearAt(i int) int {
	t := l.tokens[i]
	if len(t.key) != 4 || !isDigits(t.key) {
		return 0
	}
	year, _ := strconv.Atoi(t.key)
	last := lastYear
	if t.group > 0 {
		last = lastBracket
	}
	if year < firstYear || year > last || l.dateAt(i) || l.dayFirst(i) {
		return 0
	}
	if t.group == 0 && (l.spans(i, i+1) || l.spans(i-1, i)) {
		return 0
	}
	return year
}

// dateAt tells whether a year, month and day start at token i, or a day and a month's number stand before it.
func (l lexed) dateAt(i int) bool {
	if i+2 >= len(l.tokens) || len(l.tokens[i].key) != 4 {
		return false
	}
	month, day := l.tokens[i+1], l.tokens[i+2]
	return month.sep == day.sep && len(month.sep) == 1 && twoDigits(month.key, 12) && twoDigits(day.key, 31)
}

func (l lexed) dayFirst(i int) bool {
	if i < 2 {
		return false
	}
	day, month, year := l.tokens[i-2], l.tokens[i-1], l.tokens[i]
	return month.sep == year.sep && len(month.sep) == 1 && twoDigits(day.key, 31) && twoDigits(month.key, 12)
}

func twoDigits(s string, most int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && len(s) == 2 && n >= 1 && n <= most
}

// spans tells whether tokens i and j are the ends of a span of years.
func (l lexed) spans(i, j int) bool {
	if i < 0 || j >= len(l.tokens) || l.tokens[j].sep != "-" {
		return false
	}
	from, to := l.tokens[i].key, l.tokens[j].key
	return len(from) == 4 && isDigits(from) && len(to) == 4 && isDigits(to) && from < to && (from[:2] == "19" || from[:2] == "20" || from[:2] == "18")
}
