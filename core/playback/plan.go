package playback

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	activitylog "github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/language"
)

// Request asks how to play a film.
type Request struct {
	Capabilities Capabilities
	// Version chooses one by its key; "" leaves it to the server.
	Version string
	// Part chooses the version, or the extra, that this file belongs to.
	Part *domain.ID
	// URLToken puts a play session's token into the addresses, for players that send neither cookie nor header.
	URLToken bool
	// Base is the address below which the host serves streams, "/api/v1/stream".
	Base string
}

// Plan is how a film will be played. Times are seconds on the whole film's axis.
type Plan struct {
	MovieID  domain.ID `json:"movieId"`
	Title    string    `json:"title"`
	Duration float64   `json:"duration"`
	// Position is where the actor left off.
	Position float64       `json:"position"`
	Versions []VersionPlan `json:"versions"`
	// Selected is absent when nothing of the film can be played; the versions say why.
	Selected *Selected `json:"selected,omitempty"`
}

// VersionPlan is one version with how it would be played, and why so.
type VersionPlan struct {
	Key      string      `json:"key"`
	Label    string      `json:"label"`
	Method   Method      `json:"method" enum:"direct,remux,audio-encode,unplayable"`
	Reasons  []Reason    `json:"reasons"`
	Size     int64       `json:"size"`
	Duration float64     `json:"duration"`
	Parts    []domain.ID `json:"parts"`
}

// Selected is the version that plays.
type Selected struct {
	Key   string     `json:"key"`
	Parts []PartPlan `json:"parts"`
	// AudioTrack is the index of the sound track that the first part begins with.
	AudioTrack *int `json:"audioTrack,omitempty"`
	// Subtitle is the id of the subtitle that it begins with.
	Subtitle string `json:"subtitle,omitempty"`
}

// PartPlan is one file of the version. Start is where it begins on the film's axis; its own media begins at 0.
type PartPlan struct {
	FileID    domain.ID      `json:"fileId"`
	Start     float64        `json:"start"`
	Duration  float64        `json:"duration"`
	Method    Method         `json:"method" enum:"direct,remux,audio-encode,unplayable"`
	Reasons   []Reason       `json:"reasons"`
	URL       string         `json:"url,omitempty"`
	MIME      string         `json:"mime,omitempty"`
	Audio     []AudioPlan    `json:"audio"`
	Subtitles []SubtitlePlan `json:"subtitles"`
	// Chapters are on the part's own axis.
	Chapters []domain.Chapter `json:"chapters"`
}

// AudioPlan is one sound track.
type AudioPlan struct {
	Index    int    `json:"index"`
	Language string `json:"language,omitempty"`
	Title    string `json:"title,omitempty"`
	Channels int    `json:"channels"`
	Codec    string `json:"codec"`
	Method   string `json:"method" enum:"copy,encode,unplayable"`
	// Reason says why it is not copied.
	Reason   string `json:"reason,omitempty"`
	Default  bool   `json:"default"`
	Selected bool   `json:"selected"`
	// Name is the track's NAME in the HLS playlist, different for every track.
	Name string `json:"name"`
}

// SubtitlePlan is one subtitle, embedded or beside the film.
type SubtitlePlan struct {
	ID              string `json:"id"`
	Language        string `json:"language,omitempty"`
	Title           string `json:"title,omitempty"`
	Forced          bool   `json:"forced"`
	Default         bool   `json:"default"`
	HearingImpaired bool   `json:"hearingImpaired"`
	Format          string `json:"format"`
	// URL serves it as WebVTT; absent for pictures.
	URL      string `json:"url,omitempty"`
	Selected bool   `json:"selected"`
	Text     bool   `json:"text"`
	// Reason says why it cannot be shown.
	Reason string `json:"reason,omitempty"`
}

// encodedAudio is what sound is encoded to: the same for every player, so that segments are shared.
const (
	encodedRate     = 48000
	encodedChannels = 2
	encodedCodec    = "mp4a.40.2"
)

