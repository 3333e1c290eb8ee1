package playback_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/cmaf"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/demo"
)

func count(playlist string) int { return strings.Count(playlist, "#EXTINF") }

// video and audio return a whole track: initialisation segment and all segments.
func (c *cinema) video(actor domain.Actor, f domain.File) []byte {
	c.t.Helper()
	track := f.Media.Video[0].Index
	list, err := c.service.VideoPlaylist(c.t.Context(), actor, f.ID, f.Revision, track, "")
	if err != nil {
		c.t.Fatal(err)
	}
	var all bytes.Buffer
	for n := playback.InitSegment; n < count(list); n++ {
		if err := c.service.VideoSegment(c.t.Context(), actor, f.ID, f.Revision, track, n, &all); err != nil {
			c.t.Fatalf("segment %d: %v", n, err)
		}
	}
	return all.Bytes()
}

func (c *cinema) audio(actor domain.Actor, f domain.File, track int, method string) []byte {
	c.t.Helper()
	list, err := c.service.AudioPlaylist(c.t.Context(), actor, f.ID, f.Revision, track, "")
	if err != nil {
		c.t.Fatal(err)
	}
	var all bytes.Buffer
	for n := playback.InitSegment; n < count(list); n++ {
		if err := c.service.AudioSegment(c.t.Context(), actor, f.ID, f.Revision, track, method, n, &all); err != nil {
			c.t.Fatalf("segment %d: %v", n, err)
		}
	}
	return all.Bytes()
}

// packets lists the times and sizes that ffprobe finds, "pts size".
func packets(t *testing.T, path, stream string) []string {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", stream, "-show_entries", "packet=pts_time,size", "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sound decodes a file's first sound track to stereo samples.
func sound(t *testing.T, path string) []float64 {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-v", "error", "-i", path, "-map", "0:a:0", "-f", "s16le", "-ac", "2", "-ar", "48000", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	samples := make([]float64, len(out)/2)
	for i := range samples {
		samples[i] = float64(int16(binary.LittleEndian.Uint16(out[2*i:])))
	}
	return samples
}

func TestAFilmIsPlayedAsItIs(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u := c.viewer("u")
	id, files := c.film("Plain", demo.H264AAC)
	f := files[0]
	plan := c.plan(u, id)
	part := plan.Selected.Parts[0]
	if plan.Versions[0].Method != playback.MethodDirect || part.URL != "/api/v1/stream/"+f.ID.String()+"/"+f.Revision+"/direct" || part.MIME != "video/mp4" || len(part.Chapters) != 4 || *plan.Selected.AudioTrack != f.Media.Audio[0].Index {
		t.Errorf("plan %+v", plan)
	}
	content, err := c.service.Direct(t.Context(), u, f.ID, f.Revision)
	if err != nil {
		t.Fatal(err)
	}
	defer content.File.Close()
	got, err := io.ReadAll(content.File)
	want, _ := os.ReadFile(filepath.Join(c.dir, f.Path))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
	}

	if err := content.StillAllowed(t.Context()); err != nil {
		t.Errorf("while the session lives: %v", err)
	}
	c.end(u.SessionID)
	c.pass(2 * time.Second)
	if err := content.StillAllowed(t.Context()); err == nil || fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("after the session ended: %v", err)
	}
}

func TestSegmentsHoldEveryPacketOnce(t *testing.T) {
	t.Parallel()
	for _, fixture := range []demo.Fixture{demo.H264MKV, demo.MPEGTS} {
		t.Run(fixture.Name(), func(t *testing.T) {
			t.Parallel()
			c := newCinema(t)
			u := c.viewer("u")
			id, files := c.film("Film", fixture)
			f := files[0]
			plan := c.plan(u, id)
			if plan.Versions[0].Method != playback.MethodRemux {
				t.Fatalf("plan %+v", plan.Versions)
			}
			master, err := c.service.Master(t.Context(), u, f.ID, f.Revision, playback.MasterRequest{Audio: fmt.Sprintf("%d-copy", f.Media.Audio[0].Index), Query: "token=t"})
			if err != nil || !strings.Contains(master, fmt.Sprintf("video/%d/index.m3u8?token=t", f.Media.Video[0].Index)) {
				t.Errorf("master %s, %v", master, err)
			}
			source := filepath.Join(c.dir, f.Path)
			if got, want := len(packets(t, write(t, "v.mp4", c.video(u, f)), "v")), len(packets(t, source, "v")); got != want || got == 0 {
				t.Errorf("%d picture packets of %d", got, want)
			}
			if got, want := len(packets(t, write(t, "a.mp4", c.audio(u, f, f.Media.Audio[0].Index, playback.StreamCopy)), "a")), len(packets(t, source, "a")); got != want || got == 0 {
				t.Errorf("%d sound packets of %d", got, want)
			}
		})
	}
}

