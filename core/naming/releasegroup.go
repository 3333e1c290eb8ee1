package naming

import (
	"regexp"
	"strings"
	"unicode"
)

// What repost sites and obfuscators put behind a group's name.
var repostSuffix = regexp.MustCompile(`(?i)^(?:rp|pre|postbot|xpost|obfuscat\w*|scrambled|nzbgeek|rakuv\w*|asrequested|alternativetorequested|gerov|z0ids3n|chamele0n|4p|4planet|altezachen|buymore|whiterev|sample|proof|repost|bucket\w*|\d)$`)

// mirrorDomain: a group that signs with its site's name.
var mirrorDomain = regexp.MustCompile(`(?i)YTS\.[a-z]{2}$`)

// releaseGroup is who made the copy: behind the last hyphen, in the last or first bracket, or the last word after
// the tags.
func (l lexed) releaseGroup(start, cut int, covered []*tag) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '{' || r == '}' || r == '/' || r == '\\' || r == unicode.ReplacementChar || unicode.IsControl(r) {
			return -1
		}
		return r
	}, l.findGroup(start, cut, covered)))
}

func (l lexed) findGroup(start, cut int, covered []*tag) string {
	described := false
	for i := range l.tokens {
		described = described || covered[i] != nil && (i < start || i >= cut)
	}
	bracketed := ""
	end := len(l.tokens) - 1
	for end >= cut && l.tokens[end].group > 0 {
		b := l.brackets[l.tokens[end].group-1]
		if text := l.name[b.start+1 : max(b.start+1, b.end-1)]; bracketed == "" && b.open == '[' && !l.bracketIsTag(b, covered) && l.yearAt(b.first) == 0 && !strings.Contains(text, " ") && !siteWord.MatchString(text) && !looksRandom(text) && !isDigits(text) && b.first > 0 {
			bracketed = text
		}
		end = b.first - 1
	}
	for end >= cut && covered[end] != nil && covered[end].kind == tagContainer {
		end--
	}
	medium := ""
	if end > cut || end == cut && cut > start && l.tokens[end].sep == "-" {
		hyphen, text := l.trailingGroup(end, cut, covered)
		if hyphen && described {
			return text
		}
		medium = text
	}
	if bracketed != "" && described {
		return bracketed
	}
	for i := len(l.tokens) - 1; i > cut; i-- {
		if t := l.tokens[i]; t.group > 0 && covered[i] == nil && l.tokens[i-1].group == t.group && l.lastOfBracket(i) {
			b := l.brackets[t.group-1]
			if (covered[i-1] != nil || strings.ContainsAny(t.sep, "-[")) && l.bracketIsTag(b, covered) && l.yearAt(i) == 0 && !isDigits(t.key) {
				return t.raw
			}
		}
	}
	if first := l.tokens[0]; first.group > 0 && start > 0 {
		b := l.brackets[first.group-1]
		if text := l.name[b.start+1 : max(b.start+1, b.end-1)]; b.open != '(' && !isDigits(text) && !l.bracketIsTag(b, covered) && !siteWord.MatchString(text) {
			return strings.TrimSpace(text)
		}
	}
	if described {
		return medium
	}
	return ""
}

func (l lexed) lastOfBracket(i int) bool {
	return i+1 == len(l.tokens) || l.tokens[i+1].group != l.tokens[i].group
}

// trailingGroup is the last run of hyphenated words that are no tags, and whether a hyphen introduces it.
func (l lexed) trailingGroup(end, cut int, covered []*tag) (bool, string) {
	free := func(i int) bool {
		t := covered[i]
		if t == nil {
			return true
		}
		// "-HR", "-RESTORED": a tag of one word right behind a hyphen ends the name as a group would.
		return i == end && t.strength != strong && t.from == i && l.tokens[i].sep == "-" && t.kind != tagLanguage && t.kind != tagHDR
	}
	for end > cut && covered[end] != nil && (covered[end].kind == tagLanguage || l.tokens[end].key == "int") && covered[end-1] == nil && strings.HasSuffix(l.tokens[end-1].sep, "-") {
		end-- // "-SKGTV English"
	}
	if !free(end) || l.yearAt(end) > 0 && !strings.HasSuffix(l.tokens[end].sep, "-") {
		return false, ""
	}
	first := end
	for first > cut && strings.HasPrefix(l.tokens[first].sep, "-") && len(l.tokens[first].sep) == 1 && free(first-1) && l.tokens[first-1].group == 0 && covered[first-1] == nil {
		first--
	}
	for first < end && isDigits(l.tokens[first].key) {
		first++ // "LAME3*92-GROUP"
	}
	last := end
	for last > first && repostSuffix.MatchString(l.tokens[last].key) {
		last--
	}
	text := l.name[l.tokens[first].start:l.tokens[last].end]
	introduced := strings.Contains(l.tokens[first].sep, "-")
	if g := l.tokens[first-1].group; g > 0 && first == end && l.bracketIsTag(l.brackets[g-1], covered) {
		introduced = true // "(1080p BluRay x265) GROUP"
	}
	if yts := mirrorDomain.FindString(l.name[:l.tokens[end].end]); yts != "" {
		return true, yts
	}
	behindTag := first > cut && covered[first-1] != nil
	switch {
	case repostSuffix.MatchString(text):
		return false, ""
	case introduced, behindTag && last > first:
		return true, strings.Trim(text, ".")
	case behindTag && first == end && !isDigits(text):
		return false, text
	case first > cut+1 && l.tokens[first-1].key == "by":
		return true, text
	}
	return false, ""
}
