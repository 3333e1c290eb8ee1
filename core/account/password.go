package account

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MinPasswordLength and MaxPasswordLength bound a password in characters (ASVS 5.0, 6.2.1 and 6.2.9: at least 15 without a second factor, at
// least 64 accepted). Nothing is required of its composition, and nothing of it is cut off.
const (
	MinPasswordLength = 15
	MaxPasswordLength = 1024
	// MinPasswordLengthWithFactor is enough where a second factor is asked for as well (S1).
	MinPasswordLengthWithFactor = 8
)

// bases are the words that lead the published rankings of leaked passwords, written down for this file from general knowledge of those
// rankings: names, teams, words, keyboard runs and digit runs. common grows each into what people make of it.
//
//go:embed common_passwords.txt
var bases string

// common holds the commonest passwords of 8 characters and more, folded: some ten thousand.
var common = sync.OnceValue(func() map[string]bool {
	set := map[string]bool{}
	add := func(p string) {
		if len(p) >= 8 {
			set[p] = true
		}
	}
	suffixes := []string{"", "1", "2", "7", "12", "11", "13", "21", "22", "23", "69", "99", "00", "01", "123", "1234", "12345", "123456", "1234567", "12345678", "123456789", "321",
		"!", "!!", "1!", "123!", "@123", "#1", ".", "a", "abc", "2020", "2021", "2022", "2023", "2024", "2025", "2026", "1990", "2000", "me", "you"}
	for _, base := range strings.Fields(bases) {
		for _, suffix := range suffixes {
			add(base + suffix)
			add(base + base + suffix)
			add(suffix + base)
		}
		add(base + base + base)
		add(leet.Replace(base))
		add(leet.Replace(base) + "1")
		add(leet.Replace(base) + "123")
		add(reversed(base))
	}
	return set
})

var leet = strings.NewReplacer("a", "@", "e", "3", "i", "1", "o", "0", "s", "$")

func reversed(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}

// length counts a password's characters, in the form in which it is hashed (ports/passwords).
func length(password string) int { return utf8.RuneCountInString(norm.NFC.String(password)) }

// short tells whether a password has fewer characters than an account without a second factor may have.
func short(password string) bool { return length(password) < MinPasswordLength }

// weakness says what is wrong with a password of at least so many characters for an account with these names, "" if nothing is (S1).
func weakness(password string, least int, names ...string) string {
	length := length(password)
	folded := strings.ToLower(password)
	switch {
	case length < least:
		return fmt.Sprintf("A password has at least %d characters. A few words in a row are easy to remember.", least)
	case length > MaxPasswordLength:
		return fmt.Sprintf("A password has at most %d characters.", MaxPasswordLength)
	case !utf8.ValidString(password), strings.ContainsRune(password, 0): // no request may hold a NUL, so nobody could sign in by it
		return "This password is no valid text."
	case common()[folded], common()[core(folded)], periodic(folded), run(folded):
		return "This is one of the first passwords that anybody would try. Take another."
	case named(folded, names):
		return "This password is little more than your name or the name of this server. Take another."
	}
	return ""
}

// core is a password without what stands around its letters, as in "password!!!!!!!".
func core(folded string) string {
	return strings.TrimFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// periodic tells whether at most six characters are repeated all along.
func periodic(s string) bool {
	r := []rune(s)
	for period := 1; period <= 6 && period*2 <= len(r); period++ {
		same := true
		for i := period; i < len(r) && same; i++ {
			same = r[i] == r[i-period]
		}
		if same {
			return true
		}
	}
	return false
}

// runs are what fingers or children count off.
var runs = []string{"abcdefghijklmnopqrstuvwxyz", "01234567890123456789012345678901234567890", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn",
	"1234567890qwertyuiopasdfghjklzxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "1q2w3e4r5t6y7u8i9o0p"}

func run(s string) bool {
	for _, r := range runs {
		if strings.Contains(r, s) || strings.Contains(reversed(r), s) {
			return true
		}
	}
	return false
}

// named tells whether, without the names and the product's, hardly anything is left. The longest go first, so that a whole address is found before
// its parts are taken out of it.
func named(folded string, names []string) bool {
	words := []string{"revenge"}
	for _, name := range names {
		whole := strings.ToLower(name)
		local, _, _ := strings.Cut(whole, "@")
		words = append(words, whole, local)
		words = append(words, strings.FieldsFunc(local, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })...)
	}
	slices.SortStableFunc(words, func(a, b string) int { return len(b) - len(a) })
	rest := folded
	for _, word := range words {
		if utf8.RuneCountInString(word) >= 3 {
			rest = strings.ReplaceAll(rest, word, "")
		}
	}
	return len(rest) < len(folded) && utf8.RuneCountInString(rest) < 8
}
