package naming

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// outline writes a set as lines: "Title (Year): label=parts…; …; +kind path", orphans and ignored paths behind.
func outline(s Set) string {
	var b strings.Builder
	base := func(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }
	for _, m := range s.Movies {
		fmt.Fprintf(&b, "%s (%d):", m.Title, m.Year)
		for _, v := range m.Versions {
			var parts []string
			for _, p := range v.Parts {
				parts = append(parts, base(p))
			}
			fmt.Fprintf(&b, " [%s|%s]", v.Label, strings.Join(parts, "+"))
		}
		for _, e := range m.Extras {
			fmt.Fprintf(&b, " +%s:%s:%s", e.Kind, base(e.Path), e.Title)
		}
		b.WriteString("\n")
	}
	for _, e := range s.Extras {
		fmt.Fprintf(&b, "orphan %s:%s\n", e.Kind, base(e.Path))
	}
	for _, path := range s.Ignored {
		fmt.Fprintf(&b, "ignored %s\n", base(path))
	}
	return b.String()
}

func in(dir string, names ...string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = dir + "/" + name
	}
	return paths
}

func TestGroup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		paths []string
		want  string
	}{
		"versions begin with the folder's name, the plain one first, then by resolution": {
			in("/movies/Film (2016)", "Film (2016) - 720p.mkv", "Film (2016) - 2160p.mkv", "Film (2016).mkv", "Film (2016) - Directors Cut.mkv"),
			"Film (2016): [|Film (2016).mkv] [2160p|Film (2016) - 2160p.mkv] [720p|Film (2016) - 720p.mkv] [Directors Cut|Film (2016) - Directors Cut.mkv]\n",
		},
		"differing years are differing films": {
			in("/movies/Film", "Film (2007).mkv", "Film (2008).mkv"),
			"Film (2007): [|Film (2007).mkv]\nFilm (2008): [|Film (2008).mkv]\n",
		},
		"a letter's folder holds many films": {
			in("/movies/M", "Movie 1.mkv", "Movie 2.mkv"),
			"Movie 1 (0): [|Movie 1.mkv]\nMovie 2 (0): [|Movie 2.mkv]\n",
		},
		"release names of one title and year are versions": {
			in("/movies/Film (2000)", "Film.2000.1080p.BluRay-X.mkv", "Film.2000.2160p.WEB-DL-Y.mkv"),
			"Film (2000): [2160p webdl|Film.2000.2160p.WEB-DL-Y.mkv] [1080p bluray|Film.2000.1080p.BluRay-X.mkv]\n",
		},
		"an id in the folder's name need not be in the files'": {
			in("/movies/Film (2000) {tmdb-603}", "Film (2000) - A.mkv", "Film (2000) - B.mkv"),
			"Film (2000): [A|Film (2000) - A.mkv] [B|Film (2000) - B.mkv]\n",
		},
		"a bracket that is not closed groups nothing": {
			in("/movies/Film (2019)", "Film (2019) [V 1].mkv", "Film (2019) [V 2.mkv"),
			"Film (2019): [|Film (2019) [V 1].mkv]\nFilm (2019): [|Film (2019) [V 2.mkv]\n",
		},
		"parts in order, a version split and one not": {
			in("/movies/Film (2000)", "Film (2000) part2.mkv", "Film (2000) part1.mkv", "Film (2000) - 720p.mkv"),
			"Film (2000): [|Film (2000) part1.mkv+Film (2000) part2.mkv] [720p|Film (2000) - 720p.mkv]\n",
		},
		"ways of counting do not mix and letters end at d": {
			[]string{"Film (2000) part1.mkv", "Film (2000) part2.mkv", "Film (2000) parta.mkv", "Other parte.mkv", "Other partf.mkv"},
			"Film (2000): [|Film (2000) part1.mkv+Film (2000) part2.mkv]\nFilm (2000): [|Film (2000) parta.mkv]\nOther parte (0): [|Other parte.mkv]\nOther partf (0): [|Other partf.mkv]\n",
		},
		"a bare number is no part": {
			[]string{"Bad Boys (2006) - 1.mkv", "Bad Boys (2006) - 2.mkv", "300a.mkv", "300b.mkv"},
			"300a (0): [|300a.mkv]\n300b (0): [|300b.mkv]\nBad Boys (2006): [|Bad Boys (2006) - 1.mkv]\nBad Boys (2006): [|Bad Boys (2006) - 2.mkv]\n",
		},
		"P1, 1of2 and unknown extensions": {
			[]string{"A (2006) P1.mkv", "A (2006) P2.mkv", "B 1of2.avi", "B 2of2.avi", "c - cd 1.mvk", "c - cd 2.mvk"},
			"A (2006): [|A (2006) P1.mkv+A (2006) P2.mkv]\nB (0): [|B 1of2.avi+B 2of2.avi]\nc (0): [|c - cd 1.mvk+c - cd 2.mvk]\n",
		},
		"folders of discs": {
			append(in("/movies/Film (2000)/disc 1", "a.avi"), "/movies/Film (2000)/disc 2/a.avi", "/movies/Film (2000)/Film-trailer.avi"),
			"Film (2000): [|a.avi+a.avi] +trailer:Film-trailer.avi:\n",
		},
		"a disc's structure is one file": {
			in("/movies/Film (2000)/VIDEO_TS", "VTS_01_1.VOB", "VIDEO_TS.IFO", "VTS_01_2.VOB"),
			"Film (2000): [|VIDEO_TS.IFO]\n",
		},
		"extras find their film": {
			[]string{"/movies/Up/Up.mkv", "/movies/Up/Up-trailer.mkv", "/movies/Up/trailers/Official.mkv", "/movies/Up/The dog-deleted.mkv", "/movies/trailer.mkv"},
			"Up (0): [|Up.mkv] +deleted:The dog-deleted.mkv:The dog +trailer:Up-trailer.mkv: +trailer:Official.mkv:Official\norphan trailer:trailer.mkv\n",
		},
		"extras among many films": {
			[]string{"Avengers.mkv", "Batman.mkv", "Batman-sample.mkv", "Willy-trailer.mkv"},
			"Avengers (0): [|Avengers.mkv]\nBatman (0): [|Batman.mkv] +sample:Batman-sample.mkv:\norphan trailer:Willy-trailer.mkv\n",
		},
		"what is no film": {
			[]string{"300.mkv", "300.nfo", "/movies/Up/@eaDir/Up.mkv", "/movies/Up/trailers/poster.jpg"},
			"300 (0): [|300.mkv]\nignored Up.mkv\nignored poster.jpg\nignored 300.nfo\n",
		},
	} {
		if got := outline(Group(c.paths)); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestGroupTakesIDsFromAnyVersion(t *testing.T) {
	t.Parallel()
	set := Group(in("/movies/Film (2000)", "Film (2000).mkv", "Film (2000) - 4K {imdb-tt0133093} [tmdbid=603].mkv"))
	if len(set.Movies) != 1 || set.Movies[0].IMDbID != "tt0133093" || set.Movies[0].TMDbID != 603 {
		t.Errorf("%+v", set.Movies)
	}
}

func TestParseSidecar(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]*Sidecar{
		"My.Video.srt":                       {Format: "srt"},
		"/movies/My.Video.EN.srt":            {Format: "srt", Language: "en"},
		"My.Video.eng.forced.ass":            {Format: "ass", Language: "en", Forced: true},
		"My.Video.default.foreign.pt-BR.vtt": {Format: "vtt", Language: "pt-BR", Forced: true, Default: true},
		"My.Video.German.sdh.srt":            {Format: "srt", Language: "de", HearingImpaired: true},
		"My.Video.hi.srt":                    {Format: "srt", Language: "hi"},
		"My.Video.hi.en.srt":                 {Format: "srt", Language: "en", HearingImpaired: true},
		"My.Video.fr.en.srt":                 {Format: "srt", Language: "en", Title: "fr"},
		"My.Video.en.cc.Director talks.srt":  {Format: "srt", Language: "en", HearingImpaired: true, Title: "Director talks"},
		"My.Video.a.b.en.srt":                {Format: "srt", Language: "en", Title: "a.b"},
		"My.Video (fil).sup":                 {Format: "sup", Language: "fil"},
		"My.Video.the.srt":                   {Format: "srt", Title: "the"},
		"My.Video.zh_Hant.srt":               {Format: "srt", Language: "zh-Hant"},
		"My.Video.en-.srt":                   {Format: "srt", Language: "en"},
		"My.Video.en-!!.srt":                 {Format: "srt", Title: "en-!!"},
		"My.Video2.en.srt":                   nil,
		"Other.en.srt":                       nil,
		"My.Video.en.txt":                    nil,
	} {
		got, ok := ParseSidecar("/movies/My.Video.mkv", file)
		if ok != (want != nil) || ok && got != *want {
			t.Errorf("%s: got %+v %v, want %+v", file, got, ok, want)
		}
	}
}

