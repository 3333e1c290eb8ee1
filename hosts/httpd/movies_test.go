package httpd_test

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// showing is a server with two films, one of them Matroska with AC-3, after its first scan.
func showing(t *testing.T) (*world.Server, domain.Movie, domain.Movie) {
	t.Helper()
	w := world.New(t)
	dir := t.TempDir()
	world.Film(t, dir, "Alien (1979)", demo.H264AAC)
	world.Film(t, dir, "Brazil (1985)", demo.H264AC3MKV)
	poster, err := os.ReadFile("../../testkit/demo/posters/detour.jpg")
	if err != nil {
		t.Fatal(err)
	}
	world.Write(t, filepath.Join(dir, "Alien (1979)", "poster.jpg"), poster)
	l := w.Library(t, dir)
	w.ScanUntilDone(t, l.ID)
	actor := w.User(t).Actor
	return w.Serve(t), w.Movie(t, actor, "Alien"), w.Movie(t, actor, "Brazil")
}

// chromium is what a browser says of itself.
var chromium = playback.Capabilities{
	Containers: []string{"mp4", "webm"}, Video: []playback.VideoCapability{{Codec: "h264", CodecString: "avc1.640028"}}, Audio: []string{"aac", "opus", "flac"}, HLS: true,
}

func titlesOf(p domain.Page[domain.MovieItem]) string {
	var names []string
	for _, m := range p.Items {
		names = append(names, m.Title)
	}
	return strings.Join(names, " ")
}

