// Package transcodertest is the conformance suite of ports/media.Transcoder. It makes its films with the ffmpeg program in PATH
// and is skipped where there is none.
package transcodertest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	_ "image/jpeg" // decodes what Frame returns
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

// Harness is what an implementation brings.
type Harness struct {
	Transcoder media.Transcoder
}

// Run checks every promise of media.Transcoder. open is called once for each part and may register clean-ups.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, program := range []string{"ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed; this suite makes its films with it", program)
		}
	}
	t.Run("Available", func(t *testing.T) {
		version, err := open(t).Transcoder.Available(t.Context())
		if err != nil || version == "" {
			t.Fatalf("Available = %q, %v", version, err)
		}
	})
	t.Run("Probe", func(t *testing.T) { probing(t, open(t).Transcoder) })
	t.Run("Refusals", func(t *testing.T) { refusals(t, open(t).Transcoder) })
	t.Run("Frame", func(t *testing.T) { frames(t, open(t).Transcoder) })
	t.Run("Repackage", func(t *testing.T) { repackaging(t, open(t).Transcoder) })
	t.Run("Sound", func(t *testing.T) { sound(t, open(t).Transcoder) })
	t.Run("EndsWithItsContext", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := open(t).Transcoder.Available(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("a cancelled call answered %v", err)
		}
	})
}

// Film makes a film with ffmpeg's arguments (before the output) under name in a new folder.
func Film(t *testing.T, name string, args ...string) media.Input {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	ffmpeg(t, nil, append(append([]string{"-y"}, args...), "file:"+path)...)
	return Open(t, path)
}

// Open makes an Input of a file.
func Open(t *testing.T, path string) media.Input {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return media.Input{Path: path, Reader: f, Size: info.Size()}
}