// Plan decides how a film reaches a player: for every version whether and why, for the chosen one all addresses.
func (s *Service) Plan(ctx context.Context, actor domain.Actor, movie domain.ID, r Request) (Plan, error) {
	scope, err := s.reader(ctx, actor)
	if err != nil {
		return Plan{}, err
	}
	m, err := s.Store.Read().Movies.Get(ctx, scope, actor.UserID, movie)
	if err != nil {
		return Plan{}, err
	}
	files, err := s.Store.Read().Files.ByMovie(ctx, scope, movie)
	if err != nil {
		return Plan{}, err
	}
	prefs, err := s.preferences(ctx, actor)
	if err != nil {
		return Plan{}, err
	}
	versions := versionsOf(files)
	if extra, ok := extraOf(files, r.Part); ok {
		versions = []version{extra}
	}
	tools := s.hasTools(ctx)
	plan := Plan{MovieID: m.ID, Title: m.Title, Duration: m.Runtime, Versions: []VersionPlan{}}
	for _, v := range versions {
		plan.Versions = append(plan.Versions, describe(v, r.Capabilities, prefs, tools))
	}
	chosen, err := choosePlan(versions, plan.Versions, r)
	if err != nil || chosen < 0 {
		return plan, err
	}
	if plan.Versions[chosen].Duration > 0 {
		plan.Duration = plan.Versions[chosen].Duration
	}
	if m.State != nil && versions[chosen].files[0].Kind == domain.KindMovie {
		plan.Position = m.State.Position
	}
	if plan.Versions[chosen].Method == MethodUnplayable {
		return plan, nil
	}
	query := ""
	if r.URLToken {
		token, err := s.issueToken(ctx, actor, m.ID)
		if err != nil {
			return plan, err
		}
		query = "token=" + token
	}
	plan.Selected = choosing{caps: r.Capabilities, prefs: prefs, tools: tools, base: r.Base, query: query}.selected(versions[chosen])
	s.Deps.Activity.Note(ctx, actor, domain.Activity{
		Action: domain.ActivityPlaybackStarted, ResourceType: "movie", ResourceID: m.ID.String(), ResourceName: m.Title, Success: true,
		Details: map[string]string{activitylog.DetailLibrary: m.LibraryID.String(), "method": string(plan.Versions[chosen].Method)},
	})
	return plan, nil
}

func (s *Service) preferences(ctx context.Context, actor domain.Actor) (domain.Preferences, error) {
	if actor.System {
		return domain.Preferences{SubtitleMode: "auto"}, nil
	}
	return s.Store.Read().Users.Preferences(ctx, actor.UserID)
}

// extraOf is the extra that was asked for, as a version of its own.
func extraOf(files []domain.File, part *domain.ID) (version, bool) {
	for _, f := range files {
		if part != nil && f.ID == *part && f.Kind == domain.KindExtra {
			return version{key: f.ID.String(), label: f.Title, files: []domain.File{f}}, true
		}
	}
	return version{}, false
}

// describe adds the decisions on a version's parts up: it is played by the method of its most difficult part.
func describe(v version, c Capabilities, prefs domain.Preferences, tools bool) VersionPlan {
	p := VersionPlan{Key: v.key, Label: v.label, Method: MethodDirect, Reasons: []Reason{}, Parts: []domain.ID{}}
	for _, f := range v.files {
		d := decidePart(f, c, prefs, tools)
		if d.Method.rank() > p.Method.rank() {
			p.Method = d.Method
		}
		for _, r := range d.Reasons {
			if !slices.ContainsFunc(p.Reasons, func(had Reason) bool { return had.Code == r.Code && had.Message == r.Message }) {
				p.Reasons = append(p.Reasons, r)
			}
		}
		p.Size += f.Size
		if f.Media != nil {
			p.Duration += f.Media.Duration
		}
		p.Parts = append(p.Parts, f.ID)
	}
	return p
}