func TestFilmsOverHTTP(t *testing.T) {
	t.Parallel()
	s, alien, brazil := showing(t)
	u := s.User(t)
	for query, want := range map[string]string{
		"": "Alien Brazil", "?sort=-title": "Brazil Alien", "?q=ALI": "Alien", "?yearFrom=1980": "Brazil", "?watched=true": "", "?watched=false&inProgress=false": "Alien Brazil",
		"?audioLanguage=ger": "Brazil", "?libraryId=" + alien.LibraryID.String(): "Alien Brazil", "?genre=Drama&genre=Noir": "", "?resolution=sd&hdr=false": "Alien Brazil",
	} {
		if got := titlesOf(world.Decode[domain.Page[domain.MovieItem]](t, u.Get(t, "/movies"+query), http.StatusOK)); got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
	first := world.Decode[domain.Page[domain.MovieItem]](t, u.Get(t, "/movies?limit=1&includeTotal=true"), http.StatusOK)
	second := world.Decode[domain.Page[domain.MovieItem]](t, u.Get(t, "/movies?limit=1&cursor="+first.NextCursor), http.StatusOK)
	if *first.Total != 2 || titlesOf(second) != "Brazil" || second.NextCursor != "" {
		t.Errorf("pages %+v, %+v", first, second)
	}
	for _, bad := range []string{"?sort=size", "?limit=0", "?limit=1000", "?cursor=x", "?watched=maybe", "?colour=red", "?q=" + strings.Repeat("x", 201)} {
		if p := u.Get(t, "/movies"+bad).Problem(t); p.Status != http.StatusUnprocessableEntity {
			t.Errorf("%q: %d", bad, p.Status)
		}
	}
	index := u.Get(t, "/movies/index")
	if !bytes.Contains(index.Body, []byte(`"label":"A"`)) || index.Status != http.StatusOK {
		t.Errorf("index %s", index.Body)
	}
	one := u.Get(t, "/movies/"+alien.ID.String())
	again := u.Do(t, http.MethodGet, "/api/v1/movies/"+alien.ID.String(), nil, "If-None-Match", one.Header.Get("ETag"))
	if one.Status != http.StatusOK || again.Status != http.StatusNotModified || len(again.Body) != 0 {
		t.Errorf("%d and %d with %q", one.Status, again.Status, one.Header.Get("ETag"))
	}
	for _, path := range []string{"/files", "/cast", "/crew", "/genres"} {
		if r := u.Get(t, "/movies/"+brazil.ID.String()+path); r.Status != http.StatusOK || !bytes.HasPrefix(r.Body, []byte(`{"items":[`)) {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
	}
	if p := u.Get(t, "/movies/"+domain.NewID().String()).Problem(t); p.Code != "movie.not_found" {
		t.Errorf("an unknown film: %+v", p)
	}
	if r := u.Get(t, "/genres"); r.Status != http.StatusOK {
		t.Errorf("genres: %d %s", r.Status, r.Body)
	}
}

// Lists and films are kept between requests. Whoever changed something, by whatever process, is shown it by the next answer all the same.
func TestWhatIsKeptIsTrueAtOnce(t *testing.T) {
	t.Parallel()
	onEitherDatabase(t, func(t *testing.T, options ...world.Option) {
		s := world.New(t, options...).Serve(t)
		dir := t.TempDir()
		first := world.Film(t, dir, "Alien (1979)", demo.H264AAC)
		l := s.World.Library(t, dir)
		s.World.ScanUntilDone(t, l.ID)
		admin, u, other := s.Admin(t), s.User(t), s.Bearer(s.World.Account(t, "olga", domain.RoleUser).Tokens.AccessToken)
		alien := world.Decode[domain.Page[domain.MovieItem]](t, u.Get(t, "/movies"), http.StatusOK).Items[0]
		at := "/movies/" + alien.ID.String()
		lists := []string{"/movies", "/movies?sort=-year&limit=10", "/movies/recently-added"}
		progress := func(a world.Client, path string) (found []float64) {
			t.Helper()
			for _, item := range world.Decode[domain.Page[domain.MovieItem]](t, a.Get(t, path), http.StatusOK).Items {
				found = append(found, item.State.Progress)
			}
			return found
		}
		for _, position := range []float64{4, 8, 2} {
			want := position / 16
			world.Decode[domain.WatchState](t, u.Post(t, at+"/progress", map[string]any{"position": position, "duration": 16}), http.StatusOK)
			for _, path := range append(lists, "/movies/continue-watching") {
				if got := progress(u, path); len(got) != 1 || got[0] != want {
					t.Errorf("after a report of %v, %s shows %v", position, path, got)
				}
				if got := progress(other, path); len(got) > 1 || len(got) == 1 && got[0] != 0 {
					t.Errorf("another account is shown %v by %s", got, path)
				}
			}
			if got := world.Decode[domain.Movie](t, u.Get(t, at), http.StatusOK).State.Progress; got != want {
				t.Errorf("the film shows %v, not %v", got, want)
			}
		}
		for _, path := range append(lists, at) {
			before := u.Get(t, path)
			if again := u.Do(t, http.MethodGet, "/api/v1"+path, nil, "If-None-Match", before.Header.Get("ETag")); again.Status != http.StatusNotModified || len(again.Body) > 0 {
				t.Errorf("%s, unchanged, is answered %d", path, again.Status)
			}
			world.Decode[domain.WatchState](t, u.Do(t, http.MethodPost, "/api/v1"+at+"/watched", nil), http.StatusOK)
			if again := u.Do(t, http.MethodGet, "/api/v1"+path, nil, "If-None-Match", before.Header.Get("ETag")); again.Status != http.StatusOK {
				t.Errorf("%s, changed, is answered %d", path, again.Status)
			}
			world.Decode[domain.WatchState](t, u.Do(t, http.MethodDelete, "/api/v1"+at+"/watched", nil), http.StatusOK)
		}

		// Behind the server's back: only who asks for it is shown what nobody told of.
		err := s.World.Core.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			m, err := tx.Movies.Get(ctx, domain.ScopeAll(), domain.ID{}, alien.ID)
			if err != nil {
				return err
			}
			m.Title = "Untold"
			return tx.Movies.Save(ctx, m)
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range append(lists, at) {
			if anew := u.Do(t, http.MethodGet, "/api/v1"+path, nil, "Cache-Control", "no-cache"); !bytes.Contains(anew.Body, []byte("Untold")) {
				t.Errorf("%s with no-cache shows %s", path, anew.Body)
			}
		}

		world.Film(t, dir, "Brazil (1985)", demo.H264AAC)
		s.World.ScanUntilDone(t, l.ID)
		for _, path := range lists {
			if got := progress(u, path); len(got) != 2 {
				t.Errorf("after a scan %s shows %d films", path, len(got))
			}
		}
		if err := os.RemoveAll(filepath.Dir(first)); err != nil {
			t.Fatal(err)
		}
		s.World.ScanUntilDone(t, l.ID)
		if got := world.Decode[domain.Movie](t, u.Get(t, at), http.StatusOK); got.Available {
			t.Error("a film whose files are gone is shown as available")
		}
		if r := admin.Do(t, http.MethodDelete, "/api/v1/admin/libraries/"+l.ID.String(), nil); r.Status != http.StatusNoContent {
			t.Fatalf("the library is deleted with %d %s", r.Status, r.Body)
		}
		for _, who := range []world.Client{admin, u, other} {
			for _, path := range lists {
				if got := progress(who, path); len(got) != 0 {
					t.Errorf("of a library that is gone %s shows %d films", path, len(got))
				}
			}
			if r := who.Get(t, at); r.Status != http.StatusNotFound {
				t.Errorf("a film that is gone is answered %d", r.Status)
			}
		}
	})
}

func TestProgressOverHTTP(t *testing.T) {
	t.Parallel()
	s, alien, _ := showing(t)
	u, at := s.User(t), "/movies/"
	at += alien.ID.String()
	state := world.Decode[domain.WatchState](t, u.Post(t, at+"/progress", map[string]any{"position": 8, "duration": 16, "paused": true}), http.StatusOK)
	if state.Progress != .5 || titlesOf(world.Decode[domain.Page[domain.MovieItem]](t, u.Get(t, "/movies/continue-watching"), http.StatusOK)) != "Alien" {
		t.Errorf("state %+v", state)
	}
	if r := u.Do(t, http.MethodDelete, "/api/v1"+at+"/continue-watching", nil); r.Status != http.StatusNoContent {
		t.Errorf("dismiss: %d %s", r.Status, r.Body)
	}
	if got := titlesOf(world.Decode[domain.Page[domain.MovieItem]](t, u.Get(t, "/movies/continue-watching"), http.StatusOK)); got != "" {
		t.Errorf("dismissed: %s", got)
	}
	watched := world.Decode[domain.WatchState](t, u.Do(t, http.MethodPost, "/api/v1"+at+"/watched", nil), http.StatusOK)
	unwatched := world.Decode[domain.WatchState](t, u.Do(t, http.MethodDelete, "/api/v1"+at+"/watched", nil), http.StatusOK)
	if !watched.Watched || unwatched.Watched {
		t.Errorf("%+v, %+v", watched, unwatched)
	}
	if r := u.Do(t, http.MethodDelete, "/api/v1"+at+"/progress", nil); r.Status != http.StatusNoContent {
		t.Errorf("reset: %d", r.Status)
	}
	if state := world.Decode[domain.WatchState](t, u.Get(t, at+"/progress"), http.StatusOK); state.Position != 0 {
		t.Errorf("after the reset: %+v", state)
	}
	if history := world.Decode[domain.Page[domain.HistoryEntry]](t, u.Get(t, "/movies/watch-history"), http.StatusOK); len(history.Items) != 1 {
		t.Errorf("history %+v", history)
	}
	if stats := world.Decode[domain.MovieStats](t, u.Get(t, "/movies/stats"), http.StatusOK); stats.Movies != 2 {
		t.Errorf("stats %+v", stats)
	}
	if p := u.Post(t, at+"/progress", map[string]any{"position": 1, "speed": 2}).Problem(t); p.Status != http.StatusUnprocessableEntity {
		t.Errorf("an unknown field: %+v", p)
	}
}

func TestPicturesOverHTTP(t *testing.T) {
	t.Parallel()
	s, alien, brazil := showing(t)
	u := s.User(t)
	if alien.Poster == nil || brazil.Backdrop == nil || brazil.Poster != nil {
		t.Fatalf("poster %v, backdrop %v, no poster %v", alien.Poster, brazil.Backdrop, brazil.Poster)
	}
	at := "/api/v1/images/poster/" + alien.Poster.ID.String() + "?width=160"
	webp := u.Do(t, http.MethodGet, at+"&v="+alien.Poster.Hash, nil, "Accept", "image/avif,image/webp,*/*")
	plain := u.Do(t, http.MethodGet, at, nil, "Accept", "image/*")
	picture, err := jpeg.Decode(bytes.NewReader(plain.Body))
	if err != nil || picture.Bounds().Dx() != 160 || webp.Header.Get("Content-Type") != "image/webp" || plain.Header.Get("Content-Type") != "image/jpeg" ||
		!strings.Contains(webp.Header.Get("Cache-Control"), "immutable") || strings.Contains(plain.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("%d %v, %d %v, %v", webp.Status, webp.Header, plain.Status, plain.Header, err)
	}
	if again := u.Do(t, http.MethodGet, at, nil, "If-None-Match", plain.Header.Get("ETag")); again.Status != http.StatusNotModified {
		t.Errorf("with its tag: %d", again.Status)
	}
	byFilm := u.Get(t, "/images/backdrop/"+brazil.ID.String()+"?width=320")
	if byFilm.Status != http.StatusOK {
		t.Errorf("by the film: %d %s", byFilm.Status, byFilm.Body)
	}
	for path, want := range map[string]int{
		"/images/poster/" + brazil.ID.String(): http.StatusNotFound, "/images/logo/" + alien.Poster.ID.String(): http.StatusNotFound,
		"/images/poster/" + alien.Poster.ID.String() + "?width=161": http.StatusUnprocessableEntity, "/images/avatar/" + alien.ID.String(): http.StatusUnprocessableEntity,
	} {
		if p := u.Get(t, path).Problem(t); p.Status != want {
			t.Errorf("%s: %d", path, p.Status)
		}
	}
	if p := s.Anonymous().Do(t, http.MethodGet, at, nil).Problem(t); p.Status != http.StatusUnauthorized {
		t.Errorf("nobody: %d", p.Status)
	}
}

// lines returns a playlist's addresses, resolved against its own.
func lines(t *testing.T, playlist world.Response, from string) []string {
	t.Helper()
	if playlist.Status != http.StatusOK || playlist.Header.Get("Content-Type") != "application/vnd.apple.mpegurl" {
		t.Fatalf("%s: %d %v %s", from, playlist.Status, playlist.Header, playlist.Body)
	}
	start, err := url.Parse(from)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.SplitSeq(string(playlist.Body), "\n") {
		if _, uri, ok := strings.Cut(line, `URI="`); ok {
			line, _, _ = strings.Cut(uri, `"`)
		} else if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		next, err := start.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, next.String())
	}
	return list
}

func TestAStreamIsFollowedFromPlanToSegment(t *testing.T) {
	t.Parallel()
	s, _, brazil := showing(t)
	u := s.User(t)
	for _, byToken := range []bool{false, true} {
		plan := world.Decode[playback.Plan](t, u.Post(t, "/movies/"+brazil.ID.String()+"/playback", map[string]any{"capabilities": chromium, "urlToken": byToken}), http.StatusOK)
		if plan.Selected == nil || plan.Versions[0].Method != playback.MethodAudioEncode {
			t.Fatalf("plan %+v", plan)
		}
		part := plan.Selected.Parts[0]
		viewer := u
		if byToken {
			viewer = s.Anonymous()
		}
		get := func(address string) world.Response { return viewer.Do(t, http.MethodGet, address, nil) }
		tracks := lines(t, get(part.URL), part.URL)
		if len(tracks) != 3 { // two sound tracks and the picture
			t.Fatalf("tracks %v", tracks)
		}
		for _, track := range tracks {
			segments := lines(t, get(track), track)
			if len(segments) < 2 {
				t.Fatalf("%s: %v", track, segments)
			}
			for _, segment := range segments[:2] { // the initialisation segment and the first one
				r := get(segment)
				if r.Status != http.StatusOK || r.Header.Get("Content-Type") != "video/mp4" || len(r.Body) < 100 || !bytes.Contains(r.Body[:12], []byte("typ")) {
					t.Errorf("%s: %d %v, %d bytes", segment, r.Status, r.Header, len(r.Body))
				}
			}
		}
		for _, subtitle := range part.Subtitles {
			if r := get(subtitle.URL); r.Status != http.StatusOK || r.Header.Get("Content-Type") != "text/vtt; charset=utf-8" || !bytes.HasPrefix(r.Body, []byte("WEBVTT")) {
				t.Errorf("subtitle %s: %d %s", subtitle.URL, r.Status, r.Body)
			}
		}
		if byToken {
			_, token, _ := strings.Cut(part.URL, "token=")
			if p := viewer.Do(t, http.MethodGet, "/api/v1/movies?token="+token, nil).Problem(t); p.Status != http.StatusUnauthorized {
				t.Errorf("the token on the API: %+v", p)
			}
		}
		if p := s.Anonymous().Do(t, http.MethodGet, strings.Split(tracks[0], "?")[0], nil).Problem(t); p.Status != http.StatusUnauthorized {
			t.Errorf("without a credential: %+v", p)
		}
	}
}

func TestDirectPlayTakesRanges(t *testing.T) {
	t.Parallel()
	s, alien, _ := showing(t)
	u := s.Browser(s.World.User(t))
	plan := world.Decode[playback.Plan](t, u.Post(t, "/movies/"+alien.ID.String()+"/playback", map[string]any{"capabilities": chromium}), http.StatusOK)
	part := plan.Selected.Parts[0]
	whole := u.Do(t, http.MethodGet, part.URL, nil)
	if part.Method != playback.MethodDirect || whole.Status != http.StatusOK || whole.Header.Get("Content-Type") != "video/mp4" || whole.Header.Get("Accept-Ranges") != "bytes" {
		t.Fatalf("%+v: %d %v", part, whole.Status, whole.Header)
	}
	some := u.Do(t, http.MethodGet, part.URL, nil, "Range", "bytes=100-199")
	if some.Status != http.StatusPartialContent || !bytes.Equal(some.Body, whole.Body[100:200]) || some.Header.Get("Content-Range") != fmt.Sprintf("bytes 100-199/%d", len(whole.Body)) {
		t.Errorf("a range: %d %v", some.Status, some.Header)
	}
	if beyond := u.Do(t, http.MethodGet, part.URL, nil, "Range", "bytes=99999999-"); beyond.Status != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("beyond the end: %d", beyond.Status)
	}
	if p := u.Do(t, http.MethodGet, "/api/v1/stream/"+part.FileID.String()+"/abcdef/direct", nil).Problem(t); p.Code != "playback.stale" {
		t.Errorf("another revision: %+v", p)
	}
}

// A player that is not ours, with nothing but the address: ffmpeg's own HLS client reads every segment of picture and sound to the end.
func TestAnotherPlayerPlaysByItsAddressAlone(t *testing.T) {
	t.Parallel()
	s, _, brazil := showing(t)
	plan := world.Decode[playback.Plan](t, s.User(t).Post(t, "/movies/"+brazil.ID.String()+"/playback", map[string]any{"capabilities": chromium, "urlToken": true}), http.StatusOK)
	address := s.URL + plan.Selected.Parts[0].URL
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "warning", "-xerror", "-i", address, "-map", "0:v:0", "-map", "0:a:0", "-f", "framemd5", "-").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pictures, sounds, warnings := 0, 0, []string{}
	for line := range strings.SplitSeq(string(out), "\n") {
		switch {
		case strings.HasPrefix(line, "0,"):
			pictures++
		case strings.HasPrefix(line, "1,"):
			sounds++
		case line != "" && !strings.HasPrefix(line, "#"):
			warnings = append(warnings, line)
		}
	}
	if pictures != 16*24 || sounds < 16*48000/1024-4 || len(warnings) > 0 {
		t.Errorf("%d pictures, %d stretches of sound, and it says %q", pictures, sounds, warnings)
	}
}
