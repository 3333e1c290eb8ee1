package naming

import (
	"slices"
	"strings"
	"unicode"
)

// editionNames are the editions this package knows, with how a person reads them.
var editionNames = map[string]string{
	"extended": "Extended", "directors_cut": "Director's Cut", "theatrical": "Theatrical", "unrated": "Unrated", "uncut": "Uncut",
	"uncensored": "Uncensored", "remastered": "Remastered", "restored": "Restored", "special": "Special Edition", "ultimate": "Ultimate",
	"collectors": "Collector's Edition", "final_cut": "Final Cut", "criterion": "Criterion", "imax": "IMAX", "recut": "Recut",
	"fan_edit": "Fan Edit", "despecialized": "Despecialized", "limited": "Limited", "deluxe": "Deluxe", "anniversary": "Anniversary Edition",
	"alternate": "Alternative Cut", "festival": "Festival", "signature": "Signature Edition", "imperial": "Imperial Edition",
	"diamond": "Diamond Edition", "assembly": "Assembly Cut", "hunter": "Hunter Edition", "rekall": "Rekall Edition", "rogue": "Rogue Cut",
	"open_matte": "Open Matte", "2in1": "2in1", "3in1": "3in1", "4in1": "4in1", "producers_cut": "Producer's Cut",
	"international": "International Cut", "redux": "Redux", "roadshow": "Roadshow", "gold": "Gold Edition", "platinum": "Platinum Edition",
	"black_and_chrome": "Black and Chrome", "noir": "Noir Edition", "superbit": "Superbit", "television": "Television Version", "workprint": "Workprint",
	"chronological": "Chronological", "definitive": "Definitive Edition", "legacy": "Legacy Edition", "premium": "Premium Edition",
}

var editionNouns = map[string]bool{"cut": true, "edition": true, "version": true, "release": true, "collection": true}

// learnEditions: words that are common in titles (special, ultimate, final…) need a noun behind them.
func learnEditions() {
	nouns := []string{"cut", "edition", "version", "release"}
	with := func(value string, needsNoun bool, alone strength, words string) {
		for word := range strings.SplitSeq(words, "|") {
			if !needsNoun {
				learn(tagEdition, value, alone, word)
			}
			for _, noun := range nouns {
				learn(tagEdition, value, loose, word+" "+noun)
				learn(tagEdition, value, loose, "the "+word+" "+noun)
			}
			learn(tagEdition, value, loose, "edition "+word)
		}
	}
	with("extended", false, loose, "extended|extendet")
	with("unrated", false, loose, "unrated")
	with("uncut", false, loose, "uncut")
	with("uncensored", false, loose, "uncensored")
	with("remastered", false, loose, "remastered|remaster|4k remastered|digitally remastered|4k remaster")
	with("restored", false, loose, "restored|restoration|4k restored|4k restoration|2k restoration|restore")
	with("theatrical", false, loose, "theatrical")
	with("imax", false, loose, "imax")
	with("despecialized", false, loose, "despecialized|despecialised")
	with("recut", false, loose, "recut")
	with("limited", false, shouted, "limited")
	with("festival", false, shouted, "festival")
	with("deluxe", false, weak, "deluxe")
	with("ultimate", false, weak, "ultimate")
	with("directors_cut", false, weak, "directors|director")
	with("collectors", false, weak, "collectors|collector")
	with("criterion", false, shouted, "criterion")
	with("alternate", false, shouted, "alternate|alternative|alternate theatrical")
	with("special", true, weak, "special")
	with("signature", true, weak, "signature")
	with("imperial", true, weak, "imperial")
	with("diamond", true, weak, "diamond")
	with("assembly", true, weak, "assembly")
	with("hunter", true, weak, "hunter")
	with("rekall", true, weak, "rekall")
	with("rogue", true, weak, "rogue|rouge")
	with("producers_cut", true, weak, "producers|producer")
	with("international", true, weak, "international")
	with("roadshow", false, weak, "roadshow")
	with("gold", true, weak, "gold|golden")
	with("platinum", true, weak, "platinum")
	with("noir", true, weak, "noir")
	with("legacy", true, weak, "legacy")
	with("premium", true, weak, "premium")
	with("definitive", true, weak, "definitive")
	with("television", true, weak, "television|tv")
	with("chronological", true, weak, "chronological")
	with("anniversary", true, weak, "anniversary")
	learn(tagEdition, "extended", loose, "extended edition version|long version|version longue")
	learn(tagEdition, "fan_edit", loose, "fan edit|fan edition|edition fan|fan cut|fanedit")
	learn(tagEdition, "final_cut", loose, "final cut|the final cut")
	learn(tagEdition, "open_matte", loose, "open matte|openmatte")
	learn(tagEdition, "criterion", loose, "criterion collection|the criterion collection")
	learn(tagEdition, "collectors", loose, "collectors dvd edition|collectors series")
	learn(tagEdition, "black_and_chrome", loose, "black and chrome|black & chrome")
	learn(tagEdition, "redux", shouted, "redux")
	learn(tagEdition, "superbit", loose, "superbit")
	learn(tagEdition, "2in1", loose, "2in1")
	learn(tagEdition, "3in1", loose, "3in1")
	learn(tagEdition, "4in1", loose, "4in1")
	learn(tagEdition, "directors_cut", shouted, "dc")
	learn(tagEdition, "special", shouted, "se")
	learn(tagEdition, "criterion", weak, "cc")
	learn(tagEdition, "extended", weak, "ee")
}

// EditionLabel is an edition of Name.Edition for a reader: "directors_cut" is "Director's Cut". An edition that
// was named by hand ("{edition-Harmy v2}") is its words.
func EditionLabel(edition string) string {
	if label, ok := editionNames[edition]; ok {
		return label
	}
	words := strings.Fields(strings.ReplaceAll(edition, "_", " "))
	for i, word := range words {
		r := []rune(word)
		r[0] = unicode.ToUpper(r[0])
		words[i] = string(r)
	}
	return strings.Join(words, " ")
}

// editionsIn are the editions that a hand-written edition says: those known, else its own words.
func editionsIn(text string) []string {
	if _, known := editionNames[text]; known {
		return []string{text}
	}
	var found []string
	l := lex(text)
	for i := 0; i < len(l.tokens); {
		t, ok := l.tagAt(i)
		if !ok || t.kind != tagEdition {
			i++
			continue
		}
		found = addOnce(found, t.value)
		i = t.to
	}
	if len(found) == 0 {
		var words []string
		for _, t := range l.tokens {
			words = append(words, t.key)
		}
		if len(words) > 0 {
			found = []string{strings.Join(words, "_")}
		}
	}
	return found
}

func addOnce(list []string, value string) []string {
	if slices.Contains(list, value) {
		return list
	}
	return append(list, value)
}