func decidePart(f domain.File, c Capabilities, prefs domain.Preferences, tools bool) Decision {
	chosen := -1
	if f.Media != nil {
		chosen = chooseAudio(f.Media.Audio, prefs)
	}
	d := Decide(f, c, chosen, tools)
	if d.Method != MethodUnplayable || chosen < 0 {
		return d
	}
	// Where the preferred sound cannot be played, another one of the same film is better than none.
	for _, a := range d.Audio {
		if a.Method != AudioUnplayable && a.Track.Index != chosen {
			if other := Decide(f, c, a.Track.Index, tools); other.Method != MethodUnplayable {
				return other
			}
		}
	}
	return d
}

// choosePlan returns the position of the version that was asked for, else of the best one that plays, else -1.
func choosePlan(versions []version, plans []VersionPlan, r Request) (int, error) {
	for i, p := range plans {
		if r.Version != "" && p.Key == r.Version || r.Version == "" && r.Part != nil && slices.Contains(p.Parts, *r.Part) {
			return i, nil
		}
	}
	if r.Version != "" {
		return -1, fault.InvalidField("playback.unknown_version", "version", "The film has no such version.")
	}
	if r.Part != nil {
		return -1, fault.InvalidField("playback.unknown_part", "part", "This file does not belong to the film.")
	}
	best := -1
	for i, p := range plans {
		if p.Method == MethodUnplayable {
			continue
		}
		if best < 0 || better(p, plans[best], versions[i], versions[best]) < 0 {
			best = i
		}
	}
	return best, nil
}

// choosing builds the addresses of a version.
type choosing struct {
	caps  Capabilities
	prefs domain.Preferences
	tools bool
	base  string
	query string // "token=…" or ""
}

func (c choosing) selected(v version) *Selected {
	selected := &Selected{Key: v.key, Parts: []PartPlan{}}
	start := 0.0
	for i, f := range v.files {
		part, subtitle := c.part(f)
		part.Start = start
		start += part.Duration
		if i == 0 {
			for _, a := range part.Audio {
				if a.Selected {
					index := a.Index
					selected.AudioTrack = &index
				}
			}
			selected.Subtitle = subtitle
		}
		selected.Parts = append(selected.Parts, part)
	}
	return selected
}

// part plans one file, and returns the id of the subtitle that it begins with.
func (c choosing) part(f domain.File) (PartPlan, string) {
	d := decidePart(f, c.caps, c.prefs, c.tools)
	p := PartPlan{FileID: f.ID, Method: d.Method, Reasons: d.Reasons, Audio: []AudioPlan{}, Subtitles: []SubtitlePlan{}, Chapters: []domain.Chapter{}}
	if p.Reasons == nil {
		p.Reasons = []Reason{}
	}
	if f.Media == nil {
		return p, ""
	}
	p.Duration = f.Media.Duration
	p.Chapters = append(p.Chapters, f.Media.Chapters...)
	chosen := c.chosenAudio(f, d)
	heard := ""
	names := map[string]bool{}
	for _, a := range d.Audio {
		plan := AudioPlan{
			Index: a.Track.Index, Language: a.Track.Language, Title: a.Track.Title, Channels: a.Track.Channels, Codec: a.Track.Codec, Method: a.Method,
			Default: a.Track.Default, Selected: a.Track.Index == chosen, Name: trackName(a.Track, names),
		}
		if a.Reason != nil {
			plan.Reason = a.Reason.Message
		}
		if plan.Selected {
			heard = a.Track.Language
		}
		p.Audio = append(p.Audio, plan)
	}
	subtitle := c.subtitles(&p, f, heard)
	place := c.base + "/" + f.ID.String() + "/" + f.Revision
	switch p.Method {
	case MethodDirect:
		p.URL, p.MIME = c.with(place+"/direct", ""), mimeOf(f.Media.Container)
	case MethodRemux, MethodAudioEncode:
		p.URL, p.MIME = c.with(place+"/master.m3u8", audioQuery(p.Audio)), "application/vnd.apple.mpegurl"
	}
	return p, subtitle
}

