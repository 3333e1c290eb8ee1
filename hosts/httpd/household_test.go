package httpd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/core/movie"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// place is a library with one film, and the words that only it says.
type place struct {
	library domain.Library
	movie   domain.Movie
	file    domain.File
	// secret are words of its title, facts, people, paths, subtitles and of its own name.
	secret []string
}

// household is a server with three libraries: Ulf, who is no administrator, sees the first only. He once saw the second and watched its film;
// the third he is on the access list of, but it is restricted.
type household struct {
	*world.Server
	open, closed, restricted place
}

func newHousehold(t *testing.T) *household {
	t.Helper()
	w := world.New(t)
	h := &household{Server: w.Serve(t)}
	ulf, root, system := w.User(t), t.TempDir(), domain.SystemActor()
	poster, err := os.ReadFile("../../testkit/demo/posters/detour.jpg")
	if err != nil {
		t.Fatal(err)
	}
	for word, made := range map[string]struct {
		place  *place
		change func(*library.Draft)
	}{
		"Allowed":    {&h.open, func(*library.Draft) {}},
		"Quokka":     {&h.closed, func(d *library.Draft) { d.Open = false }},
		"Xenotopian": {&h.restricted, func(d *library.Draft) { d.Restricted, d.Open = true, false }},
	} {
		dir := filepath.Join(root, word+"shelf")
		name := word + "film (1951)"
		path := world.Film(t, dir, name, demo.H264AC3MKV)
		stem := strings.TrimSuffix(path, filepath.Ext(path))
		nfo := fmt.Sprintf("<movie><title>%[1]sfilm</title><originaltitle>%[1]soriginal</originaltitle><plot>%[1]splot</plot><tagline>%[1]stagline</tagline><year>1951</year><rating>7</rating>"+
			"<genre>%[1]sgenre</genre><studio>%[1]sstudio</studio><director>%[1]sdirector</director><actor><name>%[1]sactor</name><role>%[1]srole</role></actor></movie>", word)
		world.Write(t, stem+".nfo", []byte(nfo))
		world.Write(t, stem+".en.srt", fmt.Appendf(nil, "1\n00:00:01,000 --> 00:00:02,000\n%scue\n", word))
		world.Write(t, filepath.Join(filepath.Dir(path), "poster.jpg"), poster)
		p := made.place
		p.library = w.Library(t, dir, made.change)
		w.ScanUntilDone(t, p.library.ID)
		p.movie = w.Movie(t, w.Admin(t).Actor, word+"film")
		files, err := w.Movies.Files(t.Context(), w.Admin(t).Actor, p.movie.ID)
		if err != nil || len(files) != 1 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		p.file, p.secret = files[0], []string{word, strings.ToLower(word), p.library.ID.String(), files[0].ID.String()}
	}
	for _, hidden := range []place{h.closed, h.restricted} {
		if err := w.Core.Library.Grant(t.Context(), system, hidden.library.ID, ulf.User.ID); err != nil {
			t.Fatal(err)
		}
	}
	watch := func(p place) {
		if _, err := w.Movies.Report(t.Context(), ulf.Actor, p.movie.ID, movie.Report{Position: 5, Duration: 16, FileID: &p.file.ID}); err != nil {
			t.Fatal(err)
		}
	}
	watch(h.open)
	world.Until(t, "Ulf sees the library that he was given", func() bool {
		scope, err := w.Access.Scope(t.Context(), ulf.Actor)
		return err == nil && scope.Sees(h.closed.library.ID)
	})
	watch(h.closed)
	if err := w.Core.Library.Ungrant(t.Context(), system, h.closed.library.ID, ulf.User.ID); err != nil {
		t.Fatal(err)
	}
	world.Until(t, "Ulf does not see it any more", func() bool {
		scope, err := w.Access.Scope(t.Context(), ulf.Actor)
		return err == nil && !scope.Sees(h.closed.library.ID)
	})
	return h
}
