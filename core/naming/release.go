package naming

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// release is what one name (a file's without extension, or a folder's) says.
type release struct {
	title      string
	year       int
	bracketed  bool // the year stands in brackets
	editions   []string
	resolution string
	source     string
	codec      string
	group      string
	proper     bool
	remux      bool
	hdr        []string
	threeD     string
	part       int
	partCount  int
	extra      string
	ignored    bool // its canonical form says that it is no film
	tags       int  // how many words are known to describe a copy and not a film
	ids
}

var (
	sitePrefix = regexp.MustCompile(`(?i)^\s*(?:\[\s*www[.,][^\]]*\]|\[[^\]\s]*\.(?:com|org|net|info|me|to|tv|cc|ru)\s*\]|www[.,][a-z0-9-]+[.,][a-z]{2,10})[\s_\-.]*`)
	siteWord   = regexp.MustCompile(`(?i)\.(?:com|org|net|info|nu|to|pw)$`)
	// Digital recorders put the time of recording first and mean the whole name as the title.
	recorderName = regexp.MustCompile(`^\d{4}年\d{2}月\d{2}日`)
	recorderMark = regexp.MustCompile(`(?:\[[^\[\]]{1,2}\])+$`)
	// onlinetvrecorder.com: title_12.09.19_20-15_station_60_TVOON_DE.
	broadcastTime = regexp.MustCompile(`[ ._]\d\d\.\d\d\.\d\d[ ._]\d\d-\d\d(?:[ ._]|$)`)
	bonusMarker   = regexp.MustCompile(`(?i)[-_. ]+x(\d{2})(?:[-_. ]|$)`)
	filmMarker    = regexp.MustCompile(`(?i)^.+?[-_. ]+f\d{1,2}[-_. ]+`)
)

// western reads the bytes of a name that are no UTF-8 as ISO 8859-1, which the names of old disks mostly are: the Latin letters of
// Windows-1252, ISO 8859-15 and it are the same. Other bytes become U+FFFD.
func western(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	var b strings.Builder
	for len(name) > 0 {
		r, size := utf8.DecodeRuneInString(name)
		if r == utf8.RuneError && size == 1 && name[0] >= 0xC0 {
			r = rune(name[0])
		}
		b.WriteRune(r)
		name = name[size:]
	}
	return b.String()
}

// parseRelease reads one name.
func parseRelease(name string) release {
	var r release
	name = western(name)
	if recorderName.MatchString(name) {
		r.title = cleanTitle(recorderMark.ReplaceAllString(name, ""))
		return r
	}
	if strings.HasPrefix(name, explicitStart) {
		return parseExplicit(name)
	}
	name, r.ids = takeIDs(name)
	name, r.editions = takeEditions(name)
	if strings.Contains(name, "[") || mayContain(name, "www") {
		if stripped := sitePrefix.ReplaceAllString(name, ""); stripped != "" {
			name = stripped
		}
	}
	if m := bonusAt(name); m != nil && m[0] > 0 && strings.HasPrefix(name[m[0]:], "-") {
		r.extra = "bonus"
		rest := parseRelease(name[:m[0]])
		r.title, r.year = rest.title, rest.year
		if l := lex(name[m[0]:]); r.year == 0 {
			for i := range l.tokens {
				if year := l.yearAt(i); year > 0 {
					r.year = year
				}
			}
		}
		if film := filmMarker.FindString(name[:m[0]]); film != "" && strings.Contains(film, "-f") {
			r.title = parseRelease(name[len(film):m[0]]).title
		}
		return r
	}
	if strings.Contains(name, "-f") {
		if film := filmMarker.FindString(name); strings.Contains(film, "-f") {
			name = name[len(film):]
		}
	}
	name, r.extra = takeExtra(name)
	name, r.part, r.partCount = takePart(name)
	if strings.Count(name, ".") >= 2 {
		if m := broadcastTime.FindStringIndex(name); m != nil && m[0] > 0 {
			name = name[:m[0]]
		}
	}
	l := lex(name)
	l.read(&r)
	return r
}

// bonusAt is where a name has the mark of a disc's bonus film, or nil.
func bonusAt(name string) []int {
	if !strings.ContainsAny(name, "xX") {
		return nil
	}
	return bonusMarker.FindStringIndex(name)
}