func TestSortTitle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ title, locale, want string }{
		{"The Matrix", "en", "matrix"}, {"The Matrix", "de", "the matrix"}, {"Das Boot", "de-AT", "boot"}, {"L’Avventura", "it_IT", "avventura"},
		{"L'Âge d'or", "fr", "age dor"}, {"El Topo", "es", "topo"}, {"Amélie", "en", "amelie"}, {"Straße & Æon", "", "strasse aeon"},
		{"The", "en", "the"}, {"A", "en", "a"}, {"Theory of All", "en", "theory of all"}, {"???", "en", "???"}, {"\xff", "en", ""}, {"8½", "en", "00000008"},
		{"007: Spectre", "en", "00000007 spectre"}, {"12345678901", "en", "12345678901"}, {"Żółć", "pl", "zolc"},
	} {
		if got := SortTitle(c.title, c.locale); got != c.want {
			t.Errorf("SortTitle(%q, %q) = %q, want %q", c.title, c.locale, got, c.want)
		}
	}
	titles := []string{"Rocky 10", "The Rocky 2", "An Éclair", "Rocky"}
	slices.SortFunc(titles, func(a, b string) int { return strings.Compare(SortTitle(a, "en"), SortTitle(b, "en")) })
	if want := []string{"An Éclair", "Rocky", "The Rocky 2", "Rocky 10"}; !reflect.DeepEqual(titles, want) {
		t.Errorf("order %v", titles)
	}
}

