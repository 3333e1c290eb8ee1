package naming

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Set says which of many paths are one film.
type Set struct {
	Movies  []SetMovie `json:"movies"`
	Extras  []Extra    `json:"extras,omitempty"`  // extras of no film among the paths
	Ignored []string   `json:"ignored,omitempty"` // paths that are neither a film nor an extra
}

// SetMovie is one film: its versions, the preferred one first, and its extras.
type SetMovie struct {
	Title    string    `json:"title"`
	Year     int       `json:"year,omitempty"`
	IMDbID   string    `json:"imdbId,omitempty"`
	TMDbID   int       `json:"tmdbId,omitempty"`
	Versions []Version `json:"versions"`
	Extras   []Extra   `json:"extras,omitempty"`
}

// Version is one copy of a film.
type Version struct {
	Label string   `json:"label,omitempty"` // what tells it from the others: "1080p Directors Cut"
	Name  Name     `json:"name"`            // what its first path says
	Parts []string `json:"parts"`           // paths in the order of playing; one when the film is not split
}

// Extra is a trailer, a deleted scene or the like.
type Extra struct {
	Path  string `json:"path"`
	Kind  string `json:"kind"` // Name.Extra
	Title string `json:"title,omitempty"`
}

// item is one path, or one disc structure's many.
type item struct {
	path   string
	dir    string // the folder it stands in, after part folders and disc structures
	folder string // that folder's name
	stem   string
	name   Name
	part   string // of a part folder: "disc 1"
}

// unit is a copy of a film: one item or the items of a stack.
type unit struct {
	item
	parts []string
}

// Group sorts paths into films, versions, parts and extras. Only files of one folder are one film: who joins what
// different folders hold has more to go by than names. Files of a disc's structure count as the one disc; a path
// without a known extension counts as a folder that holds a film. The order of the paths does not matter: what is
// found is in the order of paths.
func Group(paths []string) Set {
	set := Set{Movies: []SetMovie{}}
	paths = slices.Sorted(slices.Values(paths))
	var films []item
	type loneExtra struct {
		item
		extra Extra
	}
	var extras []loneExtra
	discs := map[string]int{}
	for _, path := range paths {
		it, disc := newItem(path)
		ext := extensionOf(path)
		switch {
		case it.name.Extra != "" && !disc && (videoExtensions[ext] || audioExtensions[ext] && it.name.Kind == KindExtra):
			extras = append(extras, loneExtra{it, Extra{Path: path, Kind: it.name.Extra, Title: extraTitle(it)}})
		case it.name.Kind != KindMovie || ext != "" && !videoExtensions[ext]:
			set.Ignored = append(set.Ignored, path)
		case disc:
			key := it.dir + "/" + it.stem + "/" + it.part
			if at, seen := discs[key]; seen {
				if discIndex(path) && !discIndex(films[at].path) {
					films[at] = it
				}
				continue
			}
			discs[key] = len(films)
			films = append(films, it)
		default:
			films = append(films, it)
		}
	}

	byDir := map[string][]unit{}
	var order []string
	for _, u := range stacks(films) {
		if _, seen := byDir[u.dir]; !seen {
			order = append(order, u.dir)
		}
		byDir[u.dir] = append(byDir[u.dir], u)
	}
	moviesIn := map[string][]int{}
	for _, dir := range order {
		for _, movie := range moviesOf(byDir[dir]) {
			moviesIn[dir] = append(moviesIn[dir], len(set.Movies))
			set.Movies = append(set.Movies, movie)
		}
	}
	owners := map[string]owners{}
	for _, e := range extras {
		if _, known := owners[e.dir]; !known {
			owners[e.dir] = ownersAmong(moviesIn[e.dir], set.Movies)
		}
		if owner := owners[e.dir].of(e.item); owner >= 0 {
			set.Movies[owner].Extras = append(set.Movies[owner].Extras, e.extra)
		} else {
			set.Extras = append(set.Extras, e.extra)
		}
	}
	return set
}