// read finds where the title ends and takes every other field from the words around it.
func (l lexed) read(r *release) {
	if len(l.tokens) == 0 {
		return
	}
	tags := l.scan()
	covered := make([]*tag, len(l.tokens))
	for n := range tags {
		for i := tags[n].from; i < tags[n].to; i++ {
			covered[i] = &tags[n]
		}
	}
	start := l.titleStart(covered)
	year := l.chooseYear(start, covered)
	if year == start && year >= 0 {
		if next := start + 1; next < len(l.tokens) && covered[next] == nil && l.tokens[next].group == 0 && l.yearAt(start) <= lastYear {
			r.year = l.yearAt(start)
			start = next
		}
		year = -1
	}
	cut := l.titleEnd(start, year, covered)
	if first := l.tokens[0]; r.year == 0 && start > 0 && first.group > 0 && l.brackets[first.group-1].count == 1 {
		r.year = l.yearAt(0) // "(1999) Film"
	}
	if year >= 0 {
		r.year, r.bracketed = l.yearAt(year), l.tokens[year].group > 0
	}
	r.title = l.titleText(start, cut)

	r.group = l.releaseGroup(start, cut, covered)
	l.describe(r, slices.DeleteFunc(tags, func(t tag) bool {
		return t.from >= start && t.from < cut || t.to-t.from == 1 && t.strength != strong && l.tokens[t.from].raw == r.group
	}))
}

// describe takes the fields about the copy from the tags outside the title.
func (l lexed) describe(r *release, tags []tag) {
	var rank strength
	sure := 0
	for _, t := range tags {
		r.tags++
		switch t.kind {
		case tagSource:
			if r.source == "" || t.strength > rank || r.source == "dvd" && t.value == "dvdrip" {
				r.source, rank = t.value, t.strength
			}
		case tagResolution:
			if lines, certainty := l.resolution(t); certainty > sure {
				r.resolution, sure = lines, certainty
			}
			if t.source != "" && (r.source == "" || rank < strong) {
				r.source, rank = t.source, strong
			}
		case tagCodec:
			r.codec = cmp.Or(r.codec, t.value)
		case tagEdition:
			r.editions = addOnce(r.editions, t.value)
		case tagProper:
			r.proper = true
		case tagRemux:
			r.remux = true
			if r.source == "" {
				r.source, rank = cmp.Or(t.value, "bluray"), weak
			}
		case tagHDR:
			r.hdr = addOnce(r.hdr, t.value)
		case tag3D:
			if r.threeD == "" || r.threeD == "3d" {
				r.threeD = t.value
			}
		}
	}
	slices.Sort(r.editions)
}

// resolution is what a tag says of it and how sure that is: 1080p is surer than 4K ("1080p from a 4K restoration"),
// both than a bare 720, and a television standard only implies its lines.
func (l lexed) resolution(t tag) (string, int) {
	key := l.tokens[t.from].key
	switch t.value {
	case "pal":
		return "576p", 1
	case "ntsc":
		return "480p", 1
	case "720", "1080", "2160":
		return t.value + "p", 2
	}
	if t.to-t.from == 1 && (resolutionWord.MatchString(key) || dimensionsWord.MatchString(key)) {
		return t.value, 4
	}
	return t.value, 3
}

// scan finds the tags of a name from left to right, the longest phrase first.
func (l lexed) scan() []tag {
	var tags []tag
	for i := 0; i < len(l.tokens); {
		t, ok := l.tagAt(i)
		if !ok {
			i++
			continue
		}
		tags = append(tags, t)
		i = t.to
	}
	return tags
}

var genres = map[string]bool{"horror": true, "comedy": true, "drama": true, "action": true, "thriller": true, "animation": true, "documentary": true, "western": true, "fantasy": true, "sci": true}

