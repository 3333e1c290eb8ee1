package main

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/revenge-media/revenge/adapters/nfo"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/ports/metadata"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

func TestFilmsGetTheImportersFactsAndTheBuiltInOnes(t *testing.T) {
	t.Parallel()
	w, dir := world.New(t, world.Bring(func(o *assemble.Options) { o.Metadata = Reader{nfo.New()} })), t.TempDir()
	for name, text := range map[string]string{
		"Alien (1979)":  `{"name": "Alien: in space", "made": 1979, "about": "Nobody hears you.", "tags": ["Horror"], "stars": ["Sigourney Weaver", "Tom Skerritt"]}`,
		"Brazil (1985)": `<movie><title>Brazil, in a cage</title><year>1985</year><genre>Comedy</genre></movie>`,
		"Clue (1985)":   `{"name": `,
	} {
		path := world.Film(t, dir, name, demo.H264AAC)
		world.Write(t, filepath.Join(filepath.Dir(path), name+".nfo"), []byte(text))
	}
	w.ScanUntilDone(t, w.Library(t, dir).ID)
	actor := w.User(t).Actor
	alien, brazil, clue := w.Movie(t, actor, "Alien: in space"), w.Movie(t, actor, "Brazil, in a cage"), w.Movie(t, actor, "Clue")
	if alien.Overview != "Nobody hears you." || !slices.Equal(alien.Genres, []string{"Horror"}) {
		t.Errorf("from JSON: %+v", alien)
	}
	cast, err := w.Movies.Cast(t.Context(), actor, alien.ID)
	if err != nil || len(cast) != 2 || cast[0].Person != "Sigourney Weaver" {
		t.Errorf("its cast: %+v %v", cast, err)
	}
	if !slices.Equal(brazil.Genres, []string{"Comedy"}) {
		t.Errorf("from XML: %+v", brazil)
	}
	if clue.Year != 1985 {
		t.Errorf("what cannot be read leaves the name: %+v", clue)
	}
	if _, err := (Reader{nfo.New()}).Read(t.Context(), "x.nfo", []byte(`{"name": `)); fault.CodeOf(err) != metadata.CodeNFOUnreadable {
		t.Errorf("half of a JSON: %v", err)
	}
}
