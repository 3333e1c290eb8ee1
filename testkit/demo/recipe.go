package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// A recipe says how to make one film: the picture and the tracks, apart from the scene that they show.
type recipe struct {
	name      string   // file name; the extension chooses the container
	video     []string // encoder and its options
	picture   string   // filters after the scene's own, or empty
	audio     []sound
	subtitles []subtitle
	chapters  bool
	// audioDelay lets the sound begin so many seconds after the picture (an empty edit in MP4).
	audioDelay float64
	mux        []string
}

type sound struct {
	language, title string
	codec           []string
	surround        bool // 5.1, else stereo
	interval        int  // semitones above the scene's pitch, so that a listener can tell tracks apart
}

type subtitle struct {
	language, title string
	codec           string // ffmpeg's name of the subtitle encoder
	styled          bool   // ASS with styling rather than SubRip
	isDefault       bool
	forced          bool
}

// A scene is what a film shows and how long: the small fixtures show ffmpeg's test picture, which carries a clock;
// the showcase shows a still that moves slowly under a clock of our own.
type scene struct {
	seconds       int
	width, height int
	fps           int
	keyframeEvery int      // seconds
	inputs        []string // ffmpeg arguments before the audio's
	inputCount    int
	filter        string // filter graph from the inputs to [scene]
	pitch         float64
	title         string
	// video replaces a recipe's video encoder and options, by the encoder's name, where the recipe's are too slow.
	video map[string][]string
}

// small is the scene of every fixture: 16 s at 320x180, 24 frames a second, a keyframe every 2 s.
var small = scene{
	seconds: 16, width: 320, height: 180, fps: 24, keyframeEvery: 2,
	inputs: []string{"-f", "lavfi", "-i", "testsrc2=size=320x180:rate=24:duration=16"}, inputCount: 1,
	filter: "[0:v]null[scene]", pitch: 330, title: "Test picture",
}

// command gives ffmpeg's arguments for making r from s in folder, and the files that must lie in folder first.
func (r recipe) command(s scene) (arguments []string, files map[string]string) {
	files = map[string]string{}
	arguments = append([]string{"-hide_banner", "-loglevel", "error", "-nostdin", "-y"}, s.inputs...)
	next := s.inputCount
	filter := s.filter
	if r.picture != "" {
		filter += ";[scene]" + r.picture + "[picture]"
	} else {
		filter += ";[scene]null[picture]"
	}
	for i, track := range r.audio {
		filter += fmt.Sprintf(";%s[sound%d]", track.graph(s, r.audioDelay), i)
	}
	mapping := []string{"-map", "[picture]"}
	for i := range r.audio {
		mapping = append(mapping, "-map", fmt.Sprintf("[sound%d]", i))
	}
	for i, sub := range r.subtitles {
		name := fmt.Sprintf("subtitle-%d.%s", i, map[bool]string{true: "ass", false: "srt"}[sub.styled])
		files[name] = sub.text(s.seconds)
		arguments = append(arguments, "-i", name)
		mapping = append(mapping, "-map", strconv.Itoa(next)+":s")
		next++
	}
	chapters := "-1"
	if r.chapters {
		files["chapters.txt"] = chapterMetadata(s.seconds)
		arguments = append(arguments, "-i", "chapters.txt")
		chapters = strconv.Itoa(next)
	}
	arguments = append(arguments, "-filter_complex", filter)
	arguments = append(arguments, mapping...)
	arguments = append(arguments, "-map_chapters", chapters, "-metadata", "title="+s.title)
	video := r.video
	if faster, ok := s.video[video[1]]; ok {
		video = faster
	}
	arguments = append(arguments, video...)
	arguments = append(arguments, "-g", strconv.Itoa(s.fps*s.keyframeEvery))
	for i, track := range r.audio {
		// ffmpeg's options for one stream carry its number: -c:a becomes -c:a:0.
		for j := 0; j < len(track.codec); j += 2 {
			option := track.codec[j]
			if strings.HasSuffix(option, ":a") {
				option += ":" + strconv.Itoa(i)
			}
			arguments = append(arguments, option, track.codec[j+1])
		}
		arguments = append(arguments, fmt.Sprintf("-metadata:s:a:%d", i), "language="+track.language,
			fmt.Sprintf("-metadata:s:a:%d", i), "title="+track.title,
			fmt.Sprintf("-disposition:a:%d", i), map[bool]string{true: "default", false: "0"}[i == 0])
	}
	for i, sub := range r.subtitles {
		arguments = append(arguments, fmt.Sprintf("-c:s:%d", i), sub.codec,
			fmt.Sprintf("-metadata:s:s:%d", i), "language="+sub.language,
			fmt.Sprintf("-metadata:s:s:%d", i), "title="+sub.title,
			fmt.Sprintf("-disposition:s:%d", i), sub.disposition())
	}
	arguments = append(arguments, "-t", strconv.Itoa(s.seconds), "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact")
	arguments = append(arguments, r.mux...)
	return append(arguments, r.name), files
}

// graph is a tone with a tick every second, which rises by a third with every minute.
func (track sound) graph(s scene, delay float64) string {
	var graph, labels strings.Builder
	minutes := (s.seconds + 59) / 60
	for minute := range minutes {
		length := min(60, s.seconds-60*minute)
		label := fmt.Sprintf("[minute%d%s%d]", track.interval, track.language, minute)
		fmt.Fprintf(&graph, "sine=frequency=%.2f:beep_factor=4:sample_rate=48000:duration=%d%s;",
			s.pitch*semitones(track.interval+4*(minute%6)), length, label)
		labels.WriteString(label)
	}
	layout := "pan=stereo|FL=c0|FR=c0"
	if track.surround {
		layout = "pan=5.1|FL=c0|FR=0.9*c0|FC=0.7*c0|LFE=0.3*c0|BL=0.5*c0|BR=0.4*c0"
	}
	fmt.Fprintf(&graph, "%sconcat=n=%d:v=0:a=1,%s", labels.String(), minutes, layout)
	if delay > 0 {
		fmt.Fprintf(&graph, ",asetpts=PTS+%g/TB", delay)
	}
	return graph.String()
}

func (sub subtitle) disposition() string {
	switch {
	case sub.forced:
		return "forced"
	case sub.isDefault:
		return "default"
	}
	return "0"
}

// hash identifies what a recipe makes, for the cache: equal hashes mean interchangeable files.
func (r recipe) hash(s scene) string {
	arguments, files := r.command(s)
	return hashOf(arguments, files)
}

func hashOf(parts ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:8])
}
