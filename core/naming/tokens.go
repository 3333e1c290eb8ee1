package naming

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a word of a name: a run without separators or brackets.
type token struct {
	raw        string
	key        string // lower case, without apostrophes and closing punctuation: what the vocabulary is asked for
	start, end int    // byte offsets in the name
	group      int    // 0, or one more than the index of the outermost bracket pair around it
	sep        string // separators and brackets between the previous token and this one
}

// bracket is an outermost bracket pair of a name; end is past the closing one.
type bracket struct {
	open       rune
	start, end int
	first      int // index of its first token
	count      int // its tokens
}

// lexed is a name cut into words and brackets.
type lexed struct {
	name     string
	tokens   []token
	brackets []bracket
}

var closers = map[rune]rune{'(': ')', '[': ']', '{': '}', '【': '】'}

func isSeparator(r rune) bool {
	switch r {
	case '.', '_', '-', ',', ';', '+', '~', '|', '/', '\\', '*', ':', '–', '—', '★', '⭐', '·', '™', '•', '"', '“', '”', '=':
		return true
	}
	return unicode.IsSpace(r)
}

// lex cuts name into words. A bracket that is never closed ends with the name; a closing one that
// was never opened is a separator.
func lex(name string) lexed {
	l := lexed{name: name, tokens: make([]token, 0, 24)}
	var stack []rune
	start, sepStart := -1, 0
	flush := func(end int) {
		if start < 0 {
			return
		}
		raw := name[start:end]
		group := 0
		if len(stack) > 0 {
			group = len(l.brackets)
			b := &l.brackets[group-1]
			if b.count == 0 {
				b.first = len(l.tokens)
			}
			b.count++
		}
		l.tokens = append(l.tokens, token{raw: raw, key: keyOf(raw), start: start, end: end, group: group, sep: name[sepStart:start]})
		start, sepStart = -1, end
	}
	for i, r := range name {
		size := utf8.RuneLen(r)
		if r == utf8.RuneError {
			size = 1
			if strings.HasPrefix(name[i:], "\uFFFD") {
				size = 3
			}
		}
		if _, opens := closers[r]; opens {
			flush(i)
			if len(stack) == 0 {
				l.brackets = append(l.brackets, bracket{open: r, start: i, end: len(name)})
			}
			stack = append(stack, r)
			continue
		}
		if r == ')' || r == ']' || r == '}' || r == '】' {
			flush(i)
			for n := len(stack) - 1; n >= 0; n-- {
				if closers[stack[n]] == r {
					stack = stack[:n]
					if n == 0 {
						l.brackets[len(l.brackets)-1].end = i + size
					}
					break
				}
			}
			continue
		}
		if isSeparator(r) || r == utf8.RuneError || unicode.IsControl(r) {
			flush(i)
			continue
		}
		if start < 0 {
			start = i
		}
	}
	flush(len(name))
	return l
}

func keyOf(raw string) string {
	key := strings.ToLower(raw)
	if strings.ContainsAny(key, "'’`´") {
		key = strings.NewReplacer("'", "", "’", "", "`", "", "´", "").Replace(key)
	}
	if trimmed := strings.TrimRight(key, "!?"); trimmed != "" {
		key = trimmed
	}
	return key
}

// sameGroup tells whether tokens i to j (inclusive) stand in one bracket, or in none.
func (l lexed) sameGroup(i, j int) bool {
	for k := i + 1; k <= j; k++ {
		if l.tokens[k].group != l.tokens[i].group {
			return false
		}
	}
	return true
}

func isDigits(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// shouts tells whether a word is written as tags are and titles seldom: GERMAN, iTA, TRUEFRENCH, DUALi.
func shouts(raw string) bool {
	upper, lower := 0, 0
	for _, r := range raw {
		switch {
		case unicode.IsUpper(r):
			upper++
		case unicode.IsLower(r):
			lower++
		}
	}
	first, _ := utf8.DecodeRuneInString(raw)
	return upper >= 2 && upper >= lower || upper > 0 && (unicode.IsLower(first) || lower == 0 && len(raw) > 1)
}

// fold leaves the letters and digits of s, lower case and without diacritics.
func fold(s string) string {
	var b strings.Builder
	for _, r := range stripMarks(s) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}
