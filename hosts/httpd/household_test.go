package httpd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/core/movie"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/core/roles"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// place is a library with two films, and the words that only it says.
type place struct {
	word             string
	open, restricted bool
	spare            bool // nobody is on its access list
	dir              string
	library          domain.Library
	// movie has all that a film can have; twin is the same film in every place, so that their watch states are one (SPEC 4).
	movie, twin    domain.Movie
	file, twinFile domain.File
	pictures       []domain.StoredImage
	// subtitles are the ids of all text subtitles: embedded ones and the one beside the film.
	subtitles []string
	scan      domain.Scan
	// secret are words of its titles, facts, people, paths, tracks, subtitles and of its own name, and its ids.
	secret []string
}

// ids are all that a client could have got to know of a place, by what they are of.
func (p *place) ids() map[string]domain.ID {
	ids := map[string]domain.ID{
		"library": p.library.ID, "path": p.library.Paths[0].ID, "movie": p.movie.ID, "twin": p.twin.ID, "file": p.file.ID, "twin's file": p.twinFile.ID, "scan": p.scan.ID,
	}
	for _, i := range p.pictures {
		ids[string(i.Kind)+" of "+i.MovieID.String()] = i.ID
	}
	return ids
}

// standing is what an account has to do with the libraries that are not open.
type standing string

const (
	stranger standing = "stranger" // never was on an access list
	member   standing = "member"   // is on all of them
	former   standing = "former"   // was on all of them, and watched what could be seen then
)

// person is an account, or nobody.
type person struct {
	name     string
	role     domain.RoleName // "" is nobody
	standing standing
	account  world.Account
	may      map[domain.Permission]bool
	viaKey   bool           // the account by one of its API keys, which may less
	clients  []world.Client // the same account by each sort of credential
	asked    int
}

// client is the account by one of its credentials in turn.
func (p *person) client() world.Client {
	p.asked++
	return p.clients[p.asked%len(p.clients)]
}

// sees says which libraries an account sees, in the words of SPEC 3 and 4 and not in those of the code.
func (p *person) sees(at *place) bool {
	switch {
	case p.role == "" || !p.may[domain.PermissionLibraryRead] && !p.viaKey:
		return false
	case p.role == domain.RoleAdmin:
		return true
	case at.restricted:
		return p.role == domain.RoleLegacy && p.standing == member && !at.spare
	default:
		return at.open || p.standing == member && !at.spare
	}
}

// household is a server with an open, a closed and a restricted library, which is marked as open besides, and somebody of every role, default ones and the
// server's own, in every standing, each of whom watched all that they ever saw. spare is a library that only administrators see, to be changed and deleted.
type household struct {
	*world.Server
	open, closed, restricted, spare *place
	nobody                          *person
	people                          []*person
	// keys are people's API keys, each with other permissions.
	keys []*person
	// bystander is an account whose ids others name; job is the id of a job that is done.
	bystander    world.Account
	provider     string // the issuer of the one that everybody is linked with
	bystanderKey domain.ID
	invitation   domain.ID
	job          string
	// foreign are names and ids of each account that no other but administrators may hear of.
	foreign map[*person][]string
}

func (h *household) places() []*place { return []*place{h.open, h.closed, h.restricted} }

// who returns the account of a role and a standing.
func (h *household) who(t *testing.T, role domain.RoleName, s standing) *person {
	t.Helper()
	for _, p := range h.people {
		if p.role == role && p.standing == s {
			return p
		}
	}
	t.Fatalf("there is no %s %s", s, role)
	return nil
}

// nobodysRole is there to be changed and removed. It carries what no API key holds.
const nobodysRole domain.RoleName = "curator"

func newHousehold(t *testing.T, options ...world.Option) *household {
	t.Helper()
	h := openHouse(t, options...)
	h.closed, h.restricted = &place{word: "Quokkaberg"}, &place{word: "Xenotopian", open: true, restricted: true}
	h.spare = &place{word: "Sparrowhawk", spare: true}
	h.shelve(t, h.closed, h.restricted, h.spare)
	for _, own := range []roles.Draft{
		{Name: "family", Description: "Guests who keep track of what they watch", Parents: []domain.RoleName{domain.RoleGuest}, Permissions: []domain.Permission{domain.PermissionHistory}},
		{Name: "steward", Description: "Sees to the settings, and watches nothing", Permissions: []domain.Permission{domain.PermissionEnrol, domain.PermissionSession, domain.PermissionProfile, domain.PermissionSettingsManage}},
	} {
		if _, err := h.World.Core.Roles.Create(t.Context(), domain.SystemActor(), own); err != nil {
			t.Fatal(err)
		}
	}
	h.gather(t)
	h.watch(t)
	h.handOutKeys(t)
	h.linkEverybody(t)
	return h
}

