package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A Fixture is one small film with a known shape: 16 s of ffmpeg's test picture at 320x180 and 24 frames a second,
// a keyframe every 2 s, and a tone with a tick each second. Unless its comment says otherwise it has one English
// stereo AAC track at 48 kHz.
type Fixture struct{ recipe recipe }

// Name is the fixture's file name.
func (f Fixture) Name() string { return f.recipe.name }

// Encoders, as arguments to ffmpeg.
var (
	// The threads of an encoder do not change what these short films show, but their number must not change the bytes.
	h264      = []string{"-c:v", "libx264", "-preset", "veryfast", "-crf", "30", "-bf", "2", "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-threads", "2"}
	hevc      = []string{"-c:v", "libx265", "-preset", "ultrafast", "-crf", "32", "-pix_fmt", "yuv420p", "-x265-params", "log-level=error:open-gop=0:scenecut=0:pools=2"}
	hevcHDR10 = []string{"-c:v", "libx265", "-preset", "ultrafast", "-crf", "32", "-pix_fmt", "yuv420p10le",
		"-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc",
		"-x265-params", "log-level=error:open-gop=0:scenecut=0:pools=2:hdr10=1:repeat-headers=1:" +
			"colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:" +
			"master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"}
	vp9 = []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-row-mt", "1", "-crf", "40", "-b:v", "0", "-pix_fmt", "yuv420p", "-threads", "2"}

	aac    = []string{"-c:a", "aac", "-b:a", "64k"}
	ac3    = []string{"-c:a", "ac3", "-b:a", "192k"}
	eac3   = []string{"-c:a", "eac3", "-b:a", "192k"}
	dts    = []string{"-c:a", "dca", "-strict", "-2", "-b:a", "768k"}
	trueHD = []string{"-c:a", "truehd", "-strict", "-2"}
	flac   = []string{"-c:a", "flac", "-sample_fmt:a", "s16"}
	opus   = []string{"-c:a", "libopus", "-b:a", "64k"}
	mp3    = []string{"-c:a", "libmp3lame", "-b:a", "96k"}
)

func english(codec []string) []sound {
	return []sound{{language: "eng", title: "English", codec: codec}}
}

func surround(codec []string) []sound {
	return []sound{{language: "eng", title: "English 5.1", codec: codec, surround: true}}
}

// fullMatroska is what a ripped disc looks like: surround sound, a dubbed track, three subtitle tracks, chapters.
var fullMatroska = recipe{
	video: h264, chapters: true,
	audio: []sound{
		{language: "eng", title: "English 5.1", codec: ac3, surround: true},
		{language: "deu", title: "Deutsch", codec: ac3, interval: 7},
	},
	subtitles: []subtitle{
		{language: "eng", title: "English", codec: "srt", isDefault: true},
		{language: "deu", title: "Deutsch", codec: "srt"},
		{language: "eng", title: "English (forced)", codec: "srt", forced: true},
	},
}

func (r recipe) named(name string) recipe { r.name = name; return r }

