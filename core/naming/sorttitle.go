package naming

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// articles that a title's order ignores, by language. Those that are glued to the word end in an apostrophe.
var articles = map[string][]string{
	"en": {"the", "a", "an"},
	"de": {"der", "die", "das", "den", "dem", "des", "ein", "eine", "einer", "eines"},
	"fr": {"le", "la", "les", "l'", "un", "une", "des", "du"},
	"es": {"el", "la", "los", "las", "lo", "un", "una", "unos", "unas"},
	"it": {"il", "lo", "la", "i", "gli", "le", "l'", "un", "uno", "una", "un'"},
	"pt": {"o", "a", "os", "as", "um", "uma", "uns", "umas"},
	"nl": {"de", "het", "een", "'t"},
	"sv": {"den", "det", "de", "en", "ett"},
	"da": {"den", "det", "de", "en", "et"},
	"nb": {"den", "det", "de", "en", "ei", "et"},
	"no": {"den", "det", "de", "en", "ei", "et"},
	"ca": {"el", "la", "els", "les", "l'", "un", "una"},
	"ro": {"un", "o", "niște"},
	"hu": {"a", "az", "egy"},
}

const sortDigits = 8

// SortTitle is what a title is ordered by in a locale (a BCP 47 tag; others than those known ignore no article):
// lower case, without diacritics, punctuation and a leading article, numbers padded so that 2 comes before 10. A
// title that is only an article is itself.
func SortTitle(title, locale string) string {
	plain := strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case r == '’' || r == '`' || r == '´':
			return '\''
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r), r == '\'':
			return unicode.ToLower(r)
		}
		return ' '
	}, strings.ToValidUTF8(title, ""))), " ")
	language, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(locale, "_", "-")), "-")
	for _, article := range articles[language] {
		if !strings.HasSuffix(article, "'") {
			article += " "
		}
		if rest, ok := strings.CutPrefix(plain, article); ok && strings.Trim(rest, "' ") != "" {
			plain = rest
			break
		}
	}
	plain = strings.TrimSpace(strings.ReplaceAll(stripMarks(plain), "'", ""))
	if plain == "" {
		return strings.ToLower(strings.TrimSpace(strings.ToValidUTF8(title, "")))
	}
	var b strings.Builder
	for i := 0; i < len(plain); {
		j := i
		for j < len(plain) && plain[j] >= '0' && plain[j] <= '9' {
			j++
		}
		if j > i {
			digits := strings.TrimLeft(plain[i:j], "0")
			b.WriteString(strings.Repeat("0", max(0, sortDigits-len(digits))))
			b.WriteString(digits)
			i = j
			continue
		}
		b.WriteByte(plain[i])
		i++
	}
	return b.String()
}

var letterForms = strings.NewReplacer("ß", "ss", "æ", "ae", "Æ", "Ae", "œ", "oe", "Œ", "Oe", "ø", "o", "Ø", "O", "đ", "d", "Đ", "D", "ð", "d", "Ð", "D", "þ", "th", "Þ", "Th", "ł", "l", "Ł", "L", "ı", "i")

// stripMarks takes diacritics off letters and writes ligatures out.
func stripMarks(s string) string {
	ascii := true
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			ascii = false
			break
		}
	}
	if ascii {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(letterForms.Replace(s)))
	return norm.NFC.String(s)
}
