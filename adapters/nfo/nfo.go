// Package nfo reads the NFO files that Kodi, Radarr, Jellyfin and their like leave beside films (ports/metadata.LocalReader): XML, XML
// followed by a link, or text that holds nothing but a link to IMDb or TMDb ("parsing NFO", https://kodi.wiki/view/NFO_files).
package nfo

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	xunicode "golang.org/x/text/encoding/unicode"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/metadata"
)

// The most of a field that is kept: enough for any film, too little to hurt.
const (
	maxLine    = 500
	maxText    = 20_000
	maxValues  = 50
	maxCredits = 1000
)

// Reader is a metadata.LocalReader.
type Reader struct{}

// New returns a Reader.
func New() *Reader { return &Reader{} }

var _ metadata.LocalReader = (*Reader)(nil)

var (
	rootElement = regexp.MustCompile(`<(movie|tvshow|episodedetails|season|musicvideo|artist|album|video)[\s>/]`)
	imdbLink    = regexp.MustCompile(`imdb\.[a-z]+/[^\s"'<>]*?(tt\d{7,10})`)
	tmdbLink    = regexp.MustCompile(`(?:themoviedb|tmdb)\.org/movie/(\d{1,9})`)
	imdbID      = regexp.MustCompile(`^tt\d{7,10}$`)
)

// Read implements metadata.LocalReader.
func (*Reader) Read(ctx context.Context, name string, data []byte) (metadata.Facts, error) {
	if ctx.Err() != nil {
		return metadata.Facts{}, context.Cause(ctx)
	}
	if len(data) > metadata.MaxNFOSize {
		return metadata.Facts{}, fault.New(fault.TooLarge, metadata.CodeNFOTooLarge, "%q has more than %d MiB and is not read.", name, metadata.MaxNFOSize>>20)
	}
	text := decode(data)
	if strings.Contains(strings.ToUpper(text), "<!ENTITY") {
		return metadata.Facts{}, unreadable(nil, name, "it defines entities, which no NFO needs")
	}
	var facts metadata.Facts
	links := text
	if at := rootElement.FindStringSubmatchIndex(text); at != nil {
		if root := text[at[2]:at[3]]; root != "movie" {
			return metadata.Facts{}, unreadable(nil, name, "it describes no film but a "+root)
		}
		decoder := xml.NewDecoder(strings.NewReader(text[at[0]:]))
		decoder.Strict, decoder.Entity = false, xml.HTMLEntity
		var m movie
		if err := decoder.Decode(&m); err != nil {
			return metadata.Facts{}, unreadable(err, name, "its XML is broken")
		}
		facts = m.facts()
		links = text[at[0]+int(decoder.InputOffset()):] // a link after the XML; those inside are of trailers and people
	}
	if found := imdbLink.FindStringSubmatch(links); found != nil && facts.IMDbID == "" {
		facts.IMDbID = found[1]
	}
	if found := tmdbLink.FindStringSubmatch(links); found != nil && facts.TMDbID == 0 {
		facts.TMDbID, _ = strconv.Atoi(found[1])
	}
	if facts.Empty() {
		return metadata.Facts{}, unreadable(nil, name, "there is neither a film in it nor a link to one")
	}
	return facts, nil
}

func unreadable(cause error, name, why string) error {
	return fault.Wrap(cause, fault.Invalid, metadata.CodeNFOUnreadable, "%q cannot be used: %s. Correct or remove it.", name, why)
}

var declaration = regexp.MustCompile(`^\s*<\?xml[^>]*encoding=["']([A-Za-z0-9_.:-]+)["']`)

// decode makes UTF-8 of the file. What is valid UTF-8 is taken as that whatever it declares, since tools often declare wrongly.
func decode(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		data = data[3:]
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		if text, err := xunicode.UTF16(xunicode.BigEndian, xunicode.UseBOM).NewDecoder().Bytes(data); err == nil {
			return string(text)
		}
	case len(data) > 3 && data[0] == '<' && data[1] == 0:
		if text, err := xunicode.UTF16(xunicode.LittleEndian, xunicode.IgnoreBOM).NewDecoder().Bytes(data); err == nil {
			return string(text)
		}
	}
	if utf8.Valid(data) {
		return string(data)
	}
	encoding, _ := htmlindex.Get("windows-1252")
	if declared := declaration.FindSubmatch(data); declared != nil {
		if e, err := htmlindex.Get(string(declared[1])); err == nil && e != xunicode.UTF8 {
			encoding = e
		}
	}
	if text, err := encoding.NewDecoder().Bytes(data); err == nil {
		return string(text)
	}
	text, _ := charmap.Windows1252.NewDecoder().Bytes(data)
	return string(text)
}