// The whole way of encoded sound: source packets of a stretch, encoded on the grid, packaged. Its segments together must be what one pass
// over the film makes.
func TestEncodedSegmentsJoinAsOnePass(t *testing.T) {
	t.Parallel()
	for _, fixture := range []demo.Fixture{demo.H264AC3MKV, demo.H264DTSMKV} {
		t.Run(fixture.Name(), func(t *testing.T) {
			t.Parallel()
			c := newCinema(t)
			u := c.viewer("u")
			id, files := c.film("Film", fixture)
			f := files[0]
			track := f.Media.Audio[0].Index
			if plan := c.plan(u, id); plan.Versions[0].Method != playback.MethodAudioEncode {
				t.Fatalf("plan %+v", plan.Versions)
			}
			joined := write(t, "joined.mp4", c.audio(u, f, track, playback.StreamAAC))

			file, err := os.Open(filepath.Join(c.dir, f.Path))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			in, packager := media.Input{Path: file.Name(), Reader: file, Size: f.Size}, cmaf.New(cmaf.Config{})
			_, index, err := packager.Index(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			timeline, err := packager.Timeline(index)
			if err != nil {
				t.Fatal(err)
			}
			last := timeline.Segments[len(timeline.Segments)-1]
			grid := int(math.Ceil((last.Start+last.Duration)*48000/1024 - 1e-6))
			var stream, adts, whole bytes.Buffer
			stretch, err := packager.Elementary(t.Context(), in, index, track, 0, 1e9, &stream)
			if err != nil {
				t.Fatal(err)
			}
			format := media.AACFormat{SampleRate: 48000, Channels: 2, Language: "eng"}
			if err := c.encoder.EncodeAudio(t.Context(), media.EncodeAudio{Source: &stream, Stretch: stretch, Format: format, Packets: grid}, &adts); err != nil {
				t.Fatal(err)
			}
			if err := packager.PackageAAC(format, nil, 0, 0, &whole); err != nil {
				t.Fatal(err)
			}
			if err := packager.PackageAAC(format, adts.Bytes(), 0, 1, &whole); err != nil {
				t.Fatal(err)
			}
			once := write(t, "once.mp4", whole.Bytes())

			a, b := packets(t, joined, "a"), packets(t, once, "a")
			if len(a) != len(b) || len(a) < grid-3 || len(a) > grid {
				t.Fatalf("%d packets joined, %d in one pass, %d on the grid", len(a), len(b), grid)
			}
			for i := range a {
				at, _, _ := strings.Cut(a[i], ",")
				if want, _, _ := strings.Cut(b[i], ","); at != want {
					t.Fatalf("packet %d is at %s, in one pass at %s", i, at, want)
				}
			}
			x, y := sound(t, joined), sound(t, once)
			if len(x) != len(y) {
				t.Fatalf("%d samples joined, %d in one pass", len(x), len(y))
			}
			difference, energy := 0.0, 0.0
			for i := range x {
				difference += (x[i] - y[i]) * (x[i] - y[i])
				energy += y[i] * y[i]
			}
			if energy == 0 || difference > energy/1000 { // 30 dB
				t.Errorf("the joined sound differs from one pass by %.1f dB of its energy", 10*math.Log10(difference/energy))
			}
		})
	}
}

func TestPartsLieOnOneAxis(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u := c.viewer("u")
	id, files := c.film("Epic", demo.H264AAC, demo.H264MKV)
	plan := c.plan(u, id)
	parts := plan.Selected.Parts
	if len(parts) != 2 || parts[0].Start != 0 || math.Abs(parts[1].Start-files[0].Media.Duration) > 1e-9 || math.Abs(plan.Duration-files[0].Media.Duration-files[1].Media.Duration) > 1e-9 ||
		parts[0].Method != playback.MethodDirect || parts[1].Method != playback.MethodRemux || plan.Versions[0].Method != playback.MethodRemux {
		t.Errorf("plan %+v", plan)
	}
	if same := c.plan(u, id, func(r *playback.Request) { r.Part = &files[1].ID }); same.Selected.Key != plan.Selected.Key {
		t.Errorf("by a part: %+v", same.Selected)
	}
	stranger := domain.NewID()
	for name, r := range map[string]playback.Request{"version": {Version: "none"}, "part": {Part: &stranger}} {
		if _, err := c.service.Plan(t.Context(), u, id, r); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("an unknown %s: %v", name, err)
		}
	}
}