// titleStart skips what stands before a title: a group's or site's bracket, a genre, quality tags.
func (l lexed) titleStart(covered []*tag) int {
	bare := func(from int) int {
		for i := from; i < len(l.tokens); i++ {
			if l.tokens[i].group == 0 && (covered[i] == nil || covered[i].strength != strong) {
				return i
			}
		}
		return -1
	}
	start := 0
	for start < len(l.tokens) && l.tokens[start].group > 0 {
		b := l.brackets[l.tokens[start].group-1]
		next := b.first + b.count
		if next >= len(l.tokens) || b.first != start {
			break
		}
		described := l.bracketIsTag(b, covered)
		numbers := b.count == 1 && len(l.tokens[start].key) < 3 && isDigits(l.tokens[start].key) && b.end < len(l.name) && l.tokens[next].sep == ")" // "(1)Film"
		if b.open == '(' && !described && !numbers && l.yearAt(start) == 0 && !genres[l.tokens[b.first].key] {
			break
		}
		if text := bare(next); text < 0 {
			// Everything is in brackets: the first names the group, the second the film.
			if second := l.tokens[next].group; start == 0 && !described && second > 0 && !l.bracketIsTag(l.brackets[second-1], covered) && l.yearAt(next) == 0 {
				return next
			}
			break
		} else if !described && l.onlyDigits(text, covered) {
			break // "[REC] 2"
		}
		start = next
	}
	for start < len(l.tokens) && covered[start] != nil && l.tokens[start].group == 0 {
		t := covered[start]
		leads := t.strength == strong && t.kind != tagContainer
		if t.kind == tagEdition && t.to < len(l.tokens) && shouts(l.tokens[start].raw) && !shouts(l.tokens[t.to].raw) && covered[t.to] == nil && l.yearAt(t.to) == 0 && l.tokens[t.to].raw == strings.ToLower(l.tokens[t.to].raw) {
			leads = true
		}
		if !leads || t.to >= len(l.tokens) || bare(t.to) < 0 || covered[t.to] != nil && covered[t.to].strength != strong || l.yearAt(t.to) > 0 {
			break
		}
		start = t.to
	}
	if start >= len(l.tokens) {
		return 0
	}
	return start
}

// onlyDigits tells whether no bare word from i on has letters, up to the first tag or bracket.
func (l lexed) onlyDigits(i int, covered []*tag) bool {
	from := i
	for ; i < len(l.tokens) && l.tokens[i].group == 0 && covered[i] == nil; i++ {
		if !isDigits(l.tokens[i].key) {
			return false
		}
	}
	return i > from
}

// bracketIsTag tells whether a bracket describes the copy: one strong word says so, or all words together.
func (l lexed) bracketIsTag(b bracket, covered []*tag) bool {
	if b.count == 0 {
		return false
	}
	known := 0
	for i := b.first; i < b.first+b.count; i++ {
		if covered[i] == nil {
			continue
		}
		if covered[i].strength == strong {
			return true
		}
		known++
	}
	return known == b.count
}

// chooseYear is the token that says the year, or -1: the last bracketed one, else the last before the first word
// about the copy, else the last.
func (l lexed) chooseYear(start int, covered []*tag) int {
	bare, early, inBracket := -1, -1, -1
	strongSeen, episode := false, false
	for i := start; i < len(l.tokens); i++ {
		if t := covered[i]; t != nil && i > start {
			strongSeen = strongSeen || t.strength == strong
			episode = episode || t.kind == tagEpisode
		}
		if l.yearAt(i) == 0 || covered[i] != nil || episode {
			continue
		}
		switch {
		case l.tokens[i].group > 0 && i != start && inBracket >= start && inBracket == i-1 && l.spans(i-1, i):
			// "(1989-1990)": the first is the film's
		case l.tokens[i].group > 0 && i != start:
			inBracket = i
		case l.tokens[i].group > 0:
		case !strongSeen:
			early, bare = i, i
		default:
			bare = i
		}
	}
	switch {
	case inBracket >= 0:
		return inBracket
	case early > start:
		return early
	case bare > start:
		return bare
	}
	return bare
}

// titleEnd is the token before which the title ends.
func (l lexed) titleEnd(start, year int, covered []*tag) int {
	cut, byYear := len(l.tokens), false
	at := func(i int) {
		if g := l.tokens[i].group; g > 0 && g != l.tokens[start].group {
			i = l.brackets[g-1].first
		}
		if i > start && i < cut {
			cut, byYear = i, i == year || year >= 0 && l.tokens[year].group > 0 && l.tokens[year].group == l.tokens[i].group
		}
	}
	if year >= 0 {
		at(year)
	}
	for i := start + 1; i < len(l.tokens); i++ {
		if t := covered[i]; t != nil && t.strength == strong && t.from == i {
			at(i)
			break
		}
	}
	for i := start + 1; i < len(l.tokens); i++ {
		t := l.tokens[i]
		switch {
		case t.group > 0 && l.brackets[t.group-1].first == i && t.group != l.tokens[start].group && l.bracketIsTag(l.brackets[t.group-1], covered):
			at(i)
		case l.dateAt(i) && i+3 < len(l.tokens) && l.yearAt(i+3) == 0:
			at(i) // at the end of a name a date is all that tells one show from the next, and stays in the title
		case strings.Contains(t.sep, "--"):
			at(i)
		case t.group == 0 && covered[i] != nil && covered[i].kind == tagSource && covered[i].strength == shouted && covered[i].value != "web" && t.raw == strings.ToUpper(t.raw) && !shouts(l.tokens[start].raw) && len(t.raw) > 1:
			at(i) // capitals in a name without: Capitao.America.2.TS.Group
		}
	}
	if g := l.tokens[start].group; g > 0 && l.brackets[g-1].open != '(' && !l.bracketIsTag(l.brackets[g-1], covered) {
		if end := l.brackets[g-1].first + l.brackets[g-1].count; end < cut && l.tokens[end].group > 0 {
			cut = end
		}
	}
	return l.trimEnd(start, cut, year, byYear, covered)
}

