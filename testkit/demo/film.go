package demo

// A film of the demo library: how people keep it in a folder, and what is true of it.
type film struct {
	folder string // relative to the library; empty for a file that lies in the library itself
	files  []file
	// picture and still name the drawings in posters/ (without .jpg). posterAs and fanartAs say under which names they
	// lie beside the film; empty means that the film comes without.
	picture, still     string
	posterAs, fanartAs string
	nfoAs              string
	facts              facts
	sidecars           []sidecar
}

type file struct {
	name  string
	shape Fixture
	// seconds is the length in the showcase; 0 means two minutes.
	seconds int
}

type sidecar struct {
	name     string
	language string
	forced   bool
}

// facts are true of the real film; ratings are IMDb's, rounded to a tenth.
type facts struct {
	title, original string
	year            int
	premiered       string // YYYY-MM-DD, or empty
	minutes         int
	rating          float64
	certificate     string
	imdb            string
	tmdb            int
	country         string
	studio          string
	tagline, plot   string
	genres          []string
	directors       []string
	writers         []string
	actors          [][2]string // name, role
}

// The films: all of them are in the public domain in the United States, and their pictures were drawn for this project.
var films = []film{
	{
		folder: "Nosferatu (1922)", picture: "nosferatu", still: "still-nosferatu",
		posterAs: "poster.jpg", fanartAs: "fanart.jpg", nfoAs: "movie.nfo",
		files: []file{{name: "Nosferatu (1922).mp4", shape: H264AAC}},
		facts: facts{
			title: "Nosferatu", original: "Nosferatu, eine Symphonie des Grauens", year: 1922, premiered: "1922-03-04", minutes: 94,
			rating: 7.8, certificate: "Not Rated", imdb: "tt0013442", tmdb: 653, country: "Germany", studio: "Prana-Film",
			tagline: "A symphony of horror.",
			plot: "Young Thomas Hutter travels to the Carpathians to sell a house in Wisborg to Count Orlok, and learns too late what his host " +
				"lives on. Coffins full of earth go aboard a ship, the plague follows it, and only Hutter's wife Ellen knows how to end it.",
			genres: []string{"Horror", "Fantasy"}, directors: []string{"F. W. Murnau"}, writers: []string{"Henrik Galeen"},
			actors: [][2]string{{"Max Schreck", "Graf Orlok"}, {"Gustav von Wangenheim", "Hutter"}, {"Greta Schröder", "Ellen"},
				{"Alexander Granach", "Knock"}, {"Georg H. Schnell", "Harding"}},
		},
	},
	{
		folder: "Metropolis (1927) {imdb-tt0017136}", picture: "metropolis", still: "still-metropolis",
		posterAs: "poster.jpg", fanartAs: "fanart.jpg", nfoAs: "Metropolis (1927) [Bluray-720p].nfo",
		files: []file{{name: "Metropolis (1927) [Bluray-720p].mkv", shape: H264AC3MKV}},
		facts: facts{
			title: "Metropolis", original: "Metropolis", year: 1927, premiered: "1927-01-10", minutes: 153,
			rating: 8.3, certificate: "Not Rated", imdb: "tt0017136", tmdb: 19, country: "Germany", studio: "UFA",
			tagline: "The mediator between head and hands must be the heart.",
			plot: "In a city of towers, the planners live in the light and the workers under the ground. Freder, son of the city's master, " +
				"follows Maria into the depths, while the inventor Rotwang gives her face to a machine that is to lead the workers astray.",
			genres: []string{"Science Fiction", "Drama"}, directors: []string{"Fritz Lang"}, writers: []string{"Thea von Harbou"},
			actors: [][2]string{{"Brigitte Helm", "Maria / The Machine Man"}, {"Alfred Abel", "Joh Fredersen"}, {"Gustav Fröhlich", "Freder"},
				{"Rudolf Klein-Rogge", "C. A. Rotwang"}, {"Fritz Rasp", "The Thin Man"}, {"Heinrich George", "Grot"}},
		},
	},
	{
		folder: "The General (1926)", picture: "the-general", still: "still-the-general",
		posterAs: "folder.jpg", fanartAs: "fanart.jpg", nfoAs: "movie.nfo",
		files: []file{{name: "The General (1926) - cd1.mkv", shape: H264MKV}, {name: "The General (1926) - cd2.mkv", shape: H264MKV}},
		facts: facts{
			title: "The General", original: "The General", year: 1926, premiered: "1926-12-31", minutes: 79,
			rating: 8.1, certificate: "Passed", imdb: "tt0017925", tmdb: 961, country: "United States of America", studio: "Buster Keaton Productions",
			tagline: "Love, locomotives and laughs.",
			plot: "Johnnie Gray loves his engine, the General, and Annabelle Lee. When Union spies steal the one with the other aboard, he gives " +
				"chase through enemy lines, on foot, on a handcar, and at last on a locomotive of his own.",
			genres: []string{"Action", "Comedy", "War"}, directors: []string{"Clyde Bruckman", "Buster Keaton"}, writers: []string{"Buster Keaton", "Clyde Bruckman"},
			actors: [][2]string{{"Buster Keaton", "Johnnie Gray"}, {"Marion Mack", "Annabelle Lee"}, {"Glen Cavender", "Captain Anderson"},
				{"Jim Farley", "General Thatcher"}},
		},
	},
	{
		folder: "Charade (1963)", picture: "charade",
		posterAs: "Charade (1963) - 720p-poster.jpg", nfoAs: "Charade (1963) - 720p.nfo",
		files: []file{{name: "Charade (1963) - 720p.mkv", shape: H264EAC3MKV}, {name: "Charade (1963) - DVD.mp4", shape: MoovAtEnd},
			{name: "Charade (1963)-trailer.mp4", shape: MoovAtEnd, seconds: 24}},
		facts: facts{
			title: "Charade", original: "Charade", year: 1963, premiered: "1963-12-05", minutes: 113,
			rating: 7.9, certificate: "Approved", imdb: "tt0056923", tmdb: 4808, country: "United States of America", studio: "Universal Pictures",
			tagline: "You can expect the unexpected!",
			plot: "Regina Lampert comes home to an empty flat and a dead husband. Three men from the war want the money that he stole from them, " +
				"a stranger with a new name every day offers help, and she has no idea where the quarter of a million is.",
			genres: []string{"Comedy", "Mystery", "Romance", "Thriller"}, directors: []string{"Stanley Donen"}, writers: []string{"Peter Stone"},
			actors: [][2]string{{"Cary Grant", "Peter Joshua"}, {"Audrey Hepburn", "Regina Lampert"}, {"Walter Matthau", "Hamilton Bartholomew"},
				{"James Coburn", "Tex Panthollow"}, {"George Kennedy", "Herman Scobie"}, {"Ned Glass", "Leopold W. Gideon"}},
		},
	},
	{
		folder: "Sunrise - A Song of Two Humans (1927)", picture: "sunrise", still: "still-sunrise",
		posterAs: "poster.jpg", fanartAs: "fanart.jpg", nfoAs: "movie.nfo",
		files: []file{{name: "Sunrise - A Song of Two Humans (1927) [WEBDL-480p][x265].mkv", shape: HEVCMKV}},
		facts: facts{
			title: "Sunrise: A Song of Two Humans", original: "Sunrise: A Song of Two Humans", year: 1927, premiered: "1927-09-23", minutes: 94,
			rating: 8.1, certificate: "Passed", imdb: "tt0018455", tmdb: 631, country: "United States of America", studio: "Fox Film Corporation",
			plot: "A woman from the city wants a farmer to drown his wife and come away with her. He rows out with his wife, cannot do it, " +
				"and in a day among the crowds and lights of the city the two find each other again.",
			genres: []string{"Drama", "Romance"}, directors: []string{"F. W. Murnau"}, writers: []string{"Carl Mayer"},
			actors: [][2]string{{"George O'Brien", "The Man"}, {"Janet Gaynor", "The Wife"}, {"Margaret Livingston", "The Woman from the City"},
				{"Bodil Rosing", "The Maid"}},
		},
	},
	{
		folder: "A Trip to the Moon (1902)", picture: "a-trip-to-the-moon", posterAs: "poster.jpg", nfoAs: "A Trip to the Moon (1902).nfo",
		files: []file{{name: "A Trip to the Moon (1902).webm", shape: VP9WebM}},
		facts: facts{
			title: "A Trip to the Moon", original: "Le Voyage dans la Lune", year: 1902, premiered: "1902-09-01", minutes: 15,
			rating: 8.1, certificate: "Not Rated", imdb: "tt0000417", tmdb: 775, country: "France", studio: "Star-Film",
			plot: "Six astronomers have themselves shot to the moon in a shell, land in its eye, are taken before the king of the Selenites, " +
				"and fall back to Earth with one of his subjects holding on.",
			genres: []string{"Adventure", "Fantasy", "Science Fiction"}, directors: []string{"Georges Méliès"}, writers: []string{"Georges Méliès"},
			actors: [][2]string{{"Georges Méliès", "Professor Barbenfouillis"}, {"Bleuette Bernon", "Phoebe"}, {"Victor André", "Astronomer"}},
		},
	},
	{
		folder: "Detour (1945)", picture: "detour", still: "still-detour", posterAs: "poster.jpg", fanartAs: "fanart.jpg", nfoAs: "Detour (1945).nfo",
		files:    []file{{name: "Detour (1945).mp4", shape: MoovAtEnd}},
		sidecars: []sidecar{{name: "Detour (1945).de.srt", language: "deu"}, {name: "Detour (1945).en.forced.srt", language: "eng", forced: true}},
		facts: facts{
			title: "Detour", original: "Detour", year: 1945, premiered: "1945-11-30", minutes: 68,
			rating: 7.3, certificate: "Passed", imdb: "tt0037638", tmdb: 20367, country: "United States of America", studio: "Producers Releasing Corporation",
			plot: "A piano player hitches from New York to Los Angeles. The driver who picks him up dies, he takes the dead man's name and car, " +
				"and then the next hitchhiker, Vera, knows whose car it was.",
			genres: []string{"Crime", "Film Noir"}, directors: []string{"Edgar G. Ulmer"}, writers: []string{"Martin Goldsmith"},
			actors: [][2]string{{"Tom Neal", "Al Roberts"}, {"Ann Savage", "Vera"}, {"Claudia Drake", "Sue Harvey"}, {"Edmund MacDonald", "Charles Haskell Jr."}},
		},
	},
	{
		folder: "Carnival.of.Souls.1962.720p.BluRay.x264-DEMO", picture: "carnival-of-souls", still: "still-carnival",
		posterAs: "poster.jpg", fanartAs: "backdrop.jpg", nfoAs: "movie.nfo",
		files: []file{{name: "Carnival.of.Souls.1962.720p.BluRay.x264-DEMO.mkv", shape: H264MKV}},
		facts: facts{
			title: "Carnival of Souls", original: "Carnival of Souls", year: 1962, minutes: 78,
			rating: 7.0, certificate: "Not Rated", imdb: "tt0055830", tmdb: 16093, country: "United States of America", studio: "Harcourt Productions",
			plot: "Mary Henry climbs from a river hours after her car went off the bridge, and takes a post as a church organist in Utah. " +
				"A pale man follows her, people stop seeing her, and a pavilion on the salt flats will not let her go.",
			genres: []string{"Horror", "Mystery"}, directors: []string{"Herk Harvey"}, writers: []string{"John Clifford"},
			actors: [][2]string{{"Candace Hilligoss", "Mary Henry"}, {"Frances Feist", "Mrs. Thomas"}, {"Sidney Berger", "John Linden"},
				{"Art Ellison", "Minister"}, {"Herk Harvey", "The Man"}},
		},
	},
	{
		folder: "The Cabinet of Dr. Caligari (1920)", picture: "caligari", posterAs: "folder.jpg", nfoAs: "movie.nfo",
		files: []file{{name: "The Cabinet of Dr. Caligari (1920) [imdbid-tt0010323].mkv", shape: TextSubtitlesMKV}},
		facts: facts{
			title: "The Cabinet of Dr. Caligari", original: "Das Cabinet des Dr. Caligari", year: 1920, premiered: "1920-02-26", minutes: 77,
			rating: 8.0, certificate: "Not Rated", imdb: "tt0010323", tmdb: 234, country: "Germany", studio: "Decla-Film",
			tagline: "You must become Caligari!",
			plot: "At the fair of Holstenwall, Dr. Caligari shows Cesare, a sleepwalker who knows the future. He tells a man that he will die " +
				"before dawn, and the man does. His friend Franzis follows the doctor into an asylum.",
			genres: []string{"Horror", "Mystery", "Thriller"}, directors: []string{"Robert Wiene"}, writers: []string{"Carl Mayer", "Hans Janowitz"},
			actors: [][2]string{{"Werner Krauss", "Dr. Caligari"}, {"Conrad Veidt", "Cesare"}, {"Friedrich Feher", "Franzis"}, {"Lil Dagover", "Jane"},
				{"Hans Heinrich von Twardowski", "Alan"}},
		},
	},
	{
		folder: "Battleship Potemkin (1925)", picture: "battleship-potemkin", posterAs: "poster.jpg", nfoAs: "movie.nfo",
		files: []file{{name: "Battleship Potemkin (1925) [tmdbid-643].mp4", shape: MovText}},
		facts: facts{
			title: "Battleship Potemkin", original: "Броненосец «Потёмкин»", year: 1925, premiered: "1925-12-21", minutes: 75,
			rating: 7.9, certificate: "Not Rated", imdb: "tt0015648", tmdb: 643, country: "Soviet Union", studio: "Goskino",
			plot: "In 1905 the sailors of the Potemkin refuse rotten meat and take the ship. Odessa comes to the harbour to mourn their dead, " +
				"and soldiers march down the great steps.",
			genres: []string{"Drama", "History", "War"}, directors: []string{"Sergei Eisenstein"}, writers: []string{"Nina Agadzhanova"},
			actors: [][2]string{{"Aleksandr Antonov", "Grigory Vakulinchuk"}, {"Vladimir Barsky", "Commander Golikov"}, {"Grigori Aleksandrov", "Chief Officer Giliarovsky"}},
		},
	},
	{
		folder: "Safety Last! (1923)", picture: "safety-last", posterAs: "poster.jpg", nfoAs: "movie.nfo",
		files: []file{{name: "Safety Last! (1923).mp4", shape: H264AAC}},
		facts: facts{
			title: "Safety Last!", original: "Safety Last!", year: 1923, premiered: "1923-04-01", minutes: 74,
			rating: 8.1, certificate: "Not Rated", imdb: "tt0014429", tmdb: 22596, country: "United States of America", studio: "Hal Roach Studios",
			plot: "A shop assistant writes home that he has made his fortune. When his girl comes to see it, he sells the manager a stunt: " +
				"a man will climb the front of the store. The man he had in mind is busy with a policeman.",
			genres: []string{"Comedy", "Action"}, directors: []string{"Fred C. Newmeyer", "Sam Taylor"}, writers: []string{"Hal Roach", "Sam Taylor", "Tim Whelan"},
			actors: [][2]string{{"Harold Lloyd", "The Boy"}, {"Mildred Davis", "The Girl"}, {"Bill Strother", "The Pal"}, {"Noah Young", "The Law"}},
		},
	},
	{
		folder: "Sherlock Jr. (1924)", picture: "sherlock-jr", posterAs: "movie.jpg", nfoAs: "Sherlock Jr. (1924).nfo",
		files: []file{{name: "Sherlock Jr. (1924).mkv", shape: H264MKV}},
		facts: facts{
			title: "Sherlock Jr.", original: "Sherlock Jr.", year: 1924, minutes: 45,
			rating: 8.2, certificate: "Passed", imdb: "tt0015324", tmdb: 992, country: "United States of America", studio: "Buster Keaton Productions",
			plot: "A projectionist who studies to be a detective is accused of stealing a watch. He falls asleep at his machine, steps into the " +
				"screen, and there he is the greatest detective in the world.",
			genres: []string{"Comedy", "Fantasy"}, directors: []string{"Buster Keaton"}, writers: []string{"Jean Havez", "Joseph Mitchell", "Clyde Bruckman"},
			actors: [][2]string{{"Buster Keaton", "Projectionist / Sherlock Jr."}, {"Kathryn McGuire", "The Girl"}, {"Joe Keaton", "The Girl's Father"},
				{"Erwin Connelly", "The Hired Man / The Butler"}, {"Ward Crane", "The Local Sheik / The Villain"}},
		},
	},
	// Two come as many films do: with nothing but a name.
	{
		folder: "Night.of.the.Living.Dead.1968.720p.WEB-DL.H264-DEMO", picture: "night-of-the-living-dead",
		files: []file{{name: "Night.of.the.Living.Dead.1968.720p.WEB-DL.H264-DEMO.mkv", shape: H264MKV}},
		facts: facts{title: "Night of the Living Dead", year: 1968},
	},
	{
		picture: "his-girl-friday",
		files:   []file{{name: "His Girl Friday (1940).mp4", shape: MoovAtEnd}},
		facts:   facts{title: "His Girl Friday", year: 1940},
	},
}