func TestSubtitlesAreServedAsText(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u := c.viewer("u", domain.Preferences{SubtitleMode: "on", SubtitleLanguage: "fre", UpdatedAt: time.Now()})
	id, files := c.film("Film", demo.TextSubtitlesMKV)
	f := files[0]
	if err := os.WriteFile(filepath.Join(c.dir, "Film", "film.fr.srt"), []byte("1\n00:00:01,000 --> 00:00:02,000\nBonjour <b>à tous</b>\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.Sidecars = []domain.Sidecar{{Raw: []byte("Film/film.fr.srt"), Name: "film.fr.srt", Language: "fr", Format: "srt", Size: 60}}
	c.update(func(ctx context.Context, tx store.Tx) error { return tx.Files.Update(ctx, f) })
	plan := c.plan(u, id)
	subtitles := plan.Selected.Parts[0].Subtitles
	if len(subtitles) != 3 || !subtitles[0].Selected || subtitles[0].Language != "fre" || plan.Selected.Subtitle != subtitles[0].ID || !strings.HasSuffix(subtitles[1].URL, "/subtitles/"+subtitles[1].ID+".vtt") {
		t.Fatalf("subtitles %+v", subtitles)
	}
	for i, s := range subtitles {
		for range 2 { // made, then cached
			text, err := c.service.Subtitle(t.Context(), u, f.ID, f.Revision, s.ID)
			if err != nil || !strings.HasPrefix(text, "WEBVTT\n\n00:00:0") || strings.Contains(text, "<") || i == 0 && !strings.Contains(text, "\nBonjour à tous\n") {
				t.Errorf("%s: %q, %v", s.ID, text, err)
			}
		}
	}
	if _, err := c.service.Subtitle(t.Context(), u, f.ID, f.Revision, "e99"); !fault.IsNotFound(err) {
		t.Errorf("an unknown subtitle: %v", err)
	}
}

func TestEveryStreamAsksWhoMaySeeIt(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u, blind := c.viewer("u"), c.viewer("blind")
	c.blind[blind.UserID] = true
	id, files := c.film("Film", demo.H264AC3MKV)
	f, ctx := files[0], t.Context()
	track := f.Media.Audio[0].Index
	streams := func(actor domain.Actor, file domain.ID, revision string) map[string]error {
		_, direct := c.service.Direct(ctx, actor, file, revision)
		_, master := c.service.Master(ctx, actor, file, revision, playback.MasterRequest{})
		_, list := c.service.VideoPlaylist(ctx, actor, file, revision, 0, "")
		_, audioList := c.service.AudioPlaylist(ctx, actor, file, revision, track, "")
		_, subtitle := c.service.Subtitle(ctx, actor, file, revision, fmt.Sprintf("e%d", f.Media.Subtitles[0].Index))
		return map[string]error{
			"direct": direct, "master": master, "playlist": list, "sound playlist": audioList, "subtitle": subtitle,
			"segment":         c.service.VideoSegment(ctx, actor, file, revision, 0, 0, io.Discard),
			"sound segment":   c.service.AudioSegment(ctx, actor, file, revision, track, playback.StreamCopy, 0, io.Discard),
			"encoded segment": c.service.AudioSegment(ctx, actor, file, revision, track, playback.StreamAAC, 0, io.Discard),
		}
	}
	for name, err := range streams(u, f.ID, f.Revision) {
		if err != nil {
			t.Errorf("%s for who may see it: %v", name, err)
		}
	}
	for who, errs := range map[string]map[string]error{
		"out of scope": streams(blind, f.ID, f.Revision), "another revision": streams(u, f.ID, "ffff"), "another file": streams(u, domain.NewID(), f.Revision),
	} {
		for name, err := range errs {
			if !fault.IsNotFound(err) {
				t.Errorf("%s, %s: %v", who, name, err)
			}
		}
	}
	for name, err := range streams(domain.Actor{}, f.ID, f.Revision) {
		if err == nil || fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("nobody, %s: %v", name, err)
		}
	}
	if _, err := c.service.Plan(ctx, blind, id, playback.Request{Capabilities: browser}); !fault.IsNotFound(err) {
		t.Errorf("plan out of scope: %v", err)
	}
	for name, err := range map[string]error{
		"segment": c.service.VideoSegment(ctx, u, f.ID, f.Revision, 0, 999, io.Discard), "track": c.service.VideoSegment(ctx, u, f.ID, f.Revision, 77, 0, io.Discard),
		"encoded segment": c.service.AudioSegment(ctx, u, f.ID, f.Revision, track, playback.StreamAAC, 999, io.Discard),
	} {
		if !fault.IsNotFound(err) {
			t.Errorf("a %s that there is not: %v", name, err)
		}
	}
	if err := os.Truncate(filepath.Join(c.dir, f.Path), f.Size-1); err != nil {
		t.Fatal(err)
	}
	if err := c.service.VideoSegment(ctx, u, f.ID, f.Revision, 0, 0, io.Discard); fault.CodeOf(err) != "playback.stale" {
		t.Errorf("a file that changed: %v", err)
	}
}

func TestWithoutFFmpegWhatNeedsItSaysSo(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u := c.viewer("u")
	encoded, _ := c.film("Encoded", demo.H264AC3MKV)
	transport, files := c.film("Transport", demo.MPEGTS)
	plain, _ := c.film("Plain", demo.H264MKV)
	c.encoder.missing.Store(true)
	for _, id := range []domain.ID{encoded, transport} {
		plan := c.plan(u, id)
		reasons := plan.Versions[0].Reasons
		if plan.Selected != nil || reasons[len(reasons)-1].Code != playback.ReasonToolMissing {
			t.Errorf("%s: %+v", plan.Title, plan.Versions)
		}
	}
	if plan := c.plan(u, plain); plan.Selected == nil {
		t.Errorf("a film that needs no ffmpeg: %+v", plan.Versions)
	}
	if _, err := c.service.Master(t.Context(), u, files[0].ID, files[0].Revision, playback.MasterRequest{}); fault.CodeOf(err) != media.CodeToolMissing {
		t.Errorf("master of a transport stream: %v", err)
	}
}
