package playback_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/revenge-media/revenge/adapters/cmaf"
	"github.com/revenge-media/revenge/adapters/diskblobs"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/playback"
)

// The sound of TestEncodedSoundHasNoClickAtAJoin: a steady tone on the left and a sweep on the right, each with a quarter of the full scale.
const (
	tone      = 997.0 // Hz
	loudness  = 0.25
	toneSweep = "0.25*sin(2*PI*997*t)|0.25*sin(2*PI*200*(exp(0.2*t)-1)/0.2)"
)

// restart is the server started anew, without what it had encoded.
func (c *cinema) restart() {
	c.t.Helper()
	c.service.Close()
	kept, err := diskblobs.Open(diskblobs.Config{Dir: c.t.TempDir()})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { kept.Close() })
	c.deps.Blobs = kept
	c.service = playback.New(c.deps)
}

// TestEncodedSoundHasNoClickAtAJoin makes the segments of films with a sound track of each codec in random order, with a restart in
// between, and listens to what a player hears: a tone whose phase never steps, no noise where segments join, not a sample too many.
func TestEncodedSoundHasNoClickAtAJoin(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed; this test makes its films with it")
	}
	for name, codecs := range map[string][2][]string{ // at 48 and 44.1 kHz
		"tracks.mkv": {{"aac", "eac3", "flac", "dca", "truehd", "libopus", "libvorbis", "pcm_s16le"}, {"aac", "ac3"}},
		"tracks.mp4": {{"libmp3lame"}, {"aac"}},
		"tracks.mov": {nil, {"pcm_s16be"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCinema(t, func(d *playback.Deps) { d.Packager = cmaf.New(cmaf.Config{Target: 2}) })
			u := c.viewer("u")
			args := []string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=24000/1001:duration=10",
				"-f", "lavfi", "-i", "aevalsrc=" + toneSweep + ":s=48000:d=10", "-f", "lavfi", "-i", "aevalsrc=" + toneSweep + ":s=44100:d=10", "-map", "0:v"}
			tracks := 0
			for i, list := range codecs {
				for _, codec := range list {
					args = append(args, "-map", fmt.Sprintf("%d:a", 1+i), fmt.Sprintf("-c:a:%d", tracks), codec, fmt.Sprintf("-b:a:%d", tracks), bitRate(codec))
					tracks++
				}
			}
			_, files := c.filmOf("Film", 1, func(_ int, folder string) string {
				if err := os.Mkdir(folder, 0o700); err != nil {
					t.Fatal(err)
				}
				made := append(args, "-c:v", "libx264", "-preset", "ultrafast", "-g", "48", "-pix_fmt", "yuv420p", "-strict", "-2", filepath.Join(folder, name))
				if out, err := exec.Command("ffmpeg", made...).CombinedOutput(); err != nil {
					t.Fatalf("ffmpeg: %v %s", err, out)
				}
				return name
			})
			f := files[0]
			if len(f.Media.Audio) != tracks {
				t.Fatalf("%d sound tracks", len(f.Media.Audio))
			}
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			for _, a := range f.Media.Audio {
				t.Run(fmt.Sprintf("%d %s %d Hz", a.Index, a.Codec, a.SampleRate), func(t *testing.T) { joins(t, c, u, f, a, random) })
			}
		})
	}
}

func bitRate(codec string) string {
	if codec == "dca" {
		return "768k"
	}
	return "192k"
}

