package movie

import (
	"slices"
	"strings"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/language"
)

// resolutions in order, best first, as domain.Resolution names them.
var resolutions = []string{"4320p", "2160p", "1440p", "1080p", "720p", "576p", "480p", "sd"}

// sumUp writes into m what its files say: while any file is there, of those that are; else of those that were.
func sumUp(m *domain.Movie, files []domain.File) {
	var films, present []domain.File
	for _, f := range files {
		if f.Kind != domain.KindMovie || f.State == domain.FileIgnored {
			continue
		}
		films = append(films, f)
		if f.State != domain.FileMissing {
			present = append(present, f)
		}
	}
	m.Available = len(present) > 0
	if m.Available {
		films = present
	}
	m.HDR = false
	runtimes := map[string]float64{}
	best := len(resolutions)
	var audio, subtitles []string
	for _, f := range films {
		runtimes[f.VersionKey] += 0
		if i := slices.Index(resolutions, f.Resolution); i >= 0 {
			best = min(best, i)
		}
		for _, s := range f.Sidecars {
			subtitles = append(subtitles, s.Language)
		}
		if f.Media == nil {
			continue
		}
		runtimes[f.VersionKey] += f.Media.Duration
		for _, v := range f.Media.Video {
			m.HDR = m.HDR || v.HDR != ""
		}
		for _, a := range f.Media.Audio {
			audio = append(audio, a.Language)
		}
		for _, s := range f.Media.Subtitles {
			subtitles = append(subtitles, s.Language)
		}
	}
	m.Versions = len(runtimes)
	if m.Genres == nil {
		m.Genres = []string{}
	}
	m.Resolution = ""
	if best < len(resolutions) {
		m.Resolution = resolutions[best]
	}
	m.AudioLanguages, m.SubtitleLanguages = languages(audio), languages(subtitles)
	longest := 0.0
	for _, r := range runtimes {
		longest = max(longest, r)
	}
	if longest > 0 {
		m.Runtime = longest
	}
}

// languages returns the ISO 639-2/B codes of the known ones, sorted, each once; nil for none. (Subtitle files carry other codes.)
func languages(all []string) []string {
	for i, l := range all {
		all[i] = language.Code(l)
	}
	all = slices.DeleteFunc(all, func(l string) bool { return l == "" })
	slices.Sort(all)
	if len(all) == 0 {
		return nil
	}
	return slices.Clip(slices.Compact(all))
}

// takeOver writes into m what was found out about the film. Nothing known is overwritten by a blank. anew says that m was another
// film until now, so that nothing known of it holds any more; whole, that the found files are all that it has: the name of one
// version among others renames nothing.
func takeOver(m *domain.Movie, found FoundFilm, anew, whole bool, sortTitle func(title, locale string) string) {
	facts, name := found.Facts, found.Name
	if anew {
		*m = domain.Movie{ID: m.ID, LibraryID: m.LibraryID, Identity: m.Identity, AddedAt: m.AddedAt, UpdatedAt: m.UpdatedAt,
			Poster: m.Poster, Backdrop: m.Backdrop, MetadataSource: "name"}
	}
	if !facts.Empty() {
		m.MetadataSource = "nfo"
	}
	// What an NFO said once holds against the name even after the NFO is gone.
	nameCounts := whole && (m.MetadataSource != "nfo" || !facts.Empty())
	title := facts.Title
	if title == "" && (nameCounts || m.Title == "") {
		title = name.Title
	}
	year := facts.Year
	if year == 0 && (nameCounts || m.Year == 0) {
		year = name.Year
	}
	retitled := set(&m.Title, title)
	set(&m.Year, year)
	set(&m.OriginalTitle, facts.OriginalTitle)
	set(&m.Tagline, facts.Tagline)
	set(&m.Overview, facts.Overview)
	set(&m.Runtime, facts.Runtime)
	set(&m.Rating, facts.Rating)
	set(&m.Votes, facts.Votes)
	set(&m.Certification, facts.Certification)
	set(&m.ReleaseDate, facts.ReleaseDate)
	set(&m.IMDbID, name.IMDbID)
	set(&m.IMDbID, facts.IMDbID)
	set(&m.TMDbID, name.TMDbID)
	set(&m.TMDbID, facts.TMDbID)
	setList(&m.Genres, facts.Genres)
	setList(&m.Countries, facts.Countries)
	setList(&m.Studios, facts.Studios)
	setList(&m.Directors, directors(facts.Credits))
	switch {
	case facts.SortTitle != "":
		m.SortTitle = sortTitle(facts.SortTitle, found.Locale)
	case retitled || nameCounts || m.SortTitle == "":
		m.SortTitle = sortTitle(m.Title, found.Locale)
	}
}

// set replaces a value by one that is not blank, and tells whether that changed it.
func set[T comparable](to *T, value T) bool {
	var blank T
	if value == blank || value == *to {
		return false
	}
	*to = value
	return true
}

func setList(to *[]string, values []string) {
	if len(values) > 0 {
		*to = values
	}
}

func directors(credits []domain.Credit) []string {
	var names []string
	for _, c := range credits {
		if c.Department == "directing" && (c.Role == "" || strings.EqualFold(c.Role, "director")) && !slices.Contains(names, c.Person) {
			names = append(names, c.Person)
		}
	}
	return names
}
