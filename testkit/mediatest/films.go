package mediatest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/testkit/demo"
)

// film is a source to cut: a fixture of the demo package, or one that ffmpeg makes for this suite.
type film struct {
	name    string
	fixture *demo.Fixture
	args    []string // what ffmpeg does with a picture (0:v) and a sound (1:a) of 14 seconds
	openGOP bool
	// noDTS: the container tells no decode times, so that the suite compares presentation times only.
	noDTS bool
	// cut is how many seconds a second pass of ffmpeg cuts off the beginning without encoding: an edit list that begins inside a GOP.
	cut float64
	// lacing puts packets of sound together into blocks, and takes the sizes of clusters and the Cues away.
	lacing byte
	// uncut are tracks that MP4 cannot carry.
	uncut []int
}

var x264 = []string{"-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-pix_fmt", "yuv420p"}

func with(base []string, more ...string) []string { return append(base[:len(base):len(base)], more...) }

func films() []film {
	of := func(f demo.Fixture, shape film) film {
		shape.fixture, shape.name = &f, f.Name()
		shape.noDTS = strings.HasSuffix(f.Name(), ".mkv") || strings.HasSuffix(f.Name(), ".webm")
		return shape
	}
	made := func(name string, shape film, args ...string) film {
		shape.name, shape.args = name, args
		shape.noDTS = strings.HasSuffix(name, ".mkv") || strings.HasSuffix(name, ".webm")
		return shape
	}
	pyramid := with(x264, "-bf", "4", "-b_strategy", "0", "-x264-params", "b-pyramid=normal:ref=4")
	open := with(x264, "-bf", "3", "-b_strategy", "0", "-flags", "-cgop", "-x264-params", "open-gop=1:b-pyramid=normal")
	vfr := with(x264, "-bf", "2", "-vf", `select='not(lt(mod(n\,37)\,11)*mod(n\,3))'`, "-vsync", "vfr")
	return []film{
		of(demo.H264AAC, film{}), of(demo.MoovAtEnd, film{}), of(demo.FragmentedMP4, film{}), of(demo.EditList, film{}), of(demo.DelayedAudio, film{}),
		of(demo.OpenGOP, film{openGOP: true}), of(demo.H264AC3MKV, film{}), of(demo.H264EAC3MKV, film{}), of(demo.H264DTSMKV, film{}),
		of(demo.H264TrueHDMKV, film{uncut: []int{1}}), of(demo.H264FLACMKV, film{}), of(demo.HEVCMKV, film{}), of(demo.HDR10MKV, film{}),
		of(demo.VFRMKV, film{}), of(demo.NoCuesMKV, film{}), of(demo.VP9WebM, film{}),
		made("pyramid.mp4", film{}, with(pyramid, "-c:a", "aac")...),
		made("pyramid.mkv", film{}, with(pyramid, "-c:a", "libmp3lame")...),
		made("open-gop.mkv", film{openGOP: true}, with(open, "-c:a", "aac")...),
		made("vfr.mp4", film{}, with(vfr, "-c:a", "ac3")...),
		made("fragmented-delay.mp4", film{}, with(pyramid, "-c:a", "aac", "-movflags", "+frag_keyframe+delay_moov")...),
		made("one-keyframe.mkv", film{}, "-c:v", "libx264", "-preset", "veryfast", "-g", "10000", "-pix_fmt", "yuv420p", "-c:a", "libopus"),
		made("flac-eac3.mp4", film{}, with(x264, "-map", "1:a", "-c:a:0", "flac", "-c:a:1", "eac3", "-strict", "-2")...),
		made("opus-mp3.mp4", film{}, with(x264, "-map", "1:a", "-c:a:0", "libopus", "-c:a:1", "libmp3lame", "-strict", "-2")...),
		made("late.mp4", film{}, with(pyramid, "-c:a", "aac", "-output_ts_offset", "100", "-movflags", "+frag_keyframe+empty_moov+default_base_moof")...),
		made("late.mkv", film{}, with(pyramid, "-c:a", "aac", "-output_ts_offset", "100")...),
		made("late-live.mkv", film{}, with(x264, "-c:a", "ac3", "-output_ts_offset", "100", "-live", "1")...),
		made("delayed-picture.mkv", film{}, with(with(x264, "-bf", "2"), "-c:a", "ac3", "-vf", "setpts=PTS+0.7/TB")...),
		made("delayed-picture.mp4", film{}, with(with(x264, "-bf", "2"), "-c:a", "ac3", "-vf", "setpts=PTS+0.7/TB")...),
		made("aac.mov", film{}, with(with(x264, "-bf", "2"), "-c:a", "aac")...),
		made("av1.mp4", film{}, "-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-g", "50", "-crf", "50", "-c:a", "aac"),
		made("av1.mkv", film{}, "-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-g", "50", "-crf", "50", "-c:a", "libvorbis"),
		made("hevc.mp4", film{}, "-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hev1", "-x265-params", "log-level=error:keyint=50:min-keyint=50:scenecut=0:open-gop=0", "-c:a", "aac"),
		made("vp9.mp4", film{}, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "50", "-c:a", "aac"),
		made("hevc-open-gop.mp4", film{openGOP: true}, "-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params", "log-level=error:keyint=50:min-keyint=50:scenecut=0:open-gop=1:bframes=4:b-pyramid=1", "-c:a", "libmp3lame"),
		made("hevc-pyramid.mkv", film{}, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=50:min-keyint=50:scenecut=0:open-gop=0:bframes=4:b-pyramid=1", "-c:a", "flac"),
		made("negative.mp4", film{}, with(pyramid, "-c:a", "aac", "-movflags", "+negative_cts_offsets")...),
		made("vfr-fragmented.mp4", film{}, with(vfr, "-c:a", "libopus", "-strict", "-2", "-movflags", "+frag_keyframe+empty_moov+default_base_moof")...),
		made("cut.mp4", film{cut: 3.3}, with(pyramid, "-c:a", "aac")...),
		made("cut-fragmented.mp4", film{cut: 3.3}, with(pyramid, "-c:a", "ac3", "-movflags", "+frag_keyframe+delay_moov")...),
		made("laced.mkv", film{lacing: ebmlLacing}, with(pyramid, "-c:a", "libmp3lame")...),
		made("laced-xiph.mkv", film{lacing: xiphLacing}, with(x264, "-bf", "0", "-c:a", "ac3", "-b:a", "96k")...),
		made("pcm.mov", film{uncut: []int{1}}, with(x264, "-c:a", "pcm_s16le")...),
	}
}

var (
	madeLock sync.Mutex
	madeDir  string
)

// input makes the film once a process and opens it.
func (f film) input(t testing.TB) media.Input {
	t.Helper()
	if f.fixture != nil {
		return Open(t, demo.File(t, *f.fixture))
	}
	madeLock.Lock()
	defer madeLock.Unlock()
	if madeDir == "" {
		dir, err := os.MkdirTemp("", "mediatest")
		if err != nil {
			t.Fatal(err)
		}
		madeDir = dir
	}
	path := filepath.Join(madeDir, f.name)
	if _, err := os.Stat(path); err != nil {
		whole := path
		if f.cut > 0 || f.lacing > 0 {
			whole = filepath.Join(madeDir, "whole-"+f.name)
		}
		run(t, "ffmpeg", append(append([]string{"-y", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=14", "-f", "lavfi", "-i", "sine=f=440:b=4:duration=14:sample_rate=48000",
			"-map", "0:v", "-map", "1:a"}, f.args...), whole)...)
		if f.cut > 0 {
			var movflags []string
			if at := slices.Index(f.args, "-movflags"); at >= 0 {
				movflags = f.args[at : at+2]
			}
			run(t, "ffmpeg", slices.Concat([]string{"-ss", fmt.Sprint(f.cut), "-i", whole, "-c", "copy"}, movflags, []string{path})...)
		}
		if f.lacing > 0 {
			b := laced(read(t, whole), f.lacing)
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return Open(t, path)
}

// Cleanup removes the films that the suite made; call it at the end of TestMain.
func Cleanup() {
	madeLock.Lock()
	defer madeLock.Unlock()
	if madeDir != "" {
		_ = os.RemoveAll(madeDir)
		madeDir = ""
	}
}

// Open makes an Input of a file, closed with the test.
func Open(t testing.TB, path string) media.Input {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return media.Input{Path: path, Reader: file, Size: info.Size()}
}

// Bytes makes an Input of bytes.
func Bytes(b []byte) media.Input { return media.Input{Reader: bytes.NewReader(b), Size: int64(len(b))} }

func run(t testing.TB, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(program, append([]string{"-v", "error"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, errs.String())
	}
	return out.Bytes()
}

// probed is a packet as ffprobe sees it.
type probed struct {
	pts, dts int64
	hasDTS   bool
	key      bool
	hash     string
}

// stream is a track as ffprobe sees it: what a decoder is told.
type stream struct {
	Codec    string `json:"codec_name"`
	Profile  string
	Width    int
	Height   int
	Pixels   string `json:"pix_fmt"`
	Transfer string `json:"color_transfer"`
	Rate     string `json:"sample_rate"`
	Channels int
	Layout   string  `json:"channel_layout"`
	TimeBase string  `json:"time_base"`
	seconds  float64 // of a unit of time
}

// probePackets lists the packets of a track in decode order.
func probePackets(t testing.TB, path string, track int, options ...string) (packets []probed, s stream) {
	t.Helper()
	out := run(t, "ffprobe", append(options, "-show_packets", "-show_streams", "-show_data_hash", "md5", "-select_streams", strconv.Itoa(track), "-of", "json", path)...)
	var answer struct {
		Packets []struct {
			PTS, DTS *int64
			Flags    string
			Hash     string `json:"data_hash"`
		}
		Streams []stream
	}
	if err := json.Unmarshal(out, &answer); err != nil || len(answer.Streams) != 1 {
		t.Fatalf("ffprobe of track %d of %s: %v\n%.300s", track, path, err, out)
	}
	var num, den float64
	s = answer.Streams[0]
	if _, err := fmt.Sscanf(s.TimeBase, "%f/%f", &num, &den); err != nil {
		t.Fatal(err)
	}
	s.seconds = num / den
	for _, p := range answer.Packets {
		q := probed{hash: p.Hash, key: strings.HasPrefix(p.Flags, "K")}
		if p.PTS != nil {
			q.pts = *p.PTS
		}
		if p.DTS != nil {
			q.dts, q.hasDTS = *p.DTS, true
		}
		packets = append(packets, q)
	}
	return packets, s
}