func ffmpeg(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("ffmpeg", append([]string{"-hide_banner", "-v", "error", "-nostdin"}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg %s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
	return out.Bytes()
}

// clip is a small colour test picture with sound.
func clip(seconds int) []string {
	s := strconv.Itoa(seconds)
	return []string{"-f", "lavfi", "-i", "testsrc2=size=320x180:rate=24:duration=" + s, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=" + s}
}

func wantCode(t *testing.T, err error, codes ...string) {
	t.Helper()
	for _, c := range codes {
		if fault.CodeOf(err) == c {
			return
		}
	}
	t.Fatalf("want a fault of %v, got %v", codes, err)
}

func probing(t *testing.T, tc media.Transcoder) {
	t.Run("Facts", func(t *testing.T) {
		chapters := filepath.Join(t.TempDir(), "chapters.txt")
		text := ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1500\ntitle=One\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=1500\nEND=3000\ntitle=Two\n"
		subtitles := filepath.Join(t.TempDir(), "s.srt")
		for path, content := range map[string]string{chapters: text, subtitles: "1\n00:00:00,000 --> 00:00:01,000\nHello\n"} {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		in := Film(t, "film.mkv", append(clip(3), "-i", chapters, "-i", subtitles, "-map", "0", "-map", "1", "-map", "1", "-map", "3", "-map_chapters", "2",
			"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a:0", "aac", "-c:a:1", "ac3", "-ac:a:1", "6", "-c:s", "srt",
			"-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=eng", "-metadata:s:a:1", "title=Commentary", "-disposition:a:1", "comment",
			"-metadata:s:s:0", "language=fra", "-disposition:s:0", "forced+hearing_impaired")...)
		m, err := tc.Probe(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if m.Container != "matroska" || math.Abs(m.Duration-3) > 0.1 || m.BitRate <= 0 || m.Indexed {
			t.Errorf("container %+v", m)
		}
		if len(m.Video) != 1 || len(m.Audio) != 2 || len(m.Subtitles) != 1 || len(m.Chapters) != 2 {
			t.Fatalf("tracks %+v", m)
		}
		if v := m.Video[0]; v.Index != 0 || v.Codec != "h264" || v.Width != 320 || v.Height != 180 || v.FrameRate != 24 || v.BitDepth != 8 || v.HDR != "" || !strings.HasPrefix(v.CodecString, "avc1.") {
			t.Errorf("video %+v", v)
		}
		if a := m.Audio[0]; a.Index != 1 || a.Codec != "aac" || a.Language != "ger" || a.SampleRate != 48000 || a.Channels != 1 || a.CodecString != "mp4a.40.2" {
			t.Errorf("audio %+v", a)
		}
		if a := m.Audio[1]; a.Index != 2 || a.Codec != "ac3" || a.Language != "eng" || !a.Commentary || a.Title != "Commentary" || a.Channels != 6 {
			t.Errorf("audio %+v", a)
		}
		if s := m.Subtitles[0]; s.Index != 3 || s.Codec != "subrip" || s.Language != "fre" || !s.Forced || !s.HearingImpaired || !s.Text {
			t.Errorf("subtitle %+v", s)
		}
		if c := m.Chapters[1]; c.Start != 1.5 || c.End != 3 || c.Title != "Two" {
			t.Errorf("chapter %+v", c)
		}
	})
	t.Run("HighDynamicRange", func(t *testing.T) {
		for transfer, want := range map[string]string{"smpte2084": "hdr10", "arib-std-b67": "hlg"} {
			in := Film(t, transfer+".mkv", "-f", "lavfi", "-i", "testsrc2=size=128x96:rate=5:duration=1", "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le",
				"-x265-params", "log-level=none:colorprim=bt2020:colormatrix=bt2020nc:transfer="+transfer)
			m, err := tc.Probe(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if v := m.Video[0]; v.HDR != want || v.BitDepth != 10 || v.Codec != "hevc" {
				t.Errorf("%s: %+v", transfer, v)
			}
		}
	})
	t.Run("NamesThatLookLikeOptions", func(t *testing.T) {
		plain := Film(t, "plain.mkv", append(clip(1), "-c:v", "mpeg4", "-c:a", "aac")...)
		for _, name := range []string{"-i.mkv", `a" -y x.mkv`, "concat:a|b.mkv", "$(touch pwned).mkv", "%03d.mkv", "a\nb.mkv", "n\xff\xfe.mkv", "http:\\evil.mkv"} {
			path := filepath.Join(t.TempDir(), name)
			if err := os.Link(plain.Path, path); err != nil {
				t.Fatal(err)
			}
			if m, err := tc.Probe(t.Context(), Open(t, path)); err != nil || len(m.Video) != 1 {
				t.Errorf("%q: %v", name, err)
			}
			if _, err := tc.Frame(t.Context(), Open(t, path), 0.5, 160); err != nil {
				t.Errorf("%q: %v", name, err)
			}
			left, err := os.ReadDir(filepath.Dir(path))
			if err != nil || len(left) != 1 {
				t.Errorf("%q left %v behind (%v)", name, left, err)
			}
		}
	})
}

func refusals(t *testing.T, tc media.Transcoder) {
	write := func(t *testing.T, content []byte) media.Input {
		path := filepath.Join(t.TempDir(), "film.mkv")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return Open(t, path)
	}
	t.Run("PlaylistsInDisguiseReachNobody", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		var hits atomic.Int32
		go func() {
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				hits.Add(1)
				_ = c.Close()
			}
		}()
		canary := "http://" + listener.Addr().String() + "/canary.ts"
		secret := Film(t, "secret.ts", append(clip(1), "-c:v", "mpeg2video", "-c:a", "mp2")...)
		for name, text := range map[string]string{
			"hls":        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n" + canary + "\n#EXT-X-ENDLIST\n",
			"hls local":  "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\nfile:" + secret.Path + "\n#EXT-X-ENDLIST\n",
			"late hls":   strings.Repeat("\n", 600) + "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n" + canary + "\n#EXT-X-ENDLIST\n",
			"concat":     "ffconcat version 1.0\nfile '" + secret.Path + "'\n",
			"concat url": "ffconcat version 1.0\nfile '" + canary + "'\n",
			"dash":       `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT6S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>` + canary + `</BaseURL></Representation></AdaptationSet></Period></MPD>`,
			"sdp":        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
			"asx":        `<ASX version="3.0"><Entry><Ref href="` + canary + `"/></Entry></ASX>`,
			"pls":        "[playlist]\nFile1=" + canary + "\nNumberOfEntries=1\nVersion=2\n",
		} {
			in := write(t, []byte(text))
			_, err := tc.Probe(t.Context(), in)
			wantCode(t, err, media.CodeRefused, media.CodeUnknownContainer)
			_, err = tc.Frame(t.Context(), in, 0, 160)
			wantCode(t, err, media.CodeRefused, media.CodeUnknownContainer)
			err = tc.Repackage(t.Context(), in, filepath.Join(t.TempDir(), "out.mkv"), nil)
			wantCode(t, err, media.CodeRefused, media.CodeUnknownContainer)
			// The same without a look at the first bytes: the programs themselves must not follow it.
			in.Reader = nil
			_, err = tc.Probe(t.Context(), in)
			wantCode(t, err, media.CodeRefused, media.CodeUnknownContainer)
			if hits.Load() != 0 {
				t.Fatalf("%s: the canary was called", name)
			}
		}
	})
	t.Run("FilesThatAreNoFilms", func(t *testing.T) {
		_, err := tc.Probe(t.Context(), write(t, nil))
		wantCode(t, err, media.CodeEmpty)
		_, err = tc.Probe(t.Context(), write(t, bytes.Repeat([]byte("no film. "), 500)))
		wantCode(t, err, media.CodeUnknownContainer)
		_, err = tc.Probe(t.Context(), Film(t, "sound.mka", "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "flac", "-f", "matroska"))
		wantCode(t, err, media.CodeNoVideo)
		whole, err := os.ReadFile(Film(t, "film.mp4", append(clip(2), "-c:v", "mpeg4", "-c:a", "aac")...).Path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tc.Probe(t.Context(), write(t, whole[:len(whole)/2]))
		wantCode(t, err, media.CodeTruncated)
	})
}

func frames(t *testing.T, tc media.Transcoder) {
	look := func(t *testing.T, in media.Input, at float64, width int) image.Image {
		t.Helper()
		data, err := tc.Frame(t.Context(), in, at, width)
		if err != nil {
			t.Fatal(err)
		}
		picture, format, err := image.Decode(bytes.NewReader(data))
		if err != nil || format != "jpeg" {
			t.Fatalf("%s, %v", format, err)
		}
		return picture
	}
	colours := Film(t, "colours.mkv", "-f", "lavfi", "-i", "color=red:size=320x180:rate=10:duration=4", "-f", "lavfi", "-i", "color=blue:size=320x180:rate=10:duration=4",
		"-filter_complex", "[0][1]concat", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25")
	t.Run("ShowsTheAskedTimeAndWidth", func(t *testing.T) {
		early, late := look(t, colours, 1, 160), look(t, colours, 6.3, 160)
		if early.Bounds().Dx() != 160 || early.Bounds().Dy() != 90 {
			t.Errorf("size %v", early.Bounds())
		}
		if r, _, b, _ := early.At(80, 45).RGBA(); r < b {
			t.Error("at 1 s the film is red")
		}
		if r, _, b, _ := late.At(80, 45).RGBA(); b < r {
			t.Error("at 6.3 s the film is blue")
		}
		if wide := look(t, colours, 1, 4000); wide.Bounds().Dx() != 320 {
			t.Errorf("enlarged to %v", wide.Bounds())
		}
	})
	t.Run("LooksOnWhileItIsBlack", func(t *testing.T) {
		for name, black := range map[string]string{"within the next seconds": "3", "far on": "20"} {
			in := Film(t, "fade.mkv", "-f", "lavfi", "-i", "color=black:size=320x180:rate=10:duration="+black, "-f", "lavfi", "-i", "color=white:size=320x180:rate=10:duration=4",
				"-filter_complex", "[0][1]concat", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "20")
			if r, _, _, _ := look(t, in, 0, 160).At(80, 45).RGBA(); r < 0x8000 {
				t.Errorf("%s: the frame is black", name)
			}
		}
	})
	t.Run("AnAllBlackFilmHasABlackFrame", func(t *testing.T) {
		in := Film(t, "black.mkv", "-f", "lavfi", "-i", "color=black:size=320x180:rate=10:duration=2", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
		look(t, in, 1, 160)
		look(t, in, 500, 160) // past the end as well
	})
	t.Run("PixelsAreSquare", func(t *testing.T) {
		in := Film(t, "dvd.mkv", "-f", "lavfi", "-i", "testsrc2=size=720x576:rate=5:duration=1", "-vf", "setsar=64/45", "-c:v", "mpeg4")
		if b := look(t, in, 0, 512).Bounds(); b.Dx() != 512 || b.Dy() < 286 || b.Dy() > 290 {
			t.Errorf("a 16:9 DVD gave %v", b)
		}
	})
}

func repackaging(t *testing.T, tc media.Transcoder) {
	packets := func(t *testing.T, path string) int {
		t.Helper()
		out, err := exec.Command("ffprobe", "-v", "error", "-count_packets", "-select_streams", "v:0", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", "file:"+path).Output()
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n") // once more for each programme of a transport stream
		n, err := strconv.Atoi(strings.Trim(first, ", "))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for name, codecs := range map[string][]string{
		"film.avi":   {"-c:v", "mpeg4", "-bf", "2", "-vtag", "DX50", "-c:a", "libmp3lame"},
		"h264.avi":   {"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "ac3"},
		"film.ts":    {"-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac"},
		"film.mpg":   {"-c:v", "mpeg2video", "-c:a", "mp2"},
		"film.wmv":   {"-c:v", "wmv2", "-c:a", "wmav2"},
		"film.flv":   {"-c:v", "flv1", "-c:a", "libmp3lame", "-ar", "44100"},
		"title.m2ts": {"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "pcm_bluray", "-f", "mpegts"},
	} {
		t.Run(name, func(t *testing.T) {
			in := Film(t, name, append(clip(4), codecs...)...)
			out := filepath.Join(t.TempDir(), "out")
			var last float64
			if err := tc.Repackage(t.Context(), in, out, func(s float64) { last = s }); err != nil {
				t.Fatal(err)
			}
			m, err := tc.Probe(t.Context(), Open(t, out))
			if err != nil || m.Container != "matroska" || len(m.Video) != 1 || len(m.Audio) != 1 || math.Abs(m.Duration-4) > 0.4 {
				t.Fatalf("%+v, %v", m, err)
			}
			if was, is := packets(t, in.Path), packets(t, out); was != is {
				t.Errorf("%d pictures became %d", was, is)
			}
			if last < 3 {
				t.Errorf("progress ended at %v s", last)
			}
		})
	}
	t.Run("AFailureLeavesNoFile", func(t *testing.T) {
		in := Film(t, "film.avi", append(clip(2), "-c:v", "mpeg4", "-c:a", "ac3")...)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		out := filepath.Join(t.TempDir(), "out")
		if err := tc.Repackage(ctx, in, out, nil); !errors.Is(err, context.Canceled) {
			t.Fatalf("a cancelled copy answered %v", err)
		}
		if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
			t.Fatal("a failed copy left its file")
		}
	})
}

// The sound tests use a signal that shows where it is: silence with a click of noise at each full second of the film.
const rate = 48000

// clicks is seconds of 16-bit mono PCM.
func clicks(seconds int) []byte {
	pcm := make([]byte, seconds*rate*2)
	for s := range seconds {
		for i := range 240 { // 5 ms of a 2 kHz tone
			v := int16(20000 * math.Sin(2*math.Pi*2000*float64(i)/rate))
			binary.LittleEndian.PutUint16(pcm[(s*rate+i)*2:], uint16(v))
		}
	}
	return pcm
}

func decode(t *testing.T, adts []byte) []float64 {
	t.Helper()
	pcm := ffmpeg(t, adts, "-f", "aac", "-i", "pipe:0", "-ac", "1", "-f", "s16le", "pipe:1")
	samples := make([]float64, len(pcm)/2)
	for i := range samples {
		samples[i] = float64(int16(binary.LittleEndian.Uint16(pcm[i*2:]))) / 32768
	}
	return samples
}

// onset is the first sample from which it is loud, -1 when it never is.
func onset(samples []float64, from int) int {
	for i := max(0, from); i < len(samples); i++ {
		if math.Abs(samples[i]) > 0.1 {
			return i
		}
	}
	return -1
}

func countADTS(t *testing.T, adts []byte) int {
	t.Helper()
	n := 0
	for at := 0; at < len(adts); n++ {
		if len(adts)-at < 7 || adts[at] != 0xff {
			t.Fatalf("no ADTS at byte %d", at)
		}
		at += int(adts[at+3]&3)<<11 | int(adts[at+4])<<3 | int(adts[at+5])>>5
	}
	return n
}

func sound(t *testing.T, tc media.Transcoder) {
	stereo := media.AACFormat{SampleRate: rate, Channels: 2}
	film := clicks(20)
	pcm := media.Stretch{Format: "s16le", SampleRate: rate, Channels: 1, Packets: 1}
	// from returns the film's PCM between two times, as Elementary would.
	from := func(start, end float64) media.EncodeAudio {
		a, b := min(len(film), max(0, int(start*rate))*2), min(len(film), int(end*rate)*2)
		s := pcm
		s.Start = float64(a/2) / rate
		return media.EncodeAudio{Source: bytes.NewReader(film[a:b]), Stretch: s, Format: stereo}
	}
	encode := func(t *testing.T, req media.EncodeAudio, first int64, packets int) []byte {
		t.Helper()
		req.FirstPacket, req.Packets = first, packets
		var out bytes.Buffer
		if err := tc.EncodeAudio(t.Context(), req, &out); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	const grid = 1024.0 / rate

	t.Run("PacketsAreThoseAskedFor", func(t *testing.T) {
		for _, c := range []struct {
			first   int64
			packets int
		}{{0, 1}, {0, 281}, {3, 100}, {281, 281}, {500, 50}} {
			start, end := float64(c.first)*grid, float64(c.first+int64(c.packets))*grid
			adts := encode(t, from(start-9*grid, end+3*grid), c.first, c.packets)
			if n := countADTS(t, adts); n != c.packets {
				t.Errorf("%d packets from %d on: got %d", c.packets, c.first, n)
			}
			// Each click is where the film has it, to within 2 ms of the encoder's pre-echo.
			samples := decode(t, adts)
			for second := int(math.Ceil(start + 0.05)); float64(second) < end-0.02; second++ {
				want := second*rate - int(c.first)*1024
				if got := onset(samples, want-2000); got < want-96 || got > want+96 {
					t.Errorf("from %d on: the click of second %d is at sample %d, not %d", c.first, second, got, want)
				}
			}
		}
	})
	t.Run("NeighboursJoin", func(t *testing.T) {
		tone := ffmpeg(t, nil, "-f", "lavfi", "-i", "sine=frequency=997:sample_rate=48000:duration=12", "-f", "s16le", "pipe:1")
		film = tone
		defer func() { film = clicks(20) }()
		var joined []byte
		for n := range 5 {
			first := int64(n * 94)
			joined = append(joined, encode(t, from(float64(first-9)*grid, float64(first+94+3)*grid), first, 94)...)
		}
		samples := decode(t, joined)
		whole := decode(t, encode(t, from(0, 12), 0, 5*94))
		if len(samples) != len(whole) {
			t.Fatalf("%d samples joined, %d in one piece", len(samples), len(whole))
		}
		worst := 0.0
		for i := 2048; i < len(samples)-2048; i++ {
			worst = max(worst, math.Abs(samples[i]-whole[i]))
		}
		if worst > 0.02 { // the tone's amplitude is 0.125: a click would be of that size
			t.Errorf("joined and whole differ by up to %.3f", worst)
		}
	})
	t.Run("TheEndIsShort", func(t *testing.T) {
		last := int64(20*rate/1024) - 10
		adts := encode(t, from(float64(last-9)*grid, 20), last, 100)
		if n := countADTS(t, adts); n < 10 || n > 13 {
			t.Errorf("got %d packets of the last 11", n)
		}
	})
	t.Run("ATrackThatBeginsLate", func(t *testing.T) {
		req := from(0, 5)
		req.Stretch.Start = 1.5
		samples := decode(t, encode(t, req, 0, 200))
		if got := onset(samples, 0); got < 72000-96 || got > 72000+96 {
			t.Errorf("the sound that begins at 1.5 s is at sample %d", got)
		}
	})
	t.Run("NothingIsSilence", func(t *testing.T) {
		adts := encode(t, media.EncodeAudio{Source: bytes.NewReader(nil), Format: stereo}, 40, 94)
		if n := countADTS(t, adts); n != 94 || onset(decode(t, adts), 0) != -1 {
			t.Errorf("%d packets of silence", n)
		}
	})
	t.Run("SampleRates", func(t *testing.T) {
		low := ffmpeg(t, film, "-f", "s16le", "-ar", "48000", "-ac", "1", "-i", "pipe:0", "-ar", "44100", "-f", "s16le", "pipe:1")
		req := media.EncodeAudio{Source: bytes.NewReader(low), Stretch: media.Stretch{Format: "s16le", SampleRate: 44100, Channels: 1, Packets: 1}, Format: stereo}
		samples := decode(t, encode(t, req, 400, 300))
		want := 9*rate - 400*1024
		if got := onset(samples, 0); got < want-144 || got > want+144 {
			t.Errorf("44.1 kHz: the click of second 9 is at %d, not %d", got, want)
		}
	})
	// Encoders delay by what their name implies, so each codec is compared with what a decoder makes of the whole stream.
	for format, args := range map[string][]string{
		"flac": {"-c:a", "flac", "-f", "flac"}, "ac3": {"-ac", "6", "-c:a", "ac3", "-b:a", "448k", "-f", "ac3"}, "eac3": {"-ac", "6", "-c:a", "eac3", "-f", "eac3"},
		"dts": {"-ac", "2", "-c:a", "dca", "-strict", "-2", "-b:a", "768k", "-f", "dts"}, "truehd": {"-ac", "2", "-c:a", "truehd", "-strict", "-2", "-f", "truehd"},
		"mp3": {"-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0", "-f", "mp3"}, "aac": {"-c:a", "aac", "-f", "adts"}, "ogg": {"-c:a", "libopus", "-f", "ogg"},
	} {
		t.Run("From_"+format, func(t *testing.T) {
			stream := ffmpeg(t, film, append([]string{"-f", "s16le", "-ar", "48000", "-ac", "1", "-i", "pipe:0"}, append(args, "pipe:1")...)...)
			plain := ffmpeg(t, stream, "-f", format, "-i", "pipe:0", "-ac", "1", "-ar", "48000", "-f", "s16le", "pipe:1")
			reference := make([]float64, len(plain)/2)
			for i := range reference {
				reference[i] = float64(int16(binary.LittleEndian.Uint16(plain[i*2:]))) / 32768
			}
			req := media.EncodeAudio{Source: bytes.NewReader(stream), Stretch: media.Stretch{Format: format, SampleRate: rate, Channels: 2, Packets: 1}, Format: stereo}
			adts := encode(t, req, 281, 281)
			if n := countADTS(t, adts); n != 281 {
				t.Errorf("got %d packets", n)
			}
			// Not the click in the first packet, which a decoder fades in for want of the one before.
			want := onset(reference, 282*1024) - 281*1024
			if got := onset(decode(t, adts), 1024); got < want-150 || got > want+150 {
				t.Errorf("the click is at sample %d, not %d", got, want)
			}
		})
	}
	t.Run("BadRequests", func(t *testing.T) {
		for _, req := range []media.EncodeAudio{
			{Format: media.AACFormat{SampleRate: 48000, Channels: 0}, Packets: 1}, {Format: stereo}, {Format: stereo, Packets: 1, FirstPacket: -1},
			{Format: stereo, Packets: 1, Source: strings.NewReader("x"), Stretch: media.Stretch{Format: "hls", Packets: 1}},
		} {
			if err := tc.EncodeAudio(t.Context(), req, &bytes.Buffer{}); fault.As(err) == nil {
				t.Errorf("%+v answered %v", req, err)
			}
		}
	})
}
