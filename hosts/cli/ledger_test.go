package cli_test

import (
	"bytes"
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// TestWhatWasAcknowledgedIsStoredAfterEveryKill is R1: clients with accounts of their own write as fast as they can and note what was
// acknowledged; the server is killed at random, again and again. What was acknowledged is there, what was acknowledged as gone is not, the one
// write of each client that was not answered is there whole or not at all, and nothing else is.
// REVENGE_TEST_KILLS sets how often the server is killed, REVENGE_TEST_SEED repeats what a run drew.
func TestWhatWasAcknowledgedIsStoredAfterEveryKill(t *testing.T) {
	t.Parallel()
	kills, seed := number(t, "REVENGE_TEST_KILLS", 5), uint64(number(t, "REVENGE_TEST_SEED", int(time.Now().UnixNano()&0xffffff)))
	t.Logf("%d kills, seed %d", kills, seed)
	films := t.TempDir()
	for _, title := range []string{"Alien (1979)", "Brazil (1985)", "Contact (1997)"} {
		world.Film(t, films, title, demo.H264AAC)
	}
	settled(t, films)
	onEither(t, func(t *testing.T, h home) {
		chance := rand.New(rand.NewPCG(seed, 1))
		admin := claimed(t, h, films)
		p := h.start(t)
		p.scanned(t, admin.AccessToken)
		clients := []client{
			newViewer(t, h, p, "vera"), newViewer(t, h, p, "viktor"), newTraveller(t, h, p, "tom"), newTraveller(t, h, p, "tess"),
			newLibrarian(t, h, p, admin), &recruiter{home: h, test: t},
		}
		writes := 0
		for round := range kills {
			over := make(chan struct{})
			var working sync.WaitGroup
			for i, c := range clients {
				mine := rand.New(rand.NewPCG(seed, uint64(round*100+i+2)))
				working.Go(func() {
					for n := 0; c.write(&talk{t: t, url: p.url}, mine, over); n++ {
					}
				})
			}
			time.Sleep(time.Duration(chance.Int64N(int64(400 * time.Millisecond)))) // the moment of the kill, which nothing waits for
			close(over)
			p.kill()
			working.Wait()
			s := h.database(t)
			sound(t, s.ReadDB(), s.Pool() != nil)
			for _, c := range clients {
				writes += c.stored(t, s.ReadDB())
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			p = h.start(t)
			for _, c := range clients {
				c.shown(t, &talk{t: t, url: p.url})
			}
			if t.Failed() {
				t.Fatalf("after kill %d", round+1)
			}
		}
		t.Logf("%d writes were acknowledged", writes)
		if writes < kills {
			t.Errorf("only %d writes were acknowledged over %d kills", writes, kills)
		}
	}, "REVENGE_SCAN_FRAMES=false", "REVENGE_SCAN_WATCH=false")
}

// number reads an environment variable.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// claimed makes the owner over HTTP and kills the server as soon as that is acknowledged.
func claimed(t *testing.T, h home, films string) httpd.SignIn {
	t.Helper()
	p := h.start(t, films)
	code := printedCode.FindStringSubmatch(p.stdout.String())
	if code == nil {
		t.Fatalf("no first-run link: %s", p.stdout)
	}
	var in httpd.SignIn
	c := talk{t: t, url: p.url}
	status := c.ask(http.MethodPost, "/setup/claim", "", map[string]any{"code": code[1], "username": "ann", "password": world.Password}, &in)
	p.kill()
	if status != http.StatusCreated {
		t.Fatalf("the claim was answered with %d", status)
	}
	return in
}

// talk is a client's connection to a server that may die at any moment.
type talk struct {
	t   *testing.T
	url string
}

// unanswered is the status of a request whose answer did not come whole: nobody knows whether it was carried out.
const unanswered = 0

// ask sends a request and returns its status once its answer has come whole.
func (c *talk) ask(method, path, token string, body, into any) int {
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			c.t.Error(err)
		}
		content = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+"/api/v1"+path, content)
	if err != nil {
		c.t.Error(err)
		return unanswered
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return unanswered
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return unanswered
	}
	if answer.StatusCode < 300 && into != nil {
		if err := json.Unmarshal(data, into); err != nil {
			c.t.Errorf("%s %s: %v in %s", method, path, err, data)
		}
	}
	return answer.StatusCode
}