func newItem(path string) (item, bool) {
	components, absolute := splitPath(path)
	it := item{path: path, name: Parse(path)}
	if len(components) == 0 {
		return it, false
	}
	dirs, base, disc := filmLevel(components)
	for len(dirs) > 0 && partFolder.MatchString(strings.TrimSpace(dirs[len(dirs)-1])) {
		if it.part == "" {
			it.part = strings.TrimSpace(dirs[len(dirs)-1])
		}
		dirs = dirs[:len(dirs)-1]
	}
	if folder := folderExtra(dirs, absolute); folder != "" && !disc {
		for len(dirs) > 0 {
			_, extras := extraFolders[strings.ToLower(strings.TrimSpace(dirs[len(dirs)-1]))]
			dirs = dirs[:len(dirs)-1]
			if extras {
				break
			}
		}
	}
	it.stem, it.dir = base, strings.Join(dirs, "/")
	if len(dirs) > 0 {
		it.folder = strings.TrimSpace(stemVideo(dirs[len(dirs)-1]))
	}
	return it, disc
}

func discIndex(path string) bool {
	lower := strings.ToLower(path)
	return strings.HasSuffix(lower, "video_ts.ifo") || strings.HasSuffix(lower, "index.bdmv")
}

var (
	stackEnd   = regexp.MustCompile(`(?i)^(.*?)(?:[\])}]|[\s._-]+)[(\[]?(cd|dvd|dis[ck]|part|pt)[\s._-]*(\d+|[a-d])[)\]]?(?:\.[a-z0-9]{2,4})?$`)
	stackShort = regexp.MustCompile(`(?i)^(.+?)[\s._-]+(p)(\d{1,2})$`)
	stackOf    = regexp.MustCompile(`(?i)^(.+?)[\s._\-\[(]+(\d{1,2})[\s._]?of[\s._]?\d{1,2}[)\]]*$`)
)

func stackEndOf(stem string) []int {
	if !mayContain(stem, "cd", "dvd", "dis", "part", "pt") {
		return nil
	}
	return stackEnd.FindStringSubmatchIndex(stem)
}

// stackPart is what a name says as a part: the name of the whole, the words of its kind of counting, the number.
func stackPart(it item) (whole, scheme string, number int) {
	if it.part != "" {
		m := partFolder.FindStringSubmatch(it.part)
		return "", "folder", partNumber(m[1])
	}
	if m := stackEndOf(it.stem); m != nil {
		whole, number := it.stem[:m[4]], it.stem[m[6]:m[7]]
		scheme = strings.ToLower(it.stem[m[4]:m[5]])
		if !isDigits(number) {
			scheme += " letters"
		}
		n := 0
		if len(number) < 4 {
			n = partNumber(number)
		}
		return strings.ToLower(strings.TrimRight(whole, " ._-([")), scheme, n
	}
	if m := submatch(stackShort, it.stem, mayContain(it.stem, "p")); m != nil {
		n, _ := strconv.Atoi(m[3])
		return strings.ToLower(m[1]), "p", n
	}
	if m := submatch(stackOf, it.stem, mayContain(it.stem, "of")); m != nil {
		n, _ := strconv.Atoi(m[2])
		return strings.ToLower(m[1]), "of", n
	}
	return "", "", 0
}

