package naming

import (
	"bufio"
	"encoding/json"
	"os"
	"reflect"
	"strconv"
	"testing"
)

// The fields that are not zero here are all that a name may say.
func TestParse(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]Name{
		// years
		"2012 (2009) 1080p BrRip x264 - YIFY":              {Title: "2012", Year: 2009, Resolution: "1080p", Source: "brrip", VideoCodec: "h264", Group: "YIFY"},
		"Wonder Woman 1984 (2020).mkv":                     {Title: "Wonder Woman 1984", Year: 2020},
		"Blade.Runner.2049.2017.1080p.mkv":                 {Title: "Blade Runner 2049", Year: 2017, Resolution: "1080p"},
		"Blade.Runner.2049.mkv":                            {Title: "Blade Runner 2049"},
		"The Insider (1999) 60 Minutes 1996.mkv":           {Title: "The Insider", Year: 1999},
		"My Movie 2013-12-09":                              {Title: "My Movie 2013-12-09"},
		"Someone 2019 10 25 Talks 480p":                    {Title: "Someone", Resolution: "480p"},
		"Let.It.Fall.1982-1992.2017.HDTV.x264-W4F":         {Title: "Let It Fall 1982-1992", Year: 2017, Source: "hdtv", VideoCodec: "h264", Group: "W4F"},
		"2008 The Incredible Film.mp4":                     {Title: "The Incredible Film", Year: 2008},
		"(1999) Movie Name.mkv":                            {Title: "Movie Name", Year: 1999},
		"[1999] Movie Name [97681524].mkv":                 {Title: "Movie Name", Year: 1999},
		"Raw 2014 11 10 WS PDTV x264-RK":                   {Title: "Raw", Source: "tv", VideoCodec: "h264", Group: "RK"},
		"Film.2012.Trailer.1080p.mkv":                      {Kind: KindExtra, Title: "Film", Year: 2012, Resolution: "1080p", Extra: "trailer"},
		"Film.2012.1O80p.DVDRemux.mkv":                     {Title: "Film", Year: 2012, Resolution: "1080p", Source: "dvd", Remux: true},
		"300.mkv":                                          {Title: "300"},
		"2012.WEB-DL.1080p.AVC.mkv":                        {Title: "2012", Resolution: "1080p", Source: "webdl", VideoCodec: "h264"},
		"The.English.Patient.BluRay.1996.German.DTS":       {Title: "The English Patient", Year: 1996, Source: "bluray"},
		"Film.3D.Bluray.Why.cant.you.follow.rules.1998":    {Title: "Film", Year: 1998, Source: "bluray", ThreeD: "3d"},
		"Rockpalast__U2_12.09.17_22-10_station_60_DE.mpg":  {Title: "Rockpalast U2"},
		"2026年01月10日23時00分-[新]TRIGUN　STARGAZE[字].mp4":      {Title: "2026年01月10日23時00分-[新]TRIGUN STARGAZE"},
		"Rush-x09-Between_Sun_and_Moon-2002_Hartford.mkv":  {Kind: KindExtra, Title: "Rush", Year: 2002, Extra: "bonus"},
		"/movies/James_Bond-f21-Casino_Royale-x02-Set.mkv": {Kind: KindExtra, Title: "Casino Royale", Extra: "bonus"},

		// titles
		"R.I.P.D.2013.720p.BluRay.x264-SPARKS":           {Title: "R.I.P.D.", Year: 2013, Resolution: "720p", Source: "bluray", VideoCodec: "h264", Group: "SPARKS"},
		"To.Live.and.Die.in.L.A.1985.DVDRip":             {Title: "To Live and Die in L.A.", Year: 1985, Source: "dvdrip"},
		"Mr. Nobody (2009)":                              {Title: "Mr. Nobody", Year: 2009},
		"What.If...2010.1080p.mkv":                       {Title: "What If...", Year: 2010, Resolution: "1080p"},
		"(500) Days of Summer (2009).mkv":                {Title: "(500) Days of Summer", Year: 2009},
		"[REC] 2 (2009).mkv":                             {Title: "[REC] 2", Year: 2009},
		"[sam] Toward the Terra (1980) [BD 1080p].mkv":   {Title: "Toward the Terra", Year: 1980, Resolution: "1080p", Source: "bluray", Group: "sam"},
		"[Group][A Film / Film A][BDRip][1080P]":         {Title: "A Film Film A", Resolution: "1080p", Source: "bdrip", Group: "Group"},
		"Троя / Troy (2004) BDRip":                       {Title: "Troy", Year: 2004, Source: "bdrip"},
		"1. Детские игры. 1988. 1080p.mkv":               {Title: "1. Детские игры", Year: 1988, Resolution: "1080p"},
		"Run Lola Run AKA Lola Rennt 1998 1080p":         {Title: "Run Lola Run", Year: 1998, Resolution: "1080p"},
		"Le.Prestige.(The.Prestige).DVDRip.mkv":          {Title: "Le Prestige", Source: "dvdrip"},
		"OSS_117--Cairo,_Nest_of_Spies.mkv":              {Title: "OSS 117"},
		"www.Site.org - Movie.2008.720p.X264-DIMENSION":  {Title: "Movie", Year: 2008, Resolution: "720p", VideoCodec: "h264", Group: "DIMENSION"},
		"The.Good.German.2006.720p":                      {Title: "The Good German", Year: 2006, Resolution: "720p"},
		"Cars.2.German.DL.720p.BluRay":                   {Title: "Cars 2", Resolution: "720p", Source: "bluray"},
		"Love Gourou (Mike Myers) - FR":                  {Title: "Love Gourou"},
		"Movie Title (2020) WEB 1080p x264-J (S:7/L:28)": {Title: "Movie Title", Year: 2020, Resolution: "1080p", Source: "web", VideoCodec: "h264", Group: "J"},

		// editions
		"Blade.Runner.The.Final.Cut.1982.mkv":            {Title: "Blade Runner", Year: 1982, Edition: []string{"final_cut"}},
		"The Final Cut (2004)":                           {Title: "The Final Cut", Year: 2004},
		"Uncut.Gems.2019.mkv":                            {Title: "Uncut Gems", Year: 2019},
		"Extended Edition":                               {Title: "Extended Edition"},
		"Film [Ultimate Collector's Edition].1942.BRRip": {Title: "Film", Year: 1942, Edition: []string{"collectors", "ultimate"}, Source: "brrip"},
		"Film.2000.DC.1080p":                             {Title: "Film", Year: 2000, Edition: []string{"directors_cut"}, Resolution: "1080p"},
		"UNRATED movie 2008 DTS":                         {Title: "movie", Year: 2008, Edition: []string{"unrated"}},
		"Film.1964.50th.ANNIVERSARY.EDITION.1080p":       {Title: "Film", Year: 1964, Edition: []string{"anniversary"}, Resolution: "1080p"},
		"Film (1977) {edition-Harmy v2} [tmdb-11].mkv":   {Title: "Film", Year: 1977, Edition: []string{"harmy_v2"}, TMDbID: 11},
		"Film [edition=Director's Cut] (1977).mkv":       {Title: "Film", Year: 1977, Edition: []string{"directors_cut"}},

		// copies
		"Film.2014.1080p.4K.Restoration.BluRay.REMUX.AVC-EDPH": {Title: "Film", Year: 2014, Edition: []string{"restored"}, Resolution: "1080p", Source: "bluray", VideoCodec: "h264", Remux: true, Group: "EDPH"},
		"Film.2014.1920x804.HEVC.HDR10+.DV":                    {Title: "Film", Year: 2014, Resolution: "1080p", VideoCodec: "h265", HDR: []string{"HDR10", "DV"}},
		"Film.2014.REPACK2.720p.HDTV.x264-aAF":                 {Title: "Film", Year: 2014, Resolution: "720p", Source: "hdtv", VideoCodec: "h264", Proper: true, Group: "aAF"},
		"Film.2014.TC1080P":                                    {Title: "Film", Year: 2014, Resolution: "1080p", Source: "telecine"},
		"Capitao.2.TS.BrunoG":                                  {Title: "Capitao 2", Source: "telesync", Group: "BrunoG"},
		"Film.2004.PAL.2xDVD9":                                 {Title: "Film", Year: 2004, Resolution: "576p", Source: "dvd"},
		"Film.2014.720.Bluray.Half-OU.x264":                    {Title: "Film", Year: 2014, Resolution: "720p", Source: "bluray", VideoCodec: "h264", ThreeD: "hou"},
		"Film.2018.2160p.Remux-GRP":                            {Title: "Film", Year: 2018, Resolution: "2160p", Source: "bluray", Remux: true, Group: "GRP"},
		"Film (2003) (2160p BluRay X265 10bit Tigole) [QxR]":   {Title: "Film", Year: 2003, Resolution: "2160p", Source: "bluray", VideoCodec: "h265", Group: "QxR"},
		"Film.2018.720p.WEBRip.x264-NTb-postbot":               {Title: "Film", Year: 2018, Resolution: "720p", Source: "webrip", VideoCodec: "h264", Group: "NTb"},
		"Film.2018.720p.x264.D-Z0N3.mkv":                       {Title: "Film", Year: 2018, Resolution: "720p", VideoCodec: "h264", Group: "D-Z0N3"},
		"Film.2018.720p.H.264.YTS.LT.mp4":                      {Title: "Film", Year: 2018, Resolution: "720p", VideoCodec: "h264", Group: "YTS.LT"},
		"Film 2018 720p DVDRip by Seven":                       {Title: "Film", Year: 2018, Resolution: "720p", Source: "dvdrip", Group: "Seven"},
		"Film (2009).bluray.disc":                              {Title: "Film", Year: 2009, Source: "bluray", Stub: true},

		// ids
		"Film (1999) - tt0133093 [tmdbid=603].mkv": {Title: "Film", Year: 1999, IMDbID: "tt0133093", TMDbID: 603},
		"Film (2016) {tmdb-2020}":                  {Title: "Film", Year: 2016, TMDbID: 2020},
		"Film [imdbid-tt10985510)":                 {Title: "Film"},

		// parts
		"Film (2013)-cd1.mkv":                        {Title: "Film", Year: 2013, Part: 1},
		"Film (2013)-(12 of 21).mkv":                 {Title: "Film", Year: 2013, Part: 12, PartCount: 21},
		"Film.(2000).CD1of2.DVDRiP.XviD-[ZeaL].avi":  {Title: "Film", Year: 2000, Source: "dvdrip", VideoCodec: "xvid", Group: "ZeaL", Part: 1, PartCount: 2},
		"Film (2013) partb.mkv":                      {Title: "Film", Year: 2013, Part: 2},
		"Film (2013)-12.mkv":                         {Title: "Film", Year: 2013},
		"Hallows.Part.1.2010.1080p.mkv":              {Title: "Hallows Part 1", Year: 2010, Resolution: "1080p"},
		"/home/u/movies/film/disc 1/video_ts/A.IFO":  {Title: "film", Source: "dvd", Part: 1},
		"/home/u/movies/Film (1999)/cd 2/file.avi":   {Title: "Film", Year: 1999, Part: 2},
		"/movies/Heat (1995)/BDMV/STREAM/00001.m2ts": {Title: "Heat", Year: 1995, Source: "bluray"},
		"CD1": {Title: "CD1", Part: 1},

		// folders
		"Movies/La Science des Rêves (2006)/La.Science.Des.Reves.FRENCH.DVDRip.XviD-MP.avi":   {Title: "La Science des Rêves", Year: 2006, Source: "dvdrip", VideoCodec: "xvid", Group: "MP"},
		"Movies/Somewhere.2010.DVDRip.XviD-iLG/i-smwhr.avi":                                   {Title: "Somewhere", Year: 2010, Source: "dvdrip", VideoCodec: "xvid", Group: "iLG"},
		"/server/Movies/Brave (2007)/Brave (2006).mkv":                                        {Title: "Brave", Year: 2006},
		"/movies/Film (2000) [imdbid-tt0133093]/0e895c37245186812cb08aab1529cf8ee389dd05.mkv": {Title: "Film", Year: 2000, IMDbID: "tt0133093"},
		`D:\films\Film.2000.1080p.WEB-DL-GRP\abc.mkv`:                                         {Title: "Film", Year: 2000, Resolution: "1080p", Source: "webdl", Group: "GRP"},
		"/movies/Film.2000.720p.mkv/Film.2000.720p.mkv":                                       {Title: "Film", Year: 2000, Resolution: "720p"},
		"/movies/.hack/file1.mkv":                                                             {Title: "hack"},

		// extras
		"Film (2010)-trailer.mkv":                      {Kind: KindExtra, Title: "Film", Year: 2010, Extra: "trailer"},
		"film-trailer-1.mov":                           {Kind: KindExtra, Title: "film", Extra: "trailer"},
		"Film.Featurette.Making.It.1080p.mkv":          {Kind: KindExtra, Title: "Film Featurette Making It", Resolution: "1080p", Extra: "featurette"},
		"/movies/Up (2009)/deleted scenes/The dog.mkv": {Kind: KindExtra, Title: "Up", Year: 2009, Extra: "deleted"},
		"/movies/Up (2009)/theme.mp3":                  {Kind: KindExtra, Title: "Up", Year: 2009, Extra: "theme_song"},
		"/data/something/trailers/Film.mp4":            {Title: "Film"},
		"/movies/Extras/Film (2009).mkv":               {Title: "Film", Year: 2009},
		"I Live In A Trailer.mp4":                      {Title: "I Live In A Trailer"},
		"The DNA Sample.mp4":                           {Title: "The DNA Sample"},
		"The Big Short/The Big Short.mp4":              {Title: "The Big Short"},
		"Film.2012.1080p.x264-GRP-sample.mkv":          {Kind: KindIgnored, Title: "Film", Year: 2012, Resolution: "1080p", VideoCodec: "h264", Group: "GRP", Extra: "sample"},
		"Movies/Heat (1995)/Sample/heat.mkv":           {Kind: KindIgnored, Title: "Heat", Year: 1995, Extra: "sample"},

		// nothing to see
		"":                                 {Kind: KindIgnored},
		"185d86a343e39f3341e35c4dad3f9959": {Kind: KindIgnored},
		"76El6LcgLzqb426WoVFg1vVVVGx4uCYopQkfjmLe": {Kind: KindIgnored},
		"/movies/Up/@eaDir/Up.mkv":                 {Kind: KindIgnored, Title: "Up"},
		"/movies/Up/.hidden/Up.mkv":                {Kind: KindIgnored, Title: "Up"},
		"/movies/Up/._Up.mkv":                      {Kind: KindIgnored, Title: "Up"},
		"/movies/Up/poster.jpg":                    {Kind: KindIgnored, Title: "poster"},
	} {
		want.Input = input
		if want.Kind == "" {
			want.Kind = KindMovie
		}
		if got := Parse(input); !reflect.DeepEqual(got, want) {
			t.Errorf("%q\n\tgot  %+v\n\twant %+v", input, got, want)
		}
	}
}