// tell is ask for what must succeed; it is false when no answer came.
func (c *talk) tell(method, path, token string, body, into any) bool {
	status := c.ask(method, path, token, body, into)
	if status >= 300 {
		c.t.Errorf("%s %s %v is answered with %d", method, path, body, status)
	}
	return status != unanswered && status < 300
}

// client writes and remembers. Only one goroutine at a time uses it.
type client interface {
	// write makes one write. It is false once the server did not answer: that write is the open one.
	write(c *talk, chance *rand.Rand, over <-chan struct{}) bool
	// stored compares with the database, once the server is dead, learns whether the open write is there, and returns how many were
	// acknowledged since the last time.
	stored(t *testing.T, db *sql.DB) int
	// shown compares with what the next server says.
	shown(t *testing.T, c *talk)
}

// sound checks what holds in every database whatever was written: whole references, nothing half done.
func sound(t *testing.T, db *sql.DB, postgres bool) {
	t.Helper()
	if !postgres { // PostgreSQL has no other state
		for _, pragma := range []string{"integrity_check", "foreign_key_check"} {
			if found := strings.Join(column(t, db, "SELECT * FROM pragma_"+pragma), ", "); found != "" && found != "ok" {
				t.Errorf("%s: %s", pragma, found)
			}
		}
	}
	job := `SELECT 1 FROM river_job j WHERE j.kind = 'library.scan' AND CAST(j.args AS TEXT) LIKE '%' || s.id || '%' AND j.state NOT IN ('completed', 'cancelled', 'discarded')`
	if postgres {
		job = strings.Replace(job, "s.id", "CAST(s.id AS TEXT)", 1)
		if len(column(t, db, "SELECT 1 WHERE to_regclass('outbox') IS NOT NULL")) > 0 {
			job = `SELECT 1 FROM outbox j WHERE j.kind = 'library.scan' AND CAST(j.payload AS TEXT) LIKE '%' || CAST(s.id AS TEXT) || '%' AND j.finished_at IS NULL`
		}
	}
	for what, query := range map[string]string{
		"accounts without a role":                   "SELECT username FROM users u WHERE NOT EXISTS (SELECT 1 FROM user_roles r WHERE r.user_id = u.id)",
		"accounts that nobody can sign in to":       "SELECT username FROM users u WHERE NOT EXISTS (SELECT 1 FROM user_logins l WHERE l.user_id = u.id)",
		"sessions without exactly one live token":   "SELECT id FROM sessions s WHERE (SELECT count(*) FROM auth_tokens k WHERE k.session_id = s.id AND k.used_at IS NULL) <> 1",
		"used tokens after the live one":            "SELECT k.session_id FROM auth_tokens k JOIN auth_tokens l ON l.session_id = k.session_id AND l.used_at IS NULL WHERE k.generation > l.generation",
		"libraries without a folder":                "SELECT name FROM libraries l WHERE NOT EXISTS (SELECT 1 FROM library_paths p WHERE p.library_id = l.id)",
		"libraries that nobody scans":               "SELECT name FROM libraries l WHERE NOT EXISTS (SELECT 1 FROM scans s WHERE s.library_id = l.id)",
		"scans that nobody goes on with":            "SELECT id FROM scans s WHERE s.state IN ('queued', 'running') AND NOT EXISTS (" + job + ")",
		"files of films that are not listed":        "SELECT path FROM movie_files f WHERE f.movie_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM movies m WHERE m.id = f.movie_id)",
		"states of films that nobody watched":       "SELECT identity FROM movie_watched w WHERE NOT EXISTS (SELECT 1 FROM watch_events e WHERE e.user_id = w.user_id AND e.identity = w.identity)",
		"films watched without a state":             "SELECT identity FROM watch_events e WHERE NOT EXISTS (SELECT 1 FROM movie_watched w WHERE e.user_id = w.user_id AND e.identity = w.identity)",
		"history that is not of the day's last one": "SELECT d.identity FROM watch_days d JOIN watch_events e ON e.user_id = d.user_id AND e.identity = d.identity AND e.kind IN ('progress', 'watched') AND e.at / 86400000000 = d.day WHERE e.at > d.at",
		"films watched without history":             "SELECT e.identity FROM watch_events e WHERE e.kind IN ('progress', 'watched') AND NOT EXISTS (SELECT 1 FROM watch_days d WHERE d.user_id = e.user_id AND d.identity = e.identity AND d.day = e.at / 86400000000)",
	} {
		if found := column(t, db, query); len(found) > 0 {
			t.Errorf("%s: %v", what, found)
		}
	}
}