// openHouse is a server with the open library alone, and nobody in it but the world's accounts.
func openHouse(t *testing.T, options ...world.Option) *household {
	t.Helper()
	w := world.New(t, append(options, world.Configure(func(c *config.Config) { c.Scan.Frames = false }))...)
	h := &household{
		Server: w.Serve(t, world.Web(page())), bystander: w.User(t), nobody: &person{name: "nobody"}, foreign: map[*person][]string{},
		open: &place{word: "Openlywood", open: true},
	}
	h.nobody.clients = []world.Client{h.Anonymous()}
	key, _ := w.APIKey(t, h.bystander, domain.PermissionLibraryRead)
	h.bystanderKey = key.ID
	if _, err := w.Settings.Update(t.Context(), domain.SystemActor(), nil, map[string]json.RawMessage{settings.RegistrationMode.Name(): []byte(`"invite"`)}); err != nil {
		t.Fatal(err)
	}
	invited, err := w.Core.Account.Invite(t.Context(), domain.SystemActor(), account.NewInvitation{})
	if err != nil {
		t.Fatal(err)
	}
	h.invitation = invited.ID
	if _, err := w.Roles.Create(t.Context(), domain.SystemActor(), roles.Draft{
		Name: nobodysRole, Description: "Nobody has it", Permissions: []domain.Permission{domain.PermissionEnrol, domain.PermissionLibraryRead},
	}); err != nil {
		t.Fatal(err)
	}
	picture, err := os.Open("../../testkit/demo/posters/detour.jpg")
	if err != nil {
		t.Fatal(err)
	}
	defer picture.Close()
	if _, err := w.Core.Account.SetAvatar(t.Context(), h.bystander.Actor, picture); err != nil {
		t.Fatal(err)
	}
	h.shelve(t, h.open)
	done, err := w.Jobs.List(t.Context(), jobs.Filter{}, domain.PageRequest{Limit: 1})
	if err != nil || len(done.Items) != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	h.job = done.Items[0].ID
	return h
}

// shelve makes libraries of places and waits until all is known that lies there.
func (h *household) shelve(t *testing.T, places ...*place) {
	t.Helper()
	for _, p := range places {
		p.furnish(t, filepath.Join(t.TempDir(), p.word+"shelf"))
		p.library = h.World.Library(t, p.dir, func(d *library.Draft) { d.Open, d.Restricted = p.open, p.restricted })
	}
	for _, p := range places {
		p.learn(t, h.World)
	}
}