// chosenAudio is the sound track that the decision is about.
func (c choosing) chosenAudio(f domain.File, d Decision) int {
	chosen := chooseAudio(f.Media.Audio, c.prefs)
	for _, a := range d.Audio {
		if a.Track.Index == chosen && a.Method != AudioUnplayable {
			return chosen
		}
	}
	if d.Method == MethodDirect {
		return chosen
	}
	for _, a := range d.Audio {
		if a.Method != AudioUnplayable {
			return a.Track.Index
		}
	}
	return -1
}

func (c choosing) with(address, query string) string {
	all := strings.Trim(query+"&"+c.query, "&")
	if all == "" {
		return address
	}
	return address + "?" + all
}

// audioQuery tells the master playlist which tracks to offer and how: "audio=1-copy.2-aac&selected=1". So it stays a pure function of its address.
func audioQuery(tracks []AudioPlan) string {
	var parts []string
	selected := ""
	for _, a := range tracks {
		switch a.Method {
		case AudioCopy:
			parts = append(parts, strconv.Itoa(a.Index)+"-copy")
		case AudioEncode:
			parts = append(parts, strconv.Itoa(a.Index)+"-aac")
		default:
			continue
		}
		if a.Selected {
			selected = "&selected=" + strconv.Itoa(a.Index)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "audio=" + url.QueryEscape(strings.Join(parts, ".")) + selected
}

// trackName is a name for people that no other track of the file has.
func trackName(a domain.Audio, taken map[string]bool) string {
	name := cmp.Or(a.Title, language.Name(a.Language), strings.ToUpper(a.Language), "Track "+strconv.Itoa(a.Index))
	if taken[name] {
		if l := language.Name(a.Language); l != "" && !strings.Contains(name, l) {
			name += " (" + l + ")"
		}
	}
	for base, n := name, 2; taken[name]; n++ {
		name = fmt.Sprintf("%s %d", base, n)
	}
	taken[name] = true
	return name
}

// sidecarID names a subtitle file by its own name, so that it stays the same while others come and go.
func sidecarID(s domain.Sidecar) string {
	sum := sha256.Sum256(s.Raw)
	return "s" + hex.EncodeToString(sum[:6])
}

func embeddedID(index int) string { return "e" + strconv.Itoa(index) }

// subtitles adds all subtitles of a file and returns the id of the one to begin with.
func (c choosing) subtitles(p *PartPlan, f domain.File, heard string) string {
	var offered []subtitle
	add := func(plan SubtitlePlan) {
		if plan.Text {
			plan.URL = c.with(c.base+"/"+f.ID.String()+"/"+f.Revision+"/subtitles/"+plan.ID+".vtt", "")
		} else {
			plan.Reason = "subtitles that are pictures cannot be shown yet"
		}
		p.Subtitles = append(p.Subtitles, plan)
		offered = append(offered, subtitle{plan.ID, plan.Language, plan.Forced, plan.Default, plan.HearingImpaired, plan.Text})
	}
	// Embedded text is read from a container that segments are made of: the file itself, or its repackaged copy.
	readable := f.Media.Indexed || p.Method == MethodRemux || p.Method == MethodAudioEncode
	for _, s := range f.Sidecars {
		add(SubtitlePlan{ID: sidecarID(s), Language: language.Code(s.Language), Title: s.Title, Forced: s.Forced, Default: s.Default,
			HearingImpaired: s.HearingImpaired, Format: s.Format, Text: true})
	}
	for _, s := range f.Media.Subtitles {
		add(SubtitlePlan{ID: embeddedID(s.Index), Language: s.Language, Title: s.Title, Forced: s.Forced, Default: s.Default,
			HearingImpaired: s.HearingImpaired, Format: s.Codec, Text: s.Text && readable})
	}
	i := chooseSubtitle(offered, c.prefs, heard)
	if i < 0 {
		return ""
	}
	p.Subtitles[i].Selected = true
	return p.Subtitles[i].ID
}

func mimeOf(container string) string {
	switch container {
	case "mp4", "mov":
		return "video/mp4"
	case "webm":
		return "video/webm"
	case "matroska":
		return "video/x-matroska"
	case "mpegts":
		return "video/mp2t"
	case "avi":
		return "video/x-msvideo"
	}
	return "application/octet-stream"
}