// movie is Kodi's element of that name, with what Radarr and older tools write differently.
type movie struct {
	Title         string     `xml:"title"`
	OriginalTitle string     `xml:"originaltitle"`
	SortTitle     string     `xml:"sorttitle"`
	Set           []set      `xml:"set"`
	Year          string     `xml:"year"`
	Premiered     string     `xml:"premiered"`
	ReleaseDate   string     `xml:"releasedate"`
	Tagline       string     `xml:"tagline"`
	Plot          string     `xml:"plot"`
	Outline       string     `xml:"outline"`
	Runtime       string     `xml:"runtime"`
	Rating        string     `xml:"rating"`
	Votes         string     `xml:"votes"`
	Ratings       []rating   `xml:"ratings>rating"`
	MPAA          string     `xml:"mpaa"`
	Certification string     `xml:"certification"`
	UniqueIDs     []uniqueID `xml:"uniqueid"`
	ID            []string   `xml:"id"`
	IMDbID        string     `xml:"imdbid"`
	TMDbID        string     `xml:"tmdbid"`
	Genres        []string   `xml:"genre"`
	Countries     []string   `xml:"country"`
	Studios       []string   `xml:"studio"`
	Directors     []string   `xml:"director"`
	Writers       []string   `xml:"credits"`
	Actors        []actor    `xml:"actor"`
}

// set is text in old files, an element with a name in new ones.
type set struct {
	Text string `xml:",chardata"`
	Name string `xml:"name"`
}

type rating struct {
	Name    string `xml:"name,attr"`
	Max     string `xml:"max,attr"`
	Default string `xml:"default,attr"`
	Value   string `xml:"value"`
	Votes   string `xml:"votes"`
}

type uniqueID struct {
	Type    string `xml:"type,attr"`
	Default string `xml:"default,attr"`
	Value   string `xml:",chardata"`
}

type actor struct {
	Name  string `xml:"name"`
	Role  string `xml:"role"`
	Order string `xml:"order"`
}

func (m movie) facts() metadata.Facts {
	f := metadata.Facts{
		Title: line(m.Title), OriginalTitle: line(m.OriginalTitle), SortTitle: line(m.SortTitle), Tagline: line(m.Tagline), Overview: cmp.Or(paragraphs(m.Plot), paragraphs(m.Outline)),
		Runtime: minutes(m.Runtime) * 60, Certification: certification(cmp.Or(line(m.MPAA), line(m.Certification))),
		ReleaseDate: cmp.Or(date(m.Premiered), date(m.ReleaseDate)), Genres: list(m.Genres, "/|,"), Countries: list(m.Countries, "/|,"), Studios: list(m.Studios, "/|"),
	}
	for _, s := range m.Set {
		f.Set = cmp.Or(f.Set, line(s.Name), line(s.Text))
	}
	if f.Year = whole(m.Year); f.Year < 1870 || f.Year > 2200 {
		f.Year = 0
		if len(f.ReleaseDate) >= 4 {
			f.Year = whole(f.ReleaseDate[:4])
		}
	}
	f.Rating, f.Votes = m.rating()
	f.IMDbID, f.TMDbID = m.ids()
	f.Credits = m.credits()
	return f
}

// ids prefers what says of which provider it is.
func (m movie) ids() (imdb string, tmdb int) {
	candidates := []string{m.IMDbID}
	for _, u := range m.UniqueIDs {
		value := strings.TrimSpace(u.Value)
		switch strings.ToLower(u.Type) {
		case "tmdb", "themoviedb":
			tmdb = cmp.Or(tmdb, id(value))
		case "imdb", "":
			candidates = append(candidates, value)
		}
	}
	for _, c := range append(candidates, m.ID...) {
		if c = strings.TrimSpace(c); imdb == "" && imdbID.MatchString(c) {
			imdb = c
		}
	}
	return imdb, cmp.Or(tmdb, id(m.TMDbID))
}

func id(s string) int {
	if n := whole(s); n > 0 && n < 1e9 {
		return n
	}
	return 0
}

// rating is on the scale to 10: the one marked as default, else IMDb's or TMDb's, else the first, else the old single element.
func (m movie) rating() (float64, int) {
	best, bestRank := -1, 0
	for i, r := range m.Ratings {
		rank := 1
		switch name := strings.ToLower(r.Name); {
		case r.Default == "true":
			rank = 4
		case name == "imdb":
			rank = 3
		case name == "themoviedb" || name == "tmdb":
			rank = 2
		}
		if scaled(r.Value, r.Max) > 0 && rank > bestRank {
			best, bestRank = i, rank
		}
	}
	if best < 0 {
		return scaled(m.Rating, ""), whole(m.Votes)
	}
	return scaled(m.Ratings[best].Value, m.Ratings[best].Max), whole(m.Ratings[best].Votes)
}