// The fixtures.
var (
	// H264AAC is an MP4 with its index in front (faststart), B-frames and four chapters.
	H264AAC = Fixture{recipe{name: "h264-aac.mp4", video: h264, audio: english(aac), chapters: true, mux: []string{"-movflags", "+faststart"}}}
	// MoovAtEnd is an MP4 whose index follows its media, as ffmpeg writes it without being asked.
	MoovAtEnd = Fixture{recipe{name: "moov-at-end.mp4", video: h264, audio: english(aac)}}
	// FragmentedMP4 has an empty moov and a moof for every keyframe interval.
	FragmentedMP4 = Fixture{recipe{name: "fragmented.mp4", video: h264, audio: english(aac), mux: []string{"-movflags", "+frag_keyframe+empty_moov+default_base_moof"}}}
	// EditList is an MP4 whose edit lists skip the delay of three B-frames with pyramid, and the AAC encoder's priming.
	EditList = Fixture{recipe{name: "edit-list.mp4", video: append(h264[:len(h264):len(h264)], "-bf", "3", "-b_strategy", "0", "-x264-params", "b-pyramid=normal"), audio: english(aac), mux: []string{"-movflags", "+faststart", "-use_editlist", "1"}}}
	// DelayedAudio is an MP4 whose sound begins half a second after its picture, by an empty edit.
	DelayedAudio = Fixture{recipe{name: "delayed-audio.mp4", video: h264, audio: english(aac), audioDelay: 0.5, mux: []string{"-movflags", "+faststart"}}}
	// OpenGOP is an MP4 in which keyframes after the first are no IDR pictures and have leading pictures.
	OpenGOP = Fixture{recipe{name: "open-gop.mp4", video: append(h264[:len(h264):len(h264)], "-bf", "3", "-b_strategy", "0", "-flags", "-cgop", "-x264-params", "open-gop=1"), audio: english(aac), mux: []string{"-movflags", "+faststart"}}}
	// MovText is an MP4 with an English and a German subtitle track in 3GPP timed text.
	MovText = Fixture{recipe{name: "mov-text.mp4", video: h264, audio: english(aac), mux: []string{"-movflags", "+faststart"}, subtitles: []subtitle{
		{language: "eng", title: "English", codec: "mov_text", isDefault: true}, {language: "deu", title: "Deutsch", codec: "mov_text"}}}}

	// H264AC3MKV has B-frames, AC-3 5.1 in English and AC-3 stereo in German (a fifth higher), SubRip subtitles
	// English (default), German and English (forced), and chapters.
	H264AC3MKV = Fixture{fullMatroska.named("h264-ac3.mkv")}
	// H264MKV is the plain case: H.264 with B-frames, and AAC.
	H264MKV = Fixture{recipe{name: "h264-aac.mkv", video: h264, audio: english(aac)}}
	// H264EAC3MKV has E-AC-3 5.1.
	H264EAC3MKV = Fixture{recipe{name: "h264-eac3.mkv", video: h264, audio: surround(eac3)}}
	// H264DTSMKV has DTS 5.1.
	H264DTSMKV = Fixture{recipe{name: "h264-dts.mkv", video: h264, audio: surround(dts)}}
	// H264TrueHDMKV has TrueHD 5.1.
	H264TrueHDMKV = Fixture{recipe{name: "h264-truehd.mkv", video: h264, audio: surround(trueHD)}}
	// H264FLACMKV has 16 bit FLAC.
	H264FLACMKV = Fixture{recipe{name: "h264-flac.mkv", video: h264, audio: english(flac)}}
	// HEVCMKV is 8 bit HEVC with AAC.
	HEVCMKV = Fixture{recipe{name: "hevc.mkv", video: hevc, audio: english(aac)}}
	// HDR10MKV is 10 bit HEVC with HDR10's mastering metadata.
	HDR10MKV = Fixture{recipe{name: "hevc-hdr10.mkv", video: hevcHDR10, audio: english(aac)}}
	// VFRMKV drops frames unevenly, so that no frame rate describes it.
	VFRMKV = Fixture{recipe{name: "vfr.mkv", video: h264, audio: english(aac), picture: `select='not(lt(mod(n\,37)\,11)*mod(n\,3))'`}}
	// NoCuesMKV is written as a live stream: no Cues, unknown sizes.
	NoCuesMKV = Fixture{recipe{name: "no-cues.mkv", video: h264, audio: english(aac), mux: []string{"-live", "1"}}}
	// TextSubtitlesMKV has a SubRip track and an ASS track with styling.
	TextSubtitlesMKV = Fixture{recipe{name: "text-subtitles.mkv", video: h264, audio: english(aac), subtitles: []subtitle{
		{language: "eng", title: "English", codec: "srt", isDefault: true}, {language: "eng", title: "English (styled)", codec: "ass", styled: true}}}}
	// VP9WebM is VP9 with Opus.
	VP9WebM = Fixture{recipe{name: "vp9-opus.webm", video: vp9, audio: english(opus)}}

	// MPEGTS is a transport stream with H.264 and AAC.
	MPEGTS = Fixture{recipe{name: "h264-aac.ts", video: h264, audio: english(aac)}}
	// AVI is MPEG-4 part 2 with MP3.
	AVI = Fixture{recipe{name: "mpeg4-mp3.avi", video: []string{"-c:v", "mpeg4", "-q:v", "8", "-bf", "0"}, audio: english(mp3)}}
)

// Fixtures are all of them.
func Fixtures() []Fixture {
	return []Fixture{
		H264AAC, MoovAtEnd, FragmentedMP4, EditList, DelayedAudio, OpenGOP, MovText,
		H264AC3MKV, H264MKV, H264EAC3MKV, H264DTSMKV, H264TrueHDMKV, H264FLACMKV, HEVCMKV, HDR10MKV, VFRMKV, NoCuesMKV, TextSubtitlesMKV, VP9WebM,
		MPEGTS, AVI,
	}
}

// ErrNoFFmpeg says that films cannot be made here because ffmpeg is not installed.
var ErrNoFFmpeg = errors.New("demo: ffmpeg is not installed, so no films can be made (scripts/install installs it)")

// Make makes the fixture, or finds it in the user's cache, and gives its path. Callers share the file: who wants to
// change it copies it first.
func Make(ctx context.Context, f Fixture) (string, error) { return f.recipe.cached(ctx, small) }

func (r recipe) cached(ctx context.Context, s scene) (string, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		root = os.TempDir()
	}
	folder := filepath.Join(root, "revenge-demo", r.hash(s))
	path := filepath.Join(folder, r.name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("demo: %w", err)
	}
	return path, r.make(ctx, s, path)
}

// about is the small scene with a title and a pitch of its own, so that no two films of a library have the same bytes.
func about(title string) scene {
	s := small
	s.title = title
	s.pitch *= semitones(len(title) % 12)
	return s
}

// make runs ffmpeg in a folder of its own and renames the result to path, so that nobody ever sees half a film and
// processes that race make the same file twice at worst.
func (r recipe) make(ctx context.Context, s scene, path string) error {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		return ErrNoFFmpeg
	}
	work, err := os.MkdirTemp(filepath.Dir(path), ".making-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer os.RemoveAll(work)
	arguments, files := r.command(s)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	command := exec.CommandContext(ctx, ffmpeg, arguments...)
	command.Dir = work
	var output strings.Builder
	command.Stderr = &output
	if err := command.Run(); err != nil {
		return fmt.Errorf("demo: making %s: %w\n%s\n%q", r.name, err, output.String(), arguments)
	}
	if err := os.Rename(filepath.Join(work, r.name), path); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

// File gives the path of a fixture for reading, and skips the test where ffmpeg is missing.
func File(t testing.TB, f Fixture) string {
	t.Helper()
	path, err := Make(t.Context(), f)
	if errors.Is(err, ErrNoFFmpeg) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Copy puts a copy of a fixture at path, making its folders, for tests that change, move or truncate films.
func Copy(t testing.TB, f Fixture, path string) {
	t.Helper()
	source := File(t, f)
	if err := copyFile(source, path); err != nil {
		t.Fatal(err)
	}
}

func copyFile(source, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	in, err := os.Open(source)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return fmt.Errorf("demo: %w", err)
	}
	return out.Close()
}