// furnish writes a film that says the place's word wherever a film can say something, and the film that lies in every place.
func (p *place) furnish(t *testing.T, dir string) {
	t.Helper()
	p.dir = dir
	fixture := demo.File(t, demo.H264AC3MKV)
	year, rating, spoken, read := 1951, 7.0, "ger", "eng"
	if p.word != "Openlywood" {
		year, rating, spoken, read = 1937, 9.9, "swa", "ice" // which nothing else is in
	}
	folder := filepath.Join(dir, fmt.Sprintf("%sfilm (%d)", p.word, year))
	stem := filepath.Join(folder, fmt.Sprintf("%sfilm (%d)", p.word, year))
	said := func(format string) []byte { return []byte(strings.ReplaceAll(format, "WORD", p.word)) }
	subtitle := said("1\n00:00:01,000 --> 00:00:02,000\nWORDcue\n")
	world.Write(t, stem+"."+read+".WORDsub.srt", subtitle)
	world.Write(t, stem+"."+read+".srt", subtitle)
	world.Write(t, stem+".nfo", fmt.Appendf(nil, string(said("<movie><title>WORDfilm</title><sorttitle>WORDsort</sorttitle><originaltitle>WORDoriginal</originaltitle><plot>WORDplot</plot>"+
		"<tagline>WORDtagline</tagline><outline>WORDoutline</outline><year>%d</year><rating>%.1f</rating><genre>WORDgenre</genre><studio>WORDstudio</studio><country>WORDland</country>"+
		"<set><name>WORDset</name></set><tag>WORDtag</tag><director>WORDdirector</director><credits>WORDwriter</credits><actor><name>WORDactor</name><role>WORDrole</role></actor></movie>")), year, rating))
	poster, err := os.ReadFile("../../testkit/demo/posters/detour.jpg")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"poster", "fanart", "clearlogo"} {
		world.Write(t, filepath.Join(folder, name+".jpg"), append(poster, p.word...)) // other bytes in each place
	}
	inside := filepath.Join(t.TempDir(), "inside")
	world.Write(t, inside+".srt", subtitle)
	world.Write(t, inside+".txt", said(";FFMETADATA1\ntitle=WORDcontainer\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=8000\ntitle=WORDchapter\n"))
	//nolint:gosec // the arguments are this test's own
	muxed, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", fixture, "-i", inside+".srt", "-i", inside+".txt", "-map", "0", "-map", "1", "-map_metadata", "2", "-map_chapters", "2",
		"-c", "copy", "-metadata:s:v:0", "title="+p.word+"video", "-metadata:s:a:0", "title="+p.word+"sound", "-metadata:s:a:1", "language="+spoken, "-metadata:s:s:3", "title="+p.word+"track", stem+".mkv").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, muxed)
	}
	twin := world.Film(t, dir, p.word+"twin (1960)", demo.H264AAC)
	world.Write(t, strings.TrimSuffix(twin, filepath.Ext(twin))+".nfo", said(`<movie><title>WORDtwin</title><year>1960</year><uniqueid type="imdb">tt0099999</uniqueid></movie>`))
}