// column returns the first column of all rows as texts.
func column(t *testing.T, db *sql.DB, query string) (list []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	cells := make([]any, len(columns))
	for i := range cells {
		cells[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(cells...); err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprint(*cells[0].(*any)))
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	return list
}

// account makes an account from the host and signs it in.
func (h home) account(t *testing.T, p *program, name string) httpd.SignIn {
	t.Helper()
	h.do(t, world.Password+"\n", "admin", "user", "create", name)
	return p.login(t, name)
}

// viewer watches films: what it did is the list of events of each film.
type viewer struct {
	in     httpd.SignIn
	films  []domain.ID
	events map[domain.ID][]watching
	open   *watching
	acked  int
}

// watching is one event.
type watching struct {
	film     domain.ID
	kind     domain.WatchEventKind
	position float64
}

func newViewer(t *testing.T, h home, p *program, name string) *viewer {
	v := &viewer{in: h.account(t, p, name), events: map[domain.ID][]watching{}}
	for _, m := range get[domain.Page[domain.MovieItem]](t, &p.served, v.in.AccessToken, "/movies").Items {
		v.films = append(v.films, m.ID)
	}
	if len(v.films) != 3 {
		t.Fatalf("%s sees %d films", name, len(v.films))
	}
	return v
}

func (v *viewer) write(c *talk, chance *rand.Rand, _ <-chan struct{}) bool {
	w := watching{film: v.films[chance.IntN(len(v.films))]}
	path, method, body := "/movies/"+w.film.String(), http.MethodPost, any(nil)
	switch chance.IntN(9) {
	case 0:
		w.kind, path = domain.WatchWatched, path+"/watched"
	case 1:
		w.kind, path, method = domain.WatchUnwatched, path+"/watched", http.MethodDelete
	case 2:
		w.kind, path, method = domain.WatchReset, path+"/progress", http.MethodDelete
	case 3:
		w.kind, path, method = domain.WatchDismissed, path+"/continue-watching", http.MethodDelete
	case 4:
		w.kind, w.position = domain.WatchProgress, 15
	default:
		w.kind, w.position = domain.WatchProgress, 1+float64(chance.IntN(100))/10
	}
	if w.kind == domain.WatchProgress {
		path, body = path+"/progress", map[string]any{"position": w.position}
	}
	if !c.tell(method, path, v.in.AccessToken, body, nil) {
		v.open = &w
		return false
	}
	v.events[w.film] = append(v.events[w.film], w)
	v.acked++
	return true
}

func (v *viewer) stored(t *testing.T, db *sql.DB) int {
	t.Helper()
	for _, film := range v.films {
		rows := column(t, db, fmt.Sprintf("SELECT kind || ' ' || CASE kind WHEN 'progress' THEN CAST(CAST(position * 10 AS INTEGER) AS TEXT) ELSE '' END FROM watch_events WHERE user_id = '%s' AND movie_id = '%s' ORDER BY at, id", v.in.User.ID, film))
		if w := v.open; w != nil && w.film == film && len(rows) == len(v.events[film])+1 {
			v.events[film] = append(v.events[film], *w)
		}
		var want []string
		for _, w := range v.events[film] {
			text := string(w.kind) + " "
			if w.kind == domain.WatchProgress {
				text += fmt.Sprint(int(w.position*10 + 0.5))
			}
			want = append(want, text)
		}
		if !slices.Equal(rows, want) {
			t.Errorf("%s, film %s: stored are %v, acknowledged %v, open is %+v", v.in.User.Username, film, rows, want, v.open)
		}
	}
	v.open = nil
	acked := v.acked
	v.acked = 0
	return acked
}

// state is what the events of a film add up to (SPEC 4): complete at 90 %, here of 16 s.
func (v *viewer) state(film domain.ID) (s domain.WatchState, dismissed bool) {
	for _, w := range v.events[film] {
		switch w.kind {
		case domain.WatchProgress:
			dismissed = false
			if w.position < 14 {
				s.Position = w.position
				continue
			}
			if !s.Watched || s.Position != 0 {
				s.Watched = true
				s.PlayCount++
			}
			s.Position = 0
		case domain.WatchWatched:
			if !s.Watched {
				s.Watched = true
				s.PlayCount++
			}
			s.Position = 0
		case domain.WatchUnwatched:
			s.Watched, s.PlayCount = false, 0
		case domain.WatchReset:
			s.Position = 0
		case domain.WatchDismissed:
			dismissed = true
		}
	}
	return s, dismissed
}

func (v *viewer) shown(t *testing.T, c *talk) {
	t.Helper()
	var begun, history domain.Page[json.RawMessage]
	c.tell(http.MethodGet, "/movies/continue-watching", v.in.AccessToken, nil, &begun)
	c.tell(http.MethodGet, "/movies/watch-history", v.in.AccessToken, nil, &history)
	contains := func(p domain.Page[json.RawMessage], film domain.ID) bool {
		return slices.ContainsFunc(p.Items, func(m json.RawMessage) bool { return strings.Contains(string(m), film.String()) })
	}
	for _, film := range v.films {
		want, dismissed := v.state(film)
		var got domain.WatchState
		c.tell(http.MethodGet, "/movies/"+film.String()+"/progress", v.in.AccessToken, nil, &got)
		if got.Position != want.Position || got.Watched != want.Watched || got.PlayCount != want.PlayCount {
			t.Errorf("%s, film %s: the state is %+v, the events %v add up to %+v", v.in.User.Username, film, got, v.events[film], want)
		}
		if is, should := contains(begun, film), want.Position > 0 && !dismissed; is != should {
			t.Errorf("%s, film %s: continue watching: %v, want %v after %v", v.in.User.Username, film, is, should, v.events[film])
		}
		should := slices.ContainsFunc(v.events[film], func(w watching) bool { return w.kind == domain.WatchProgress || w.kind == domain.WatchWatched })
		if is := contains(history, film); is != should {
			t.Errorf("%s, film %s: history: %v, want %v after %v", v.in.User.Username, film, is, should, v.events[film])
		}
	}
}

// traveller signs in and out, renews its tokens and changes its preferences.
type traveller struct {
	name       string
	user       domain.ID
	sessions   map[domain.ID]*signedIn
	languages  []string // that may be stored: the acknowledged, then the open one
	acked      int
	maySignIn  bool // a sign-in is open
	firstLogin httpd.SignIn
}

// signedIn is one session.
type signedIn struct {
	access, refresh string
	// asked is when a refresh was sent whose answer did not come; leaving that the same is so of a sign-out, gone that one was acknowledged.
	asked         time.Time
	leaving, gone bool
}

var spoken = []string{"eng", "ger", "fre", "spa", "ita", "jpn", "swe", "pol"}

func newTraveller(t *testing.T, h home, p *program, name string) *traveller {
	in := h.account(t, p, name)
	return &traveller{name: name, user: in.User.ID, sessions: map[domain.ID]*signedIn{in.Session.ID: {access: in.AccessToken, refresh: in.RefreshToken}}, languages: []string{""}, firstLogin: in}
}

// any returns a living session; the first one never ends.
func (v *traveller) any(chance *rand.Rand) (domain.ID, *signedIn) {
	ids := slices.SortedFunc(maps.Keys(v.sessions), func(a, b domain.ID) int { return slices.Compare(a[:], b[:]) })
	ids = slices.DeleteFunc(ids, func(id domain.ID) bool { return v.sessions[id].gone })
	id := ids[chance.IntN(len(ids))]
	return id, v.sessions[id]
}

func (v *traveller) write(c *talk, chance *rand.Rand, _ <-chan struct{}) bool {
	id, s := v.any(chance)
	done := false
	switch chance.IntN(8) {
	case 0:
		var in httpd.SignIn
		if done = c.tell(http.MethodPost, "/auth/login", "", map[string]any{"login": v.name, "password": world.Password}, &in); done {
			v.sessions[in.Session.ID] = &signedIn{access: in.AccessToken, refresh: in.RefreshToken}
		}
		v.maySignIn = !done
	case 1, 2, 3:
		var next httpd.Tokens
		if done = c.tell(http.MethodPost, "/auth/refresh", "", map[string]any{"refreshToken": s.refresh}, &next); done {
			s.access, s.refresh = next.AccessToken, next.RefreshToken
		} else {
			s.asked = time.Now()
		}
	case 4:
		if id == v.firstLogin.Session.ID {
			return true
		}
		by, path, method := s.access, "/auth/logout", http.MethodPost
		if chance.IntN(2) == 0 { // from another client
			by, path, method = v.sessions[v.firstLogin.Session.ID].access, "/sessions/"+id.String(), http.MethodDelete
		}
		if done = c.tell(method, path, by, nil, nil); done {
			s.gone = true
		} else {
			s.leaving = true
		}
	default:
		language := spoken[chance.IntN(len(spoken))]
		done = c.tell(http.MethodPatch, "/users/me/preferences", s.access, map[string]any{"audioLanguage": language, "subtitleLanguage": language}, nil)
		if done {
			v.languages = []string{language}
		} else {
			v.languages = append(v.languages[:1:1], language)
		}
	}
	if done {
		v.acked++
	}
	return done
}

func (v *traveller) stored(t *testing.T, db *sql.DB) int {
	t.Helper()
	living := column(t, db, fmt.Sprintf("SELECT id FROM sessions WHERE user_id = '%s' AND revoked_at IS NULL", v.user))
	more := 0
	for _, id := range living {
		parsed, _ := domain.ParseID(id)
		if s := v.sessions[parsed]; s == nil {
			more++
		} else if s.gone {
			t.Errorf("%s: the session %s, whose end was acknowledged, goes on", v.name, id)
		}
	}
	if more > 0 && (more > 1 || !v.maySignIn) {
		t.Errorf("%s: %d sessions that nobody opened", v.name, more)
	}
	for id, s := range v.sessions {
		if s.leaving && !slices.Contains(living, id.String()) {
			s.gone = true
		}
		if !s.gone && !slices.Contains(living, id.String()) {
			t.Errorf("%s: the session %s is lost", v.name, id)
		}
		s.leaving = false
	}
	v.maySignIn = false
	// A session that was opened without an answer goes on without its owner: forget it.
	for _, id := range living {
		if parsed, _ := domain.ParseID(id); v.sessions[parsed] == nil {
			v.sessions[parsed] = &signedIn{leaving: true}
		}
	}
	acked := v.acked
	v.acked = 0
	return acked
}

func (v *traveller) shown(t *testing.T, c *talk) {
	t.Helper()
	for id, s := range v.sessions {
		if s.access == "" { // nobody got its tokens: ended from another client
			c.tell(http.MethodDelete, "/sessions/"+id.String(), v.sessions[v.firstLogin.Session.ID].access, nil, nil)
			delete(v.sessions, id)
			continue
		}
		want := http.StatusOK
		if s.gone {
			want = http.StatusUnauthorized
		}
		if got := c.ask(http.MethodGet, "/users/me", s.access, nil, nil); got != want {
			t.Errorf("%s: a session (ended: %v) is answered with %d", v.name, s.gone, got)
		}
		if s.gone {
			if got := c.ask(http.MethodPost, "/auth/refresh", "", map[string]any{"refreshToken": s.refresh}, nil); got != http.StatusUnauthorized {
				t.Errorf("%s: the refresh token of an ended session is answered with %d", v.name, got)
			}
			delete(v.sessions, id)
			continue
		}
		if s.asked.IsZero() {
			continue
		}
		// Whoever lost the answer asks again, and gets the same successor or the first one, for ten seconds.
		var next httpd.Tokens
		status := c.ask(http.MethodPost, "/auth/refresh", "", map[string]any{"refreshToken": s.refresh}, &next)
		late := time.Since(s.asked) > 9*time.Second
		s.asked = time.Time{}
		switch {
		case status == http.StatusOK:
			s.access, s.refresh = next.AccessToken, next.RefreshToken
		case late && status == http.StatusUnauthorized:
			s.gone = true
		default:
			t.Errorf("%s: a refresh that was not answered is answered with %d at the second time", v.name, status)
		}
	}
	if first := v.sessions[v.firstLogin.Session.ID]; first == nil || first.gone { // on a machine this slow
		var in httpd.SignIn
		c.tell(http.MethodPost, "/auth/login", "", map[string]any{"login": v.name, "password": world.Password}, &in)
		v.firstLogin = in
		v.sessions[in.Session.ID] = &signedIn{access: in.AccessToken, refresh: in.RefreshToken}
	}
	var p domain.Preferences
	c.tell(http.MethodGet, "/users/me/preferences", v.sessions[v.firstLogin.Session.ID].access, nil, &p)
	if p.AudioLanguage != p.SubtitleLanguage || !slices.Contains(v.languages, p.AudioLanguage) {
		t.Errorf("%s: the languages are %q and %q, acknowledged (or open) %q", v.name, p.AudioLanguage, p.SubtitleLanguage, v.languages)
	}
	v.languages = []string{p.AudioLanguage}
}

// librarian makes, changes and removes libraries of empty folders.
type librarian struct {
	in      httpd.SignIn
	folders string
	made    int
	readers []domain.ID
	shelves map[string]shelf // by name
	open    func(map[string]shelf)
	films   domain.ID
	acked   int
}

// shelf is a library as its librarian knows it.
type shelf struct {
	id     domain.ID
	open   bool
	paths  []string
	access []string
}

func newLibrarian(t *testing.T, _ home, p *program, in httpd.SignIn) *librarian {
	l := &librarian{in: in, folders: t.TempDir(), shelves: map[string]shelf{}}
	for _, u := range get[domain.Page[domain.User]](t, &p.served, in.AccessToken, "/admin/users").Items {
		l.readers = append(l.readers, u.ID)
	}
	l.films = get[listed[domain.Library]](t, &p.served, in.AccessToken, "/libraries").Items[0].ID
	return l
}

func (l *librarian) folder(c *talk) string {
	l.made++
	path := filepath.Join(l.folders, fmt.Sprintf("folder %d", l.made))
	if err := os.Mkdir(path, 0o755); err != nil {
		c.t.Error(err)
	}
	return path
}

func (l *librarian) write(c *talk, chance *rand.Rand, _ <-chan struct{}) bool {
	names := slices.Sorted(maps.Keys(l.shelves))
	kind := chance.IntN(7)
	if len(names) == 0 || len(names) < 3 && kind == 6 {
		kind = 0
	}
	var name string
	var s shelf
	if kind > 0 {
		name = names[chance.IntN(len(names))]
		s = l.shelves[name]
		s.paths, s.access = slices.Clone(s.paths), slices.Clone(s.access)
	}
	ask := func(method, path string, body, into any) bool {
		return c.tell(method, "/admin/libraries"+path, l.in.AccessToken, body, into)
	}
	own := "/" + s.id.String()
	set := func(name string, s shelf) func(map[string]shelf) {
		return func(all map[string]shelf) { all[name] = s }
	}
	change, done := set(name, s), false
	switch kind {
	case 0:
		paths := []string{l.folder(c), l.folder(c)}
		name = fmt.Sprintf("Library %d", l.made)
		s = shelf{open: chance.IntN(2) == 0, paths: paths}
		var library domain.Library
		change = set(name, s)
		if done = ask(http.MethodPost, "", map[string]any{"name": name, "paths": paths, "open": s.open}, &library); done {
			s.id = library.ID
			change = set(name, s)
		}
	case 1:
		s.open = !s.open
		l.made++
		renamed := fmt.Sprintf("Library %d", l.made)
		change = func(all map[string]shelf) { delete(all, name); all[renamed] = s }
		done = ask(http.MethodPatch, own, map[string]any{"name": renamed, "open": s.open}, nil)
	case 2:
		folder := l.folder(c)
		s.paths = append(s.paths, folder)
		change = set(name, s)
		done = ask(http.MethodPost, own+"/paths", map[string]any{"path": folder}, nil)
	case 3:
		if len(s.paths) < 2 {
			return true
		}
		var library domain.Library
		if !c.tell(http.MethodGet, "/libraries"+own, l.in.AccessToken, nil, &library) {
			return false
		}
		at := slices.IndexFunc(library.Paths, func(p domain.LibraryPath) bool { return p.Path == s.paths[0] })
		if at < 0 {
			c.t.Errorf("%s has lost the folder %s: %+v", name, s.paths[0], library.Paths)
			return true
		}
		s.paths = s.paths[1:]
		change = set(name, s)
		done = ask(http.MethodDelete, own+"/paths/"+library.Paths[at].ID.String(), nil, nil)
	case 4, 5:
		user := l.readers[chance.IntN(len(l.readers))].String()
		if i := slices.Index(s.access, user); i < 0 {
			s.access = append(s.access, user)
			done = ask(http.MethodPost, own+"/access", map[string]any{"userId": user}, nil)
		} else {
			s.access = slices.Delete(s.access, i, i+1)
			done = ask(http.MethodDelete, own+"/access/"+user, nil, nil)
		}
		change = set(name, s)
	case 6:
		change = func(all map[string]shelf) { delete(all, name) }
		done = ask(http.MethodDelete, own, nil, nil)
	}
	if !done {
		l.open = change
		return false
	}
	change(l.shelves)
	l.acked++
	return true
}

func (l *librarian) stored(*testing.T, *sql.DB) int {
	acked := l.acked
	l.acked = 0
	return acked
}

func (l *librarian) shown(t *testing.T, c *talk) {
	t.Helper()
	var all listed[domain.Library]
	c.tell(http.MethodGet, "/libraries", l.in.AccessToken, nil, &all)
	is := map[string]shelf{}
	for _, library := range all.Items {
		if library.ID == l.films {
			continue
		}
		var list listed[domain.LibraryAccess]
		c.tell(http.MethodGet, "/admin/libraries/"+library.ID.String()+"/access", l.in.AccessToken, nil, &list)
		s := shelf{id: library.ID, open: library.Open}
		for _, p := range library.Paths {
			s.paths = append(s.paths, p.Path)
		}
		for _, a := range list.Items {
			s.access = append(s.access, a.UserID.String())
		}
		is[library.Name] = s
	}
	with := maps.Clone(l.shelves)
	if l.open != nil {
		l.open(with)
	}
	if !equalShelves(is, l.shelves) && !equalShelves(is, with) {
		t.Errorf("the libraries are\n%s\nacknowledged are\n%s\nor with the open change\n%s", describe(is), describe(l.shelves), describe(with))
	}
	l.shelves, l.open = is, nil
}

func describe(all map[string]shelf) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		fmt.Fprintf(&b, "%s open %v paths %q access %v\n", name, s.open, slices.Sorted(slices.Values(s.paths)), slices.Sorted(slices.Values(s.access)))
	}
	return b.String()
}