var joiningWords = map[string]bool{"or": true, "and": true, "the": true, "of": true, "&": true, "a": true, "in": true}

// trimEnd takes tags and parentheses off a title's end.
func (l lexed) trimEnd(start, cut, year int, byYear bool, covered []*tag) int {
	open := cut == len(l.tokens) // nothing ended the title
	loud := true                 // the whole title is in capitals
	for i := start; i < cut; i++ {
		if covered[i] == nil && l.tokens[i].raw != strings.ToUpper(l.tokens[i].raw) {
			loud = false
		}
	}
	edition := false
	for cut > start+1 {
		last := cut - 1
		if g := l.tokens[last].group; g > 0 && g != l.tokens[start].group {
			b := l.brackets[g-1]
			inner := l.tokens[last].key
			if b.first <= start || isDigits(inner) && len(inner) < 5 || joiningWords[l.tokens[b.first-1].key] {
				return cut
			}
			cut = b.first
			continue
		}
		t := covered[last]
		if t == nil || t.to != cut && !open && t.to > cut || t.from <= start {
			return cut
		}
		raw := l.tokens[t.from].raw
		cry := shouts(raw) && !(loud && (byYear || open))
		off := false
		switch {
		case t.kind == tagEdition && t.strength == weak:
			off = edition
		case t.kind == tag3D: // "Prometheus 3D (2012) H-SBS", but "Piranha 3D (2010)"
			off = !(byYear && l.tokens[year].group > 0) && !open || open && t.value != "3d" || !open && l.onlyLaidOut(cut, covered)
		case t.strength == strong:
			off = true
		case t.strength == loose && t.kind == tagEdition:
			off = true
		case t.strength == loose:
			off = !open || cry || revisionWord.MatchString(l.tokens[t.from].key)
		case t.strength == shouted && t.kind == tagLanguage:
			switch {
			case open:
				off = cry && (len(raw) > 3 || strings.Contains(l.tokens[t.from].sep, " - "))
			case byYear:
				behindTag := t.from > start+1 && covered[t.from-1] != nil && (covered[t.from-1].kind == tagEdition || shouts(l.tokens[t.from-1].raw))
				off = cry && len(raw) > 2 || behindTag && !loud
			default:
				off = cry || len(raw) > 3
			}
		case t.strength == shouted && t.kind == tagSource && t.value == "web":
			off = raw == "WEB" && !loud
		case t.strength == shouted:
			off = cry || !byYear && !open && raw == strings.ToLower(raw) && t.kind != tagSource && l.lowered(start)
		}
		if !off {
			return cut
		}
		edition = t.kind == tagEdition
		cut = t.from
	}
	return cut
}

// onlyLaidOut tells whether the words from i on say how the pictures of a film lie, but not that there are two.
func (l lexed) onlyLaidOut(i int, covered []*tag) bool {
	laid := false
	for ; i < len(l.tokens); i++ {
		if t := covered[i]; t != nil && t.kind == tag3D {
			if t.value == "3d" {
				return false
			}
			laid = true
		}
	}
	return laid
}

// lowered tells whether a name is written without capitals, where crying is impossible.
func (l lexed) lowered(start int) bool {
	for _, t := range l.tokens[start:] {
		if t.raw != strings.ToLower(t.raw) {
			return false
		}
	}
	return true
}