// stacks joins the parts of split films. A lone part, a second file of the same number and another way of
// counting stay on their own.
func stacks(films []item) []unit {
	type member struct{ index, number int }
	groups, taken := map[string][]member{}, map[string]bool{}
	keys := make([]string, len(films))
	for i, it := range films {
		whole, scheme, number := stackPart(it)
		if scheme == "" || number == 0 {
			continue
		}
		key := it.dir + "\x00" + whole + "\x00" + scheme + "\x00" + extensionOf(it.path)
		place := key + "\x00" + strconv.Itoa(number)
		if taken[place] {
			continue
		}
		taken[place] = true
		keys[i] = key
		groups[key] = append(groups[key], member{i, number})
	}
	var units []unit
	done := map[string]bool{}
	for i, it := range films {
		members := groups[keys[i]]
		if keys[i] == "" || len(members) < 2 {
			units = append(units, unit{item: it, parts: []string{it.path}})
			continue
		}
		if done[keys[i]] {
			continue
		}
		done[keys[i]] = true
		slices.SortFunc(members, func(a, b member) int { return a.number - b.number })
		u := unit{item: films[members[0].index]}
		for _, m := range members {
			u.parts = append(u.parts, films[m.index].path)
		}
		if m := stackEndOf(u.stem); m != nil {
			u.stem = strings.TrimRight(u.stem[:m[4]], " ._-([")
		} else if m := submatch(stackShort, u.stem, mayContain(u.stem, "p")); m != nil {
			u.stem = m[1]
		} else if m := submatch(stackOf, u.stem, mayContain(u.stem, "of")); m != nil {
			u.stem = m[1]
		}
		if bare := parseRelease(u.stem); u.part == "" && u.name.Part == 0 {
			// "Film part 1" alone would be a title; beside "Film part 2" it is a part.
			u.name.Part, u.name.Title = members[0].number, cmp.Or(bare.title, u.name.Title)
		}
		units = append(units, u)
	}
	return units
}

// moviesOf divides the copies in one folder into films.
func moviesOf(units []unit) []SetMovie {
	folder := units[0].folder
	if len(units) > 1 && oneFilm(units, folder) {
		return []SetMovie{newMovie(units, folder)}
	}
	var movies [][]unit
	at := map[string]int{}
	shared := folder == "" || isLibraryRoot(folder)
	for _, u := range units {
		key := fold(u.name.Title) + "\x00" + strconv.Itoa(u.name.Year)
		own := parseRelease(u.stem)
		// One title and year said twice are one film; among many films a copy must say what sets it apart.
		_, counted, _ := stackPart(u.item)
		certain := own.year > 0 && own.year == u.name.Year && balanced(u.stem) && counted == "" && (!shared || own.tags > 0)
		if index, seen := at[key]; seen && certain {
			movies[index] = append(movies[index], u)
			continue
		}
		if certain {
			at[key] = len(movies)
		}
		movies = append(movies, []unit{u})
	}
	list := make([]SetMovie, len(movies))
	for i, group := range movies {
		list[i] = newMovie(group, folder)
	}
	return list
}

// oneFilm tells whether all copies in a folder are versions of the film that the folder is called after: their
// names begin with its name, go on with nothing but a mark, a bracket or words about the copy, and say one year.
func oneFilm(units []unit, folder string) bool {
	if len(folder) < 2 || isLibraryRoot(folder) {
		return false
	}
	year := parseRelease(units[0].stem).year
	for _, u := range units {
		rest, ok := afterFolder(u.stem, folder)
		if !ok || !versionMark(rest) || parseRelease(u.stem).year != year {
			return false
		}
	}
	return true
}

// afterFolder is what a file's name adds to its folder's name, with or without the ids in it.
func afterFolder(stem, folder string) (string, bool) {
	bare, _ := takeIDs(folder)
	for _, prefix := range []string{folder, strings.TrimSpace(bare)} {
		if prefix != "" && len(stem) >= len(prefix) && strings.EqualFold(stem[:len(prefix)], prefix) {
			return strings.TrimSpace(stem[len(prefix):]), true
		}
	}
	return "", false
}

var bracketMark = regexp.MustCompile(`^\[[^\]]*\]`)

func versionMark(rest string) bool {
	if rest == "" || strings.HasPrefix(rest, "[") && bracketMark.MatchString(rest) {
		return true
	}
	if rest[0] == '-' || rest[0] == '_' || rest[0] == '.' {
		return true
	}
	if rest[0] == '[' {
		return false
	}
	l := lex(rest)
	if l.hasYear() || len(l.tokens) == 0 {
		return false
	}
	for _, t := range l.scan() {
		if t.from == 0 {
			return t.strength >= loose
		}
	}
	return false
}

func balanced(s string) bool {
	for open, closing := range map[string]string{"[": "]", "(": ")", "{": "}"} {
		if strings.Count(s, open) != strings.Count(s, closing) {
			return false
		}
	}
	return true
}