func TestWhatAScanEnters(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"@eaDir", "#recycle", "@Recycle", ".AppleDouble", ".@__THUMB", "._film.mkv", "_UNPACK_Film", ".unmanic.part", ".unmanic", "film.mkv.part", "Thumbs.db", "$RECYCLE.BIN", "lost+found", ".DS_Store", "Plex Versions", ".Trash-1000"} {
		if !IgnoredName(name) {
			t.Errorf("%s is entered", name)
		}
	}
	for _, name := range []string{".hack", "Film", "film.mkv", "Recycle", "The Part", "sampler.mkv"} {
		if IgnoredName(name) {
			t.Errorf("%s is left out", name)
		}
	}
	for _, name := range []string{"a.mkv", "a.MP4", "a.mk3d", "a.m2ts", "a.iso", "a.webm", "a.disc", "a.ogm"} {
		if !IsVideo(name) {
			t.Errorf("%s is no video", name)
		}
	}
	for _, name := range []string{"a.srt", "a", "mkv", "a.mp3", "Mr. Nobody"} {
		if IsVideo(name) {
			t.Errorf("%s is a video", name)
		}
	}
}

func TestEditionLabel(t *testing.T) {
	t.Parallel()
	for edition, want := range map[string]string{"directors_cut": "Director's Cut", "harmy_v2": "Harmy V2", "": ""} {
		if got := EditionLabel(edition); got != want {
			t.Errorf("%s: %q, want %q", edition, got, want)
		}
	}
}