// TestNamesAsPeopleAndToolsWriteThem holds Parse to testdata/names.jsonl, a Name a line: films whose titles are numbers, years or words that
// names of releases use, in the ways of media managers, scene groups and many languages.
func TestNamesAsPeopleAndToolsWriteThem(t *testing.T) {
	t.Parallel()
	file, err := os.Open("testdata/names.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	read := 0
	for lines := bufio.NewScanner(file); lines.Scan(); read++ {
		var want Name
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		if got := Parse(want.Input); !reflect.DeepEqual(got, want) {
			t.Errorf("%q\n\tgot  %+v\n\twant %+v", want.Input, got, want)
		}
	}
	if read < 200 {
		t.Errorf("only %d names", read)
	}
}

func TestSlashesOfBothKindsAreTheSamePath(t *testing.T) {
	t.Parallel()
	a, b := Parse("movies/Up (2009)/trailers/One.mkv"), Parse(`movies\Up (2009)\trailers\One.mkv`)
	b.Input = a.Input
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%+v is not %+v", a, b)
	}
}

func TestCanonicalOfOrdinaryNamesIsReadable(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"The.Matrix.1999.2160p.UHD.BluRay.x265.HDR10-GRP.mkv": "The Matrix (1999) [2160p bluray h265 HDR10]-GRP",
		"Blade.Runner.The.Final.Cut.1982.cd2.avi":             "Blade Runner (1982) {edition-final_cut} - cd2",
		"Up (2009) [tmdbid=14160]-trailer.mkv":                "Up (2009) {tmdb-14160}-trailer",
	} {
		if got := Canonical(Parse(input)); got != want {
			t.Errorf("%q: got %q, want %q", input, got, want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	names := []string{
		"Movies/La Science des Rêves (2006)/La.Science.Des.Reves.FRENCH.DVDRip.XviD-MP-AceBot.avi",
		"/movies/X-Men Apocalypse (2016)/X-Men Apocalypse (2016) - 1080p Directors Cut.mkv",
		"Jurassic.World.Dominion.2022.2160p.MULTi.UHD.Blu-ray.REMUX.HDR.DoVi.HEVC.DTS-X.7.1-MOONLY.mkv",
	}
	for i := 0; b.Loop(); i++ {
		Parse(names[i%len(names)])
	}
}

func BenchmarkGroup(b *testing.B) {
	var paths []string
	for i := range 1000 {
		paths = append(paths, "/movies/Film "+strconv.Itoa(i)+" (2000)/Film "+strconv.Itoa(i)+" (2000) - 1080p.mkv")
	}
	for b.Loop() {
		Group(paths)
	}
}

func TestNamesOfOldDisksAreReadAsLatin(t *testing.T) {
	t.Parallel()
	for path, title := range map[string]string{
		"Caf\xe9 (1997).mkv": "Caf\u00e9", "Caf\u00e9 (1997).mkv": "Caf\u00e9", "\xdcber \u00dc (1997).mkv": "\u00dcber \u00dc",
	} {
		if got := Parse(path); got.Title != title || got.Year != 1997 {
			t.Errorf("%q is %q (%d), want %q", path, got.Title, got.Year, title)
		}
	}
}