// titleText is the title between two tokens as a reader writes it.
func (l lexed) titleText(start, cut int) string {
	if cut <= start {
		return ""
	}
	from, to := l.tokens[start].start, l.tokens[cut-1].end
	if g := l.tokens[start].group; g > 0 && l.brackets[g-1].open == '(' {
		from = l.brackets[g-1].start
	} else if g > 0 && cut > l.brackets[g-1].first+l.brackets[g-1].count {
		from = l.brackets[g-1].start
	}
	if g := l.tokens[cut-1].group; g > 0 && (g != l.tokens[start].group || l.brackets[g-1].open == '(') {
		to = l.brackets[g-1].end
	}
	if cut < len(l.tokens) && to <= l.tokens[cut].start && strings.HasPrefix(l.name[to:l.tokens[cut].start], "...") {
		to += 3
	}
	title := cleanTitle(l.name[from:to])
	if shortened.MatchString(l.name[to:]) && title != "" && !strings.HasSuffix(title, ".") {
		title += "." // "Monsters, Inc. (2001)"
	}
	return title
}

// shortened: a dot and a blank before a bracket belong to the word before them, where dots are no separators.
var shortened = regexp.MustCompile(`^\. [\[({]`)

var akaMark = regexp.MustCompile(`(?i)[\s._]+(?:aka|a\.k\.a\.?)[\s._]+`)

// cleanTitle writes a title with blanks instead of separators. Of a title in two scripts the Latin one stays.
func cleanTitle(raw string) string {
	if m := akaMark.FindStringIndex(raw); m != nil && m[0] > 0 {
		raw = raw[:m[0]]
	}
	raw = strings.Map(func(r rune) rune {
		switch {
		case r == '_' || r == '/' || r == '\\' || unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case r == '{' || r == '}' || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, raw)
	raw = undot(raw)
	raw = latinPart(strings.Join(strings.Fields(raw), " "))
	trimmed := strings.TrimLeft(strings.TrimRight(raw, " -–,;:|+~*=★⭐"), " -–,;:|+~*=★⭐.")
	if strings.HasSuffix(trimmed, ".") && !strings.HasSuffix(trimmed, "..") && !acronymEnd.MatchString(trimmed) {
		trimmed = strings.TrimRight(strings.TrimSuffix(trimmed, "."), " -")
	}
	if acronym.MatchString(trimmed) {
		trimmed += "."
	}
	return trimmed
}

var (
	acronymEnd = regexp.MustCompile(`(?:^|[ .])\pL\.\pL\.$`)
	acronym    = regexp.MustCompile(`(?:^|[ .])\pL\.\pL$`)
)

// undot turns the dots between words into blanks and leaves those of R.I.P.D., Mr. and 3.0 in names with blanks.
func undot(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	spaced := strings.Contains(strings.TrimSpace(s), " ")
	r := []rune(s)
	single := func(i int) bool { // a letter alone between dots or ends
		return i >= 0 && i < len(r) && unicode.IsLetter(r[i]) && (i == 0 || r[i-1] == '.' || r[i-1] == ' ') && (i+1 == len(r) || r[i+1] == '.' || r[i+1] == ' ')
	}
	var b strings.Builder
	for i, c := range r {
		if c != '.' {
			b.WriteRune(c)
			continue
		}
		nextDot, prevDot := i+1 < len(r) && r[i+1] == '.', i > 0 && r[i-1] == '.'
		switch {
		case single(i-1) && single(i+1):
			b.WriteRune('.')
		case single(i-1) && single(i-3) && !(i+1 < len(r) && r[i+1] == '.'):
			b.WriteString(". ")
		case nextDot || prevDot:
			b.WriteRune('.')
		case spaced && (i+1 == len(r) || r[i+1] == ' '):
			b.WriteRune('.')
		case spaced && i > 0 && i+1 < len(r) && unicode.IsDigit(r[i-1]) && unicode.IsDigit(r[i+1]):
			b.WriteRune('.')
		default:
			b.WriteRune(' ')
		}
	}
	return b.String()
}

// latinPart is the Latin half of "Троя Troy" and "抓娃娃 Successor"; a title in one script is itself.
func latinPart(title string) string {
	words := strings.Fields(title)
	if len(words) < 2 {
		return title
	}
	foreign := 0
	for foreign < len(words) && !hasLatin(words[foreign]) {
		foreign++
	}
	if foreign == 0 || foreign == len(words) || unicode.IsDigit([]rune(title)[0]) || !strings.ContainsFunc(strings.Join(words[:foreign], ""), unicode.IsLetter) {
		return title
	}
	rest := strings.Join(words[foreign:], " ")
	letters := 0
	for _, r := range rest {
		if unicode.IsLetter(r) {
			if !unicode.Is(unicode.Latin, r) {
				return title
			}
			letters++
		}
	}
	if letters < 3 {
		return title
	}
	return rest
}

func hasLatin(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Latin, r) })
}