func joins(t *testing.T, c *cinema, u domain.Actor, f domain.File, a domain.Audio, random *rand.Rand) {
	list, err := c.service.AudioPlaylist(t.Context(), u, f.ID, f.Revision, a.Index, "")
	if err != nil {
		t.Fatal(err)
	}
	parts := make([]bytes.Buffer, count(list)+1)
	for i, n := range random.Perm(len(parts)) {
		if i == len(parts)/2 {
			c.restart()
		}
		if err := c.service.AudioSegment(t.Context(), u, f.ID, f.Revision, a.Index, playback.StreamAAC, n-1, &parts[n]); err != nil {
			t.Fatalf("segment %d: %v", n-1, err)
		}
	}
	if len(parts) < 5 {
		t.Fatalf("%d segments", len(parts)-1)
	}
	var whole bytes.Buffer
	for n := range parts {
		whole.Write(parts[n].Bytes())
	}
	path := write(t, "joined.mp4", whole.Bytes())
	packets := 0
	var joined []int // where segments meet, in samples
	for n := 1; n < len(parts); n++ {
		begin, length := fragment(t, parts[n].Bytes())
		if begin != packets*1024 {
			t.Errorf("segment %d begins at sample %d, behind %d packets", n-1, begin, packets)
		}
		if packets += length; n+1 < len(parts) {
			joined = append(joined, packets*1024)
		}
	}
	raw, err := exec.Command("ffmpeg", "-v", "error", "-xerror", "-i", path, "-f", "f32le", "-ac", "2", "-ar", "48000", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	left, right := make([]float64, len(raw)/8), make([]float64, len(raw)/8)
	for i := range left {
		left[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[8*i:])))
		right[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[8*i+4:])))
	}
	if len(left) != 1024*packets || math.Abs(float64(len(left))/48000-f.Media.Duration) > 0.1 {
		t.Errorf("%d samples in %d packets for a film of %.3f s", len(left), packets, f.Media.Duration)
	}
	near := func(at, length, margin int) bool {
		return slices.ContainsFunc(joined, func(j int) bool { return at < j+margin && at+length > j-margin })
	}
	const window, margin, edge = 1024, 2048, 9600 // the ends have fades of their own
	var phases []float64
	noise, kink := [2]float64{}, [2]float64{} // elsewhere, at joins
	for at := edge; at+window < min(len(left), 10*48000)-edge; at += window / 4 {
		amplitude, phase, rest := fit(left[at:at+window], at)
		phases = append(phases, phase)
		if math.Abs(amplitude-loudness) > loudness/10 {
			t.Fatalf("the tone has an amplitude of %.3f at %.3f s", amplitude, float64(at)/48000)
		}
		where := 0
		if near(at, window, margin) {
			where = 1
		}
		noise[where] = max(noise[where], rest)
		// The sweep bends with the square of its frequency: the sharpest bend, as a part of what its frequency explains.
		frequency := 200 * math.Exp(0.2*float64(at+window/2)/48000)
		for i := at + 1; i < at+window-1; i++ {
			bend := math.Abs(right[i-1]-2*right[i]+right[i+1]) - loudness*math.Pow(2*math.Pi*frequency/48000, 2)
			kink[where] = max(kink[where], bend)
		}
	}
	first := phases[len(phases)/2]
	widest := 0.0
	for _, p := range phases {
		widest = max(widest, math.Abs(math.Remainder(p-first, 2*math.Pi)))
	}
	t.Logf("phase within %.4f rad (%.2f samples), noise %.5f, at joins %.5f; bends %.5f, at joins %.5f", widest, widest/(2*math.Pi*tone)*48000, noise[0], noise[1], kink[0], kink[1])
	if widest > 2*math.Pi*tone/48000*0.4 { // a segment that lies a sample off is heard
		t.Errorf("the tone's phase steps by %.3f rad, %.2f samples", widest, widest/(2*math.Pi*tone)*48000)
	}
	if noise[1] > 1.5*noise[0]+0.0005 {
		t.Errorf("noise of %.5f where segments join, elsewhere at most %.5f", noise[1], noise[0])
	}
	if kink[1] > 1.5*kink[0]+0.0005 {
		t.Errorf("the sweep bends by %.5f more than it should where segments join, elsewhere at most %.5f", kink[1], kink[0])
	}
}

// fragment is the decode time that a media segment states, in samples, and how many packets it has.
func fragment(t *testing.T, segment []byte) (begin, packets int) {
	t.Helper()
	tfdt, trun := bytes.Index(segment, []byte("tfdt")), bytes.Index(segment, []byte("trun"))
	if tfdt < 0 || trun < 0 {
		t.Fatal("a segment without times")
	}
	if begin = int(binary.BigEndian.Uint32(segment[tfdt+8:])); segment[tfdt+4] == 1 {
		begin = int(binary.BigEndian.Uint64(segment[tfdt+8:]))
	}
	return begin, int(binary.BigEndian.Uint32(segment[trun+8:]))
}

// fit is the tone's amplitude and phase in samples that begin at a number, and the root mean square of what is left without it.
func fit(samples []float64, begin int) (amplitude, phase, rest float64) {
	var cc, ss, cs, xc, xs float64
	for i, x := range samples {
		sin, cos := math.Sincos(2 * math.Pi * tone * float64(begin+i) / 48000)
		cc, ss, cs, xc, xs = cc+cos*cos, ss+sin*sin, cs+cos*sin, xc+x*cos, xs+x*sin
	}
	d := cc*ss - cs*cs
	a, b := (xc*ss-xs*cs)/d, (xs*cc-xc*cs)/d
	for i, x := range samples {
		sin, cos := math.Sincos(2 * math.Pi * tone * float64(begin+i) / 48000)
		r := x - a*cos - b*sin
		rest += r * r
	}
	return math.Hypot(a, b), math.Atan2(b, a), math.Sqrt(rest / float64(len(samples)))
}