func equalShelves(a, b map[string]shelf) bool { return describe(a) == describe(b) }

// recruiter makes accounts from the host, beside the server, and is killed as well.
type recruiter struct {
	home  home
	test  *testing.T
	made  int
	names []string // acknowledged
	acked int
}

func (r *recruiter) write(_ *talk, chance *rand.Rand, over <-chan struct{}) bool {
	r.made++
	name := fmt.Sprintf("recruit%d", r.made)
	p := r.home.launch(r.test, world.Password+"\n", "admin", "user", "create", name)
	select {
	case <-p.gone:
	case <-over:
		time.Sleep(time.Duration(chance.Int64N(int64(300 * time.Millisecond))))
		p.kill()
	}
	if strings.Contains(p.stdout.String(), "Created "+name) {
		r.names = append(r.names, name)
		r.acked++
	} else if code := p.command.ProcessState.ExitCode(); code >= 0 {
		r.test.Errorf("creating %s ended with %d: %s", name, code, p.stderr)
	}
	select {
	case <-over:
		return false
	default:
		return true
	}
}

func (r *recruiter) stored(t *testing.T, db *sql.DB) int {
	t.Helper()
	there := column(t, db, "SELECT u.username FROM users u JOIN user_logins l ON l.user_id = u.id AND l.login = u.username JOIN user_roles o ON o.user_id = u.id")
	for _, name := range r.names {
		if !slices.Contains(there, name) {
			t.Errorf("the account %s, which was acknowledged, is not among %v", name, there)
		}
	}
	acked := r.acked
	r.acked = 0
	return acked
}

func (r *recruiter) shown(t *testing.T, c *talk) {
	t.Helper()
	if len(r.names) > 0 {
		name := r.names[len(r.names)-1]
		status := unanswered
		// Sign-ins that a kill cut off hold their places for a while, and a hundred kills a minute may take all that an address has.
		world.Until(t, "there is a place to sign in", func() bool {
			status = c.ask(http.MethodPost, "/auth/login", "", map[string]any{"login": name, "password": world.Password}, nil)
			return status != http.StatusServiceUnavailable
		})
		if status != http.StatusOK {
			t.Errorf("%s cannot sign in: %d", name, cmp.Or(status, -1))
		}
	}
}