// newMovie makes one film of its copies. The copy that is called like the folder comes first, then the others from
// the highest resolution down, then by name.
func newMovie(units []unit, folder string) SetMovie {
	slices.SortStableFunc(units, func(a, b unit) int {
		return cmp.Or(
			boolOrder(strings.EqualFold(a.stem, folder), strings.EqualFold(b.stem, folder)),
			lines(b.name.Resolution)-lines(a.name.Resolution),
			cmp.Compare(strings.ToLower(a.stem), strings.ToLower(b.stem)),
		)
	})
	first := units[0].name
	movie := SetMovie{Title: first.Title, Year: first.Year}
	if _, named := afterFolder(units[0].stem, folder); len(units) > 1 && named {
		if f := parseRelease(folder); f.title != "" {
			movie.Title = f.title
			movie.Year = cmp.Or(f.year, movie.Year)
		}
	}
	for _, u := range units {
		movie.IMDbID = cmp.Or(movie.IMDbID, u.name.IMDbID)
		movie.TMDbID = cmp.Or(movie.TMDbID, u.name.TMDbID)
		version := Version{Name: u.name, Parts: u.parts}
		if len(units) > 1 {
			version.Label = label(u, folder)
		}
		movie.Versions = append(movie.Versions, version)
	}
	return movie
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// lines is a resolution as a number.
func lines(resolution string) int {
	n, _ := strconv.Atoi(strings.TrimRight(resolution, "ip"))
	return n
}

// label is what tells a version from the others: what its name adds to the folder's, else its edition and quality.
func label(u unit, folder string) string {
	if rest, ok := afterFolder(u.stem, folder); ok && rest != "" {
		words := strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune(" _[](){}", r) })
		return strings.Trim(strings.Join(words, " "), " -.")
	}
	var words []string
	for _, edition := range u.name.Edition {
		words = append(words, EditionLabel(edition))
	}
	words = append(words, u.name.Resolution, u.name.Source)
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

// owners are the films of one folder by what an extra's name says of its film.
type owners struct {
	films   []int
	byStem  map[string]int      // the name of a version's first path without its extension, lower case
	byTitle map[string][]titled // the folded title
}

type titled struct{ film, year int }

func ownersAmong(films []int, movies []SetMovie) owners {
	o := owners{films, map[string]int{}, map[string][]titled{}}
	for _, film := range films {
		movie := movies[film]
		if title := fold(movie.Title); title != "" {
			o.byTitle[title] = append(o.byTitle[title], titled{film, movie.Year})
		}
		for _, v := range movie.Versions {
			components, _ := splitPath(v.Parts[0])
			base := strings.ToLower(stem(components[len(components)-1]))
			if _, taken := o.byStem[base]; !taken {
				o.byStem[base] = film
			}
		}
	}
	return o
}

// of is the film that an extra belongs to, or -1: the one of its very name, else the one whose title its name begins with, the longest
// first, else the only one of its folder.
func (o owners) of(e item) int {
	name, _ := takeExtra(e.stem)
	if film, ok := o.byStem[strings.ToLower(name)]; ok {
		return film
	}
	own := parseRelease(name)
	for title := fold(own.title); title != ""; {
		for _, t := range o.byTitle[title] {
			if own.year == 0 || t.year == 0 || own.year == t.year {
				return t.film
			}
		}
		_, size := utf8.DecodeLastRuneInString(title)
		title = title[:len(title)-size]
	}
	if len(o.films) == 1 && e.folder != "" && !isLibraryRoot(e.folder) {
		return o.films[0]
	}
	return -1
}

// extraTitle is an extra's own title: what its name says beside the film's and its kind.
func extraTitle(it item) string {
	film, kind := takeExtra(it.stem)
	title := parseRelease(film).title
	about := fold(parseRelease(it.folder).title)
	if strings.EqualFold(title, it.name.Extra) || kind != "" && (about == "" || isLibraryRoot(it.folder) || strings.HasPrefix(fold(title), about)) {
		return ""
	}
	return title
}