// learn waits for the scan and finds out the ids of all that is there.
func (p *place) learn(t *testing.T, w *world.World) {
	t.Helper()
	ctx, admin := t.Context(), w.Admin(t).Actor
	p.scan = w.ScanUntilDone(t, p.library.ID)
	only := func(m domain.Movie) domain.File {
		files, err := w.Movies.Files(ctx, admin, m.ID)
		if err != nil || len(files) != 1 || files[0].State != domain.FileReady {
			t.Fatalf("%s has %+v, %v", m.Title, files, err)
		}
		pictures, err := w.Store.Read().Images.ByMovie(ctx, domain.ScopeAll(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		p.pictures = append(p.pictures, pictures...)
		return files[0]
	}
	p.movie, p.twin = w.Movie(t, admin, p.word+"film"), w.Movie(t, admin, p.word+"twin")
	p.file, p.twinFile = only(p.movie), only(p.twin)
	var err error
	if p.library, err = w.Core.Library.Get(ctx, domain.SystemActor(), p.library.ID); err != nil {
		t.Fatal(err)
	}
	if len(p.pictures) < 3 || len(p.file.Media.Subtitles) != 4 || len(p.file.Sidecars) == 0 {
		t.Fatalf("%d pictures, subtitles %+v and %+v", len(p.pictures), p.file.Media.Subtitles, p.file.Sidecars)
	}
	for _, s := range p.file.Media.Subtitles {
		p.subtitles = append(p.subtitles, fmt.Sprintf("e%d", s.Index))
	}
	plan, err := w.Playback.Plan(ctx, admin, p.movie.ID, playback.Request{Capabilities: chromium})
	if err != nil || plan.Selected == nil {
		t.Fatalf("%+v, %v", plan, err)
	}
	for _, s := range plan.Selected.Parts[0].Subtitles {
		if !slices.Contains(p.subtitles, s.ID) {
			p.subtitles = append(p.subtitles, s.ID)
		}
	}
	p.secret = []string{p.word}
	for _, id := range p.ids() {
		p.secret = append(p.secret, id.String())
	}
	for _, i := range p.pictures {
		p.secret = append(p.secret, i.Hash)
	}
}

// gather makes the accounts and grants members and formers access to everything.
func (h *household) gather(t *testing.T) {
	t.Helper()
	names, err := h.World.Access.Roles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range names {
		if role == nobodysRole {
			continue
		}
		standings := []standing{stranger, member, former}
		if !role.IsDefault() {
			standings = standings[:1]
		}
		for _, s := range standings {
			p := &person{name: string(s) + " " + string(role), role: role, standing: s, account: h.World.Account(t, string(role)+"."+string(s)+".zaphod", role), may: map[domain.Permission]bool{}}
			permissions, err := h.World.Access.Permissions(t.Context(), p.account.Actor)
			if err != nil {
				t.Fatal(err)
			}
			for _, permission := range permissions {
				p.may[permission] = true
			}
			p.clients = []world.Client{h.Bearer(p.account.Tokens.AccessToken), h.Browser(p.account)}
			h.people = append(h.people, p)
			h.foreign[p] = []string{p.account.User.Username, p.account.User.ID.String(), p.account.Session.ID.String()}
			if s == stranger {
				continue
			}
			for _, at := range h.places() {
				if err := h.World.Core.Library.Grant(t.Context(), domain.SystemActor(), at.library.ID, p.account.User.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// handOutKeys makes API keys: one that only reads, one that has everything that its owner may give away, of a user and of an administrator.
func (h *household) handOutKeys(t *testing.T) {
	t.Helper()
	for _, owner := range []*person{h.who(t, domain.RoleUser, member), h.who(t, domain.RoleAdmin, stranger)} {
		var all []domain.Permission
		for p := range owner.may {
			if p.Delegable() {
				all = append(all, p)
			}
		}
		for name, scope := range map[string][]domain.Permission{"read": {domain.PermissionLibraryRead}, "all": all} {
			_, key := h.World.APIKey(t, owner.account, scope...)
			p := &person{
				name: fmt.Sprintf("a key of a %s with %s scopes", owner.name, name), role: owner.role, standing: owner.standing, account: owner.account, viaKey: true,
				may: map[domain.Permission]bool{}, clients: []world.Client{h.Key(key)},
			}
			for _, permission := range scope {
				p.may[permission] = true
			}
			h.keys = append(h.keys, p)
		}
	}
}

// everybody is the people, by their sessions and by their keys.
func (h *household) everybody() []*person { return slices.Concat(h.people, h.keys) }

// position is how far the n-th account watches.
func position(n int) float64 { return 5 + float64(n)/8 }

// watch lets everybody who keeps a history play what they see, and then takes the formers off the lists.
func (h *household) watch(t *testing.T) {
	t.Helper()
	w, ctx := h.World, t.Context()
	for n, p := range h.people {
		if !p.may[domain.PermissionHistory] {
			continue // guests leave nothing behind
		}
		for _, at := range h.places() {
			for _, film := range []struct {
				movie domain.Movie
				file  domain.File
			}{{at.movie, at.file}, {at.twin, at.twinFile}} {
				_, err := w.Movies.Report(ctx, p.account.Actor, film.movie.ID, movie.Report{Position: position(n), Duration: 16, FileID: &film.file.ID})
				if err != nil && !fault.IsNotFound(err) {
					t.Fatal(err)
				}
			}
		}
	}
	for _, p := range h.people {
		if p.standing != former {
			continue
		}
		for _, at := range h.places() {
			if err := w.Core.Library.Ungrant(ctx, domain.SystemActor(), at.library.ID, p.account.User.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	world.Until(t, "everybody sees what they shall", func() bool {
		for _, p := range h.people {
			if !p.may[domain.PermissionLibraryRead] {
				continue
			}
			scope, err := w.Access.Scope(ctx, p.account.Actor)
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range h.places() {
				if scope.Sees(at.library.ID) != p.sees(at) {
					return false
				}
			}
		}
		return true
	})
}

// secrets are what an answer to somebody must not say.
func (h *household) secrets(p *person) (list []string) {
	for _, at := range append(h.places(), h.spare) {
		if !p.sees(at) {
			list = append(list, at.secret...)
		}
	}
	if p.role != domain.RoleAdmin {
		for other, words := range h.foreign {
			if other.account.User.ID != p.account.User.ID {
				list = append(list, words...)
			}
		}
	}
	return list
}

// hides fails the test where an answer says what the asker must not hear, in headers or body, also inside base64. What the question itself says is no secret.
func (h *household) hides(t *testing.T, p *person, question string, r world.Response) {
	t.Helper()
	answer := bytes.ToLower(append(append(fmt.Appendln(nil, r.Header), r.Body...), decoded(r)...))
	for _, word := range h.secrets(p) {
		if bytes.Contains(answer, []byte(strings.ToLower(word))) && !strings.Contains(question, word) {
			at := max(0, bytes.Index(bytes.ToLower(r.Body), []byte(strings.ToLower(word)))-100)
			t.Errorf("%s → %s: %d speaks of %q: …%.300q", p.name, question, r.Status, word, r.Body[at:])
		}
	}
}