// scaled is 0 for what is no rating.
func scaled(value, most string) float64 {
	v, err := strconv.ParseFloat(strings.Replace(strings.TrimSpace(value), ",", ".", 1), 64)
	top, topErr := strconv.ParseFloat(strings.TrimSpace(most), 64)
	if topErr != nil || !(top > 0) {
		top = 10
	}
	v = v * 10 / top
	if err != nil || math.IsNaN(v) || v < 0 || v > 10 {
		return 0
	}
	return math.Round(v*100) / 100
}

func (m movie) credits() []domain.Credit {
	var all []domain.Credit
	for _, c := range []struct {
		names            []string
		department, role string
	}{{m.Directors, "directing", "Director"}, {m.Writers, "writing", "Writer"}} {
		for i, name := range list(c.names, "/|") {
			all = append(all, domain.Credit{Person: name, Department: c.department, Role: c.role, Order: i})
		}
	}
	actors := slices.DeleteFunc(m.Actors, func(a actor) bool { return line(a.Name) == "" })
	slices.SortStableFunc(actors, func(a, b actor) int { return cmp.Compare(billing(a), billing(b)) })
	for i, a := range actors {
		all = append(all, domain.Credit{Person: line(a.Name), Department: "cast", Role: line(a.Role), Order: i})
	}
	return all[:min(len(all), maxCredits)]
}

// billing is an actor's order; those without come last, as they are.
func billing(a actor) int {
	if n, err := strconv.Atoi(strings.TrimSpace(a.Order)); err == nil && n >= 0 {
		return n
	}
	return math.MaxInt
}

// list splits repeated elements that hold several values each ("A / B") and drops doubles.
func list(values []string, separators string) []string {
	var out []string
	for _, v := range values {
		for _, part := range strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
			if part = line(part); part != "" && len(out) < maxValues && !slices.Contains(out, part) {
				out = append(out, part)
			}
		}
	}
	return out
}

// certification takes the rating itself out of "Rated PG-13" and the first of "US:PG-13 / DE:12".
func certification(s string) string {
	s, _, _ = strings.Cut(s, " / ")
	s = strings.TrimSpace(strings.TrimPrefix(s, "Rated "))
	if country, rest, ok := strings.Cut(s, ":"); ok && len(country) <= 14 && strings.TrimSpace(rest) != "" {
		s = strings.TrimSpace(rest)
	}
	if utf8.RuneCountInString(s) > 20 {
		return ""
	}
	return s
}

var hours = regexp.MustCompile(`^(\d{1,2})\s*h\D*(\d{1,2})?`)

// minutes reads "117", "117 min", "1h 57m"; 0 for what is no film's length.
func minutes(s string) float64 {
	s = strings.ToLower(strings.TrimSpace(s))
	if found := hours.FindStringSubmatch(s); found != nil {
		return float64(whole(found[1])*60 + whole(found[2]))
	}
	if n := whole(strings.TrimRight(s, " .abcdefghijklmnopqrstuvwxyz")); n > 0 && n < 10_000 {
		return float64(n)
	}
	return 0
}

// whole reads a count as people write it ("1,234"); 0 for anything else.
func whole(s string) int {
	n, err := strconv.Atoi(strings.NewReplacer(",", "", ".", "", "\u00a0", "", " ", "").Replace(strings.TrimSpace(s)))
	if err != nil || n < 0 || n > math.MaxInt32 {
		return 0
	}
	return n
}

func date(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 10 {
		s = s[:10] // a time behind it
	}
	if d, err := time.Parse(time.DateOnly, s); err == nil && d.Year() >= 1870 && d.Year() <= 2200 {
		return s
	}
	return ""
}

// line makes one line of a text: no control or format-breaking characters, single spaces, bounded.
func line(s string) string {
	return bounded(strings.Join(strings.Fields(strings.Map(printable, strings.ToValidUTF8(s, "\uFFFD"))), " "), maxLine)
}

// paragraphs keeps line breaks.
func paragraphs(s string) string {
	var lines []string
	for l := range strings.Lines(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")) {
		lines = append(lines, strings.Join(strings.Fields(strings.Map(printable, l)), " "))
	}
	return bounded(strings.TrimSpace(strings.Join(lines, "\n")), maxText)
}

func printable(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

func bounded(s string, runes int) string {
	if len(s) <= runes {
		return s
	}
	for i := range s {
		if runes--; runes < 0 {
			return strings.TrimSpace(s[:i])
		}
	}
	return s
}
