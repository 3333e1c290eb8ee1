package nfo

import (
	"reflect"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/metadata"
)

func read(t *testing.T, text string) metadata.Facts {
	t.Helper()
	f, err := New().Read(t.Context(), "movie.nfo", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const kodi = `<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>
<!-- created by a tool -->
<movie>
  <title>Nosferatu</title><originaltitle>Nosferatu, eine Symphonie des Grauens</originaltitle><sorttitle>Nosferatu 1</sorttitle>
  <ratings>
    <rating name="themoviedb" max="10"><value>7.7</value><votes>2,100</votes></rating>
    <rating name="metacritic" max="100" default="true"><value>83</value><votes>15</votes></rating>
  </ratings>
  <userrating>9</userrating><outline>short</outline>
  <plot>First line.
Second &amp; last.</plot>
  <tagline>A symphony of horror</tagline><runtime>94</runtime><mpaa>Rated PG-13</mpaa>
  <uniqueid type="imdb" default="true">tt0013442</uniqueid><uniqueid type="tmdb">653</uniqueid>
  <genre>Horror / Fantasy</genre><genre>Fantasy</genre><genre>Drama</genre><country>Germany</country>
  <set><name>Vampires</name><overview>not this</overview></set>
  <credits>Henrik Galeen</credits><director>F. W. Murnau</director><premiered>1922-03-04</premiered><year>1922</year>
  <studio>Prana-Film, GmbH</studio><trailer>https://www.imdb.com/title/tt9999999</trailer>
  <actor><name>Greta Schröder</name><role>Ellen</role><order>1</order></actor>
  <actor><name>Max Schreck</name><role>Graf Orlok</role><order>0</order></actor>
  <actor><name>Somebody</name></actor>
  <fileinfo><streamdetails><video><codec>h264</codec></video></streamdetails></fileinfo>
</movie>`

func TestKodisFilm(t *testing.T) {
	t.Parallel()
	want := metadata.Facts{
		Title: "Nosferatu", OriginalTitle: "Nosferatu, eine Symphonie des Grauens", SortTitle: "Nosferatu 1", Set: "Vampires", Year: 1922, Tagline: "A symphony of horror",
		Overview: "First line.\nSecond & last.", Runtime: 94 * 60, Rating: 8.3, Votes: 15, Certification: "PG-13", ReleaseDate: "1922-03-04", IMDbID: "tt0013442", TMDbID: 653,
		Genres: []string{"Horror", "Fantasy", "Drama"}, Countries: []string{"Germany"}, Studios: []string{"Prana-Film, GmbH"},
		Credits: []domain.Credit{
			{Person: "F. W. Murnau", Department: "directing", Role: "Director"}, {Person: "Henrik Galeen", Department: "writing", Role: "Writer"},
			{Person: "Max Schreck", Department: "cast", Role: "Graf Orlok"}, {Person: "Greta Schröder", Department: "cast", Role: "Ellen", Order: 1}, {Person: "Somebody", Department: "cast", Order: 2},
		},
	}
	if got := read(t, kodi); !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestShapesOfNFO(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want metadata.Facts
	}{
		"XML and a link":      {"<movie><title>A</title></movie>\nhttps://www.themoviedb.org/movie/603-the-matrix", metadata.Facts{Title: "A", TMDbID: 603}},
		"an IMDb link":        {"https://www.imdb.com/title/tt0133093/?ref=x", metadata.Facts{IMDbID: "tt0133093"}},
		"an old IMDb link":    {"http://us.imdb.com/Title?tt0133093", metadata.Facts{IMDbID: "tt0133093"}},
		"a link in scene art": {"\xb0\xb1\xb2 RELEASE \xdb\xdb\r\n imdb.com/title/tt0133093 \xdb", metadata.Facts{IMDbID: "tt0133093"}},
		"Radarr":              {`<?xml version="1.0" encoding="utf-8" standalone="yes"?><movie><title>M</title><ratings><rating name="imdb" max="10" default="true"><value>8.3</value><votes>170</votes></rating></ratings><id>tt0022100</id><uniqueid type="tmdb">832</uniqueid></movie>`, metadata.Facts{Title: "M", Rating: 8.3, Votes: 170, IMDbID: "tt0022100", TMDbID: 832}},
		"old elements":        {"<movie><title>M</title><set>Old set</set><rating>7,5</rating><votes>1.234</votes><runtime>1h 57m</runtime><tmdbid>832</tmdbid><releasedate>1931-05-11</releasedate></movie>", metadata.Facts{Title: "M", Set: "Old set", Rating: 7.5, Votes: 1234, Runtime: 117 * 60, TMDbID: 832, ReleaseDate: "1931-05-11", Year: 1931}},
		"nonsense in numbers": {"<movie><title>M</title><year>99999</year><rating>NaN</rating><votes>-3</votes><runtime>-1</runtime><uniqueid type=\"imdb\">javascript:</uniqueid><uniqueid type=\"tmdb\">x</uniqueid><premiered>soon</premiered></movie>", metadata.Facts{Title: "M"}},
		"BOM":                 {"\xef\xbb\xbf<movie><title>Ü</title></movie>", metadata.Facts{Title: "Ü"}},
		"UTF-16":              {"\xff\xfe<\x00m\x00o\x00v\x00i\x00e\x00>\x00<\x00t\x00i\x00t\x00l\x00e\x00>\x00\xdc\x00<\x00/\x00t\x00i\x00t\x00l\x00e\x00>\x00<\x00/\x00m\x00o\x00v\x00i\x00e\x00>\x00", metadata.Facts{Title: "Ü"}},
		"declared Latin-1":    {"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><movie><title>\xdcber</title></movie>", metadata.Facts{Title: "Über"}},
		"declared Cyrillic":   {"<?xml version=\"1.0\" encoding=\"windows-1251\"?><movie><title>\xcc\xe8\xf0</title></movie>", metadata.Facts{Title: "Мир"}},
		"declared wrongly":    {"<?xml version=\"1.0\" encoding=\"utf-8\"?><movie><title>\xdcber</title></movie>", metadata.Facts{Title: "Über"}},
		"UTF-8 as Latin-1":    {"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><movie><title>Über</title></movie>", metadata.Facts{Title: "Über"}},
		"loose ampersands":    {"<movie><title>Tom & Jerry&nbsp;&eacute;</title></movie>", metadata.Facts{Title: "Tom & Jerry é"}},
		"control characters":  {"<movie><title> a\tb\x7f\n c </title><mpaa>US:R / DE:16</mpaa></movie>", metadata.Facts{Title: "a b c", Certification: "R"}},
	} {
		if got := read(t, c.text); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}

func TestWhatIsNoFilmIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing": "", "text": "just words", "broken": "<movie><title>A", "empty film": "<movie/>", "a series": "<tvshow><title>A</title></tvshow>",
		"entity bomb": `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><movie><title>&b;</title></movie>`,
		"file entity": `<!DOCTYPE x [<!entity a SYSTEM "file:///etc/passwd">]><movie><title>&a;</title></movie>`,
		"binary":      "\x00\x01\x02\xff",
	} {
		if f, err := New().Read(t.Context(), "x.nfo", []byte(text)); fault.CodeOf(err) != metadata.CodeNFOUnreadable || !strings.Contains(fault.As(err).Message, "x.nfo") {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	if _, err := New().Read(t.Context(), "x.nfo", make([]byte, metadata.MaxNFOSize+1)); fault.CodeOf(err) != metadata.CodeNFOTooLarge {
		t.Errorf("a huge file: %v", err)
	}
	if f := read(t, "<movie><title>"+strings.Repeat("ä", 5000)+"</title></movie>"); len([]rune(f.Title)) != maxLine {
		t.Errorf("a title of %d characters", len([]rune(f.Title)))
	}
}

// allocated is how many bytes the process has allocated since it began.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// allocsPer bounds what is allocated for a byte of a file, and fixedAllocs what is allocated for any.
const allocsPer, fixedAllocs = 300, 4 << 20

func FuzzRead(f *testing.F) {
	f.Add([]byte(kodi))
	f.Add([]byte("<movie><title>A & B</title><set>x</set></movie> imdb.com/title/tt0133093"))
	f.Add([]byte("\xff\xfe<\x00m\x00"))
	f.Add([]byte(`<movie><set><name>a</name><overview>b</overview></set><uniqueid type="imdb" default="true">tt0133093</uniqueid><genre>a / b</genre><actor><name>x</name><role>y</role><order>1</order></actor><ratings><rating name="imdb" max="10"><value>7,5</value></rating></ratings><runtime>1h 30m</runtime><premiered>1999-03-31</premiered></movie>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := allocated()
		defer func() {
			if used, limit := allocated()-before, uint64(fixedAllocs+allocsPer*len(data)); used > limit {
				t.Errorf("%d bytes allocated, more than %d, for a file of %d", used, limit, len(data))
			}
		}()
		facts, err := New().Read(t.Context(), "x.nfo", data)
		if err != nil {
			if fault.As(err) == nil {
				t.Errorf("no fault: %v", err)
			}
			return
		}
		if facts.Empty() || facts.Rating < 0 || facts.Rating > 10 || facts.Runtime < 0 || strings.ContainsAny(facts.Title, "\x00\n\r\t") {
			t.Errorf("%+v", facts)
		}
	})
}
