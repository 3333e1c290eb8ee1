package naming

import (
	"cmp"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// words of titles and of copies, in any order and case, make names that a release never would.
var words = strings.Fields("the Film of 2012 1999 (2001) [1080p] 4K x264 BluRay WEB-DL TS CAM German FRENCH Extended Cut uncut DC SE 3D sbs part1 cd2 -trailer sample [Group] {tmdb-5} {edition-x} aka / ( ] ' R.I.P. - -- . _ 720p HDR DV PROPER Ünïcødé 抓娃娃 Троя \xff\xfe \x00 -x02- -f1- www.a.com mkv .iso tt0133093 movies VIDEO_TS disc\u00a01 5.1 AC3-GRP 1of2 {title-x} { }")

// A film's name by the grammar of releases: every part may be missing, and few are in their place.
var grammar = [][]string{
	{"", "", "[Group] ", "www.site.org - ", "(Comedy) ", "movies/", "/srv/films/Heat (1995)/", "D:\\films\\", "./"},
	{"The Matrix", "Троя", "抓娃娃 Successor", "Café", "Caf\xe9", "2001", "1917", "(500) Days", "[REC] 2", "R.I.P.D", "8½", "Mr. Nobody", "Ocean's Eleven", "Æon", "ΩΜΕΓΑ", "فيلم", "हिन्दी", "e\u0301te\u0301", "ﬁlm", "𝔉𝔦𝔩𝔪", "İstanbul", "ẞ", "\u202eover", "🎬", "part", "cd"},
	{"", " ", ".", " - ", "_"},
	{"", "(1999)", "1999", "[1999]", "1982-1992", "1999-12-31", "20000", "(0)"},
	{"", " ", ".", " - ", "_"},
	{"", "Extended Cut", "{edition-Directors Cut}", "THEATRICAL", "Unrated.DC", "25th Anniversary Edition", "[edition=a,b]", "{edition-}"},
	{" ", "."},
	{"", "1080p", "2160p.UHD", "1920x804", "[720p]", "3D.HSBS", "8K", "576i"},
	{" ", "."},
	{"", "BluRay", "WEB-DL", "DVDRip", "Remux", "HDTV", "TS", "CAMRip"},
	{" ", "."},
	{"", "x264", "HEVC", "HDR10+.DV", "AV1.Opus", "XviD.AC3", "PROPER"},
	{"", "-GRP", "-D-Z0N3", " {tmdb-603}", " [imdb-tt0133093]", " {tmdb-99999999999}", "-[YTS.MX]"},
	{"", " cd1", " - part2", "-1of2", ".disc2", " ptb", "-x02-more", "-trailer", ".sample", "-deleted2", "/extras/a", "/VIDEO_TS/A.IFO", "/cd 2/a"},
	{"", ".mkv", ".avi", ".disc", ".iso", ".srt", ".mp3", ".mkv.torrent", ".part"},
}

// classes has a few runes of every category and script that Unicode knows.
var classes = func() []rune {
	var all []rune
	for _, tables := range []map[string]*unicode.RangeTable{unicode.Categories, unicode.Scripts} {
		for _, table := range tables {
			for _, r := range table.R16 {
				all = append(all, rune(r.Lo), rune(r.Hi))
			}
			for _, r := range table.R32 {
				all = append(all, rune(r.Lo), rune(r.Hi))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}()

// randomName is a name of one of four sorts: words in any order, releases, arbitrary bytes, and arbitrary runes around words.
func randomName(r *rand.Rand) string {
	var b strings.Builder
	switch r.IntN(4) {
	case 0:
		for range 1 + r.IntN(9) {
			b.WriteString(words[r.IntN(len(words))])
			b.WriteString([]string{" ", ".", "_", "-", "", " - ", "/"}[r.IntN(7)])
		}
	case 1:
		for _, choices := range grammar {
			b.WriteString(choices[r.IntN(len(choices))])
		}
	case 2:
		for range r.IntN(60) {
			b.WriteByte(byte(r.IntN(256)))
		}
	default:
		for range 1 + r.IntN(20) {
			if r.IntN(3) == 0 {
				b.WriteString(words[r.IntN(len(words))])
			}
			b.WriteRune(classes[r.IntN(len(classes))])
		}
	}
	return b.String()
}

// repetitions bounds random tests; REVENGE_NAMING_ROUNDS asks for more.
func repetitions(t *testing.T, ordinary int) int {
	if text := os.Getenv("REVENGE_NAMING_ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return ordinary
}

// checkName holds one name to what Parse and Canonical promise of any bytes.
func checkName(t *testing.T, input string) {
	t.Helper()
	n := Parse(input)
	if n.Input != input {
		t.Fatalf("%q: input became %q", input, n.Input)
	}
	for _, text := range append([]string{n.Title, n.Group, n.Resolution, n.Source, n.VideoCodec, n.Extra}, n.Edition...) {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			t.Fatalf("%q: not for readers: %+v", input, n)
		}
	}
	if n.Kind == KindMovie && n.Title == "" || n.Kind == KindExtra && n.Extra == "" {
		t.Fatalf("%q: a film without a title or an extra of no kind: %+v", input, n)
	}
	if n.Year != 0 && (n.Year < firstYear || n.Year > lastBracket) || n.TMDbID < 0 || n.TMDbID > largestID || n.Part < 0 || n.Part > mostParts {
		t.Fatalf("%q: numbers that no store keeps: %+v", input, n)
	}
	canonical := Canonical(n)
	again := Parse(canonical)
	if !says(again, n) {
		t.Fatalf("%q\n\tsays      %+v\n\tcanonical %s\n\tsays      %+v", input, n, canonical, again)
	}
	if twice := Canonical(again); twice != canonical {
		t.Fatalf("%q\n\tcanonical %q\n\tagain     %q", input, canonical, twice)
	}
}

func TestAnyNameIsReadAndItsCanonicalFormSaysTheSame(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range repetitions(t, 4000) {
		checkName(t, randomName(r))
	}
	for _, c := range classes {
		checkName(t, "Film "+string(c)+" 1999"+string(c)+"1080p")
	}
}

// randomFolders are paths as a library has them: few folders, whose files are versions, parts, extras, discs and what belongs to none.
func randomFolders(r *rand.Rand) []string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var paths []string
	for range 1 + r.IntN(14) {
		dir := pick("", "", "/movies/", "/movies/Up (2009)/", "/movies/Up (2009)/", "/movies/Heat/", "/movies/Up (2009)/trailers/", "/movies/Heat/disc 1/", "/movies/Heat/disc 2/", "/movies/Up (2009)/VIDEO_TS/", "M/")
		name := pick("Up", "Up (2009)", "up (2009)", "Heat", "Heat.1995.1080p", "Heat 1995 720p", "300", "Film", "VTS_01_1", "VIDEO_TS", randomName(r))
		paths = append(paths, dir+name+pick("", "", " - 1080p", " part1", " part2", " part01", " Part 2", "-cd1", "-cd2", " 1of2", " 2of2", " parta", " p1", "-trailer", "-deleted", "-sample")+pick(".mkv", ".mkv", ".MKV", ".avi", ".IFO", ".srt", ""))
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// accounted is how often every path is in a set.
func accounted(s Set) map[string]int {
	count := map[string]int{}
	for _, m := range s.Movies {
		for _, v := range m.Versions {
			for _, p := range v.Parts {
				count[p]++
			}
		}
		for _, e := range m.Extras {
			count[e.Path]++
		}
	}
	for _, e := range s.Extras {
		count[e.Path]++
	}
	for _, p := range s.Ignored {
		count[p]++
	}
	return count
}

// checkFolder: every path is in the set once, but for the files of a disc's structure, of which at most one is; and the order of the paths
// says nothing.
func checkFolder(t *testing.T, r *rand.Rand, paths []string) {
	t.Helper()
	set := Group(paths)
	count := accounted(set)
	discs := map[string]int{}
	for _, path := range paths {
		if it, disc := newItem(path); disc {
			discs[it.dir+"/"+it.stem+"/"+it.part] += count[path]
			if count[path] > 1 {
				t.Fatalf("%q is in the set of %q %d times", path, paths, count[path])
			}
			continue
		}
		if count[path] != 1 {
			t.Fatalf("%q is in the set of %q %d times", path, paths, count[path])
		}
	}
	for disc, n := range discs {
		if n == 0 {
			t.Fatalf("the disc %q of %q is lost", disc, paths)
		}
	}
	for _, m := range set.Movies {
		if len(m.Versions) == 0 || len(m.Versions[0].Parts) == 0 {
			t.Fatalf("a film of nothing in %q: %+v", paths, m)
		}
	}
	shuffled := slices.Clone(paths)
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if other := Group(shuffled); !reflect.DeepEqual(other, set) {
		t.Fatalf("%q\n\tgives %+v\n%q\n\tgives %+v", paths, set, shuffled, other)
	}
}

func TestGroupsOfAnyFolderLoseNoFileAndDoNotHangOnTheOrder(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range repetitions(t, 500) {
		checkFolder(t, r, randomFolders(r))
	}
}

// hostile is what is repeated to make names that cost most: nested and unclosed brackets, marks that restart a rule, separators.
var hostile = []string{"(", "[a", "[a]", "(a) ", "a.", "1 ", "2012-", "(a/", "a/", " / ", "cd1.", "-x02-", "-f1-", "{title-", "{title-}", "{edition-a,b}", "[tmdb-1]", "tt0133093 ", " - ", "aka ", "www.a.com ", "-trailer", "Extended ", "1080p ", "x264-", "A.", "\xff", "抓 ", "e\u0301"}

// allocated is how many bytes fn allocates: the lesser of two runs, as the first may make what is made once.
func allocated(fn func()) uint64 {
	least := ^uint64(0)
	for range 2 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		fn()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// TestNamesCostWhatTheirLengthSays compares what names of 512 and 1024 bytes allocate, what one does that is far beyond any system's, and what
// folders of 100 and 400 films do. Not parallel: it reads the process's counter.
func TestNamesCostWhatTheirLengthSays(t *testing.T) {
	for _, unit := range hostile {
		for what, read := range map[string]func(string){
			"Parse":        func(s string) { Canonical(Parse(s)) },
			"ParseSidecar": func(s string) { ParseSidecar("a.mkv", "a."+s+".srt") },
			"SortTitle":    func(s string) { SortTitle(s, "fr") },
			"EditionLabel": func(s string) { EditionLabel(s) },
			"Group":        func(s string) { Group([]string{s + " part1.mkv", s + " part2.mkv", s + "-trailer.mkv"}) },
		} {
			short, long := strings.Repeat(unit, 512/len(unit)), strings.Repeat(unit, 1024/len(unit))
			small, large := allocated(func() { read(short) }), allocated(func() { read(long) })
			if large > 3*small+16<<10 || large > 8<<20 {
				t.Errorf("%s of %q: %d bytes for 512, %d for 1024", what, unit, small, large)
			}
		}
	}
	huge := strings.Repeat("Film.2000.(a) ", 1<<20)
	if got := allocated(func() { Parse(huge) }); got > 8<<20 {
		t.Errorf("%d bytes for a name of 14 MiB", got)
	}
	for what, path := range map[string]func(i string) []string{
		"one film a folder": func(i string) []string { return []string{"/movies/Film " + i + " (2000)/Film " + i + ".mkv"} },
		"films and trailers in one folder": func(i string) []string {
			return []string{"/movies/Film " + i + " (2000).mkv", "/movies/Film " + i + " (2000)-trailer.mkv"}
		},
		"parts":    func(i string) []string { return []string{"/movies/Film (2000)/Film (2000) part" + i + ".mkv"} },
		"versions": func(i string) []string { return []string{"/movies/Film (2000)/Film (2000) - " + i + ".mkv"} },
		"extras":   func(i string) []string { return []string{"/movies/Film (2000)/trailers/Film " + i + ".mkv"} },
	} {
		group := func(n int) uint64 {
			var paths []string
			for i := range n {
				paths = append(paths, path(strconv.Itoa(i))...)
			}
			return allocated(func() { Group(paths) })
		}
		if small, large := group(100), group(400); large > 6*small {
			t.Errorf("%s: %d bytes for 100, %d for 400", what, small, large)
		}
	}
}

// Names come from strangers' disks: none may hold a scan up. The bound is a hundred times what it takes.
func TestHostileNamesTakeNoTime(t *testing.T) {
	t.Parallel()
	start := time.Now()
	for _, unit := range hostile {
		Parse(strings.Repeat(unit, 100_000))
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("took %v", took)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"Film (2000)/Film.2000.1080p.BluRay.x264-GRP.mkv", "[a](b){c}.d", "\xff/\x00", "2012.2009", "A / B [c", "-x02-", "{title-a}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		checkName(t, input)
		SortTitle(input, "en")
	})
}

// FuzzGroup reads lines as the paths of a library.
func FuzzGroup(f *testing.F) {
	for _, seed := range []string{"a.mkv\na part2.mkv\na part1.mkv\na-trailer.mkv", "/m/Up (2009)/Up (2009).mkv\n/m/Up (2009)/Up (2009) - 4K.mkv\n/m/Up (2009)/extras/x.mkv", "d/VIDEO_TS/a.vob\nd/VIDEO_TS/VIDEO_TS.IFO", "f/cd 1/a.avi\nf/cd 2/a.avi"} {
		f.Add(seed, uint64(1))
	}
	f.Fuzz(func(t *testing.T, lines string, seed uint64) {
		paths := strings.Split(lines, "\n")
		slices.Sort(paths)
		checkFolder(t, rand.New(rand.NewPCG(seed, 0)), slices.Compact(paths))
	})
}

// FuzzParseSidecar: what follows a video's name is read, and a subtitle of another video is none of this one's.
func FuzzParseSidecar(f *testing.F) {
	f.Add("Film", "en.forced")
	f.Add("My.Video", "pt-BR.sdh (x)")
	f.Fuzz(func(t *testing.T, video, rest string) {
		s, ok := ParseSidecar(video+".mkv", video+"."+rest+".srt")
		if cmp.Or(ok, strings.ContainsAny(rest, `/\`), strings.ContainsAny(video, `/\`)) != true {
			t.Fatalf("%q is no subtitle of %q: %+v", rest, video, s)
		}
		if other, ok := ParseSidecar("x"+video+".mkv", video+"."+rest+".srt"); ok && !strings.HasPrefix(strings.ToLower(video+"."+rest), "x") {
			t.Fatalf("%q: %+v", video, other)
		}
	})
}
