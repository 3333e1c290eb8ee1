package naming

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	partEnd    = regexp.MustCompile(`(?i)^(.*?)([\s._\-\[(]*[\s._\-\[(\])}])(cd|dvd|dis[ck]|part|pt|p)([\s._-]*)(\d{1,2}|[a-d])(?:[\s._-]*of[\s._-]*(\d{1,2}))?[\])]?$`)
	partOf     = regexp.MustCompile(`(?i)^(.*?)[\s._\-\[(]*[\s._\-\[(]\(?(\d{1,2})[\s._]?of[\s._]?(\d{1,2})[\])]*$`)
	partMiddle = regexp.MustCompile(`(?i)[\s._\-\[(](cd|dis[ck]|part|pt)(\d{1,2})(?:[\s._-]?of[\s._-]?(\d{1,2}))?(?:[\s._\-\])]|$)`)
	partFolder = regexp.MustCompile(`(?i)^(?:cd|dvd|dis[ck]|part|pt)[\s._-]*(\d{1,2}|[a-d])$`)
)

// takePart finds a part's number, and how many there are where that is said, and returns the name without it.
//
// Only the end of a name says a part, and "part 1" only behind the year or a hyphen: before them it belongs to the
// title ("Deathly Hallows Part 1"). "cd1" is never a title's word and is taken from anywhere, "part1" from anywhere behind the year.
func takePart(name string) (string, int, int) {
	if m := partFolder.FindStringSubmatch(name); m != nil {
		return name, partNumber(m[1]), 0
	}
	if m := submatch(partEnd, name, mayContain(name, "cd", "dvd", "dis", "p")); m != nil && m[1] != "" {
		word, gap, number := strings.ToLower(m[3]), m[4], partNumber(m[5])
		letter := !isDigits(m[5])
		count, _ := strconv.Atoi(m[6])
		said := released(m[1] + " x")
		ok := false
		switch word {
		case "p":
			ok = gap == "" && !letter && said
		case "dvd":
			ok = !letter && (count > 0 || number != 5 && number != 9 || said && !dvdFormat(m[1]))
		case "part", "pt":
			ok = count > 0 || gap == "" || said && !letter || strings.Contains(m[2], "-") && !letter
		default:
			ok = !letter || gap == ""
		}
		if ok && number > 0 {
			closing := strings.Trim(m[2], " \t._-[(")
			return strings.TrimRight(m[1], " ._-") + closing, number, count
		}
	}
	if m := submatch(partOf, name, mayContain(name, "of")); m != nil && m[1] != "" {
		number, _ := strconv.Atoi(m[2])
		count, _ := strconv.Atoi(m[3])
		if number >= 1 && number <= count {
			return strings.TrimRight(m[1], " ._-"), number, count
		}
	}
	if !mayContain(name, "cd", "dis", "part", "pt") {
		return name, 0, 0
	}
	if m := partMiddle.FindStringSubmatchIndex(name); m != nil && m[0] > 0 {
		number, _ := strconv.Atoi(name[m[4]:m[5]])
		count := 0
		if m[6] >= 0 {
			count, _ = strconv.Atoi(name[m[6]:m[7]])
		}
		word := strings.ToLower(name[m[2]:m[3]])
		if number > 0 && (word != "part" && word != "pt" || released(name[:m[0]]+" x")) {
			return name[:m[0]] + " " + name[m[1]-1:], number, count
		}
	}
	return name, 0, 0
}

// dvdFormat tells whether DVD5 or DVD9 behind these words is a kind of disc.
func dvdFormat(before string) bool {
	l := lex(before)
	return len(l.tokens) > 0 && (l.tokens[len(l.tokens)-1].key == "pal" || l.tokens[len(l.tokens)-1].key == "ntsc")
}

func partNumber(s string) int {
	if isDigits(s) {
		n, _ := strconv.Atoi(s)
		return n
	}
	return int(strings.ToLower(s)[0]-'a') + 1
}
