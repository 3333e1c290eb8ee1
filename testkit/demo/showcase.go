package demo

import "fmt"

// A film of the showcase lasts two minutes.
const showcaseSeconds = 120

// showcase is a still that drifts slowly under a clock: at 12 frames a second in 1280x720 it costs an encoder little,
// and a visitor sees at once where in the film they are.
func showcase(f film, index, part int, still, clock string) scene {
	file := f.files[part]
	s := scene{
		seconds: showcaseSeconds, width: 1280, height: 720, fps: 12, keyframeEvery: 4, title: f.facts.title,
		// The first five notes of a scale that has no false ones, so that neighbours in the library sound different.
		pitch: 220 * semitones([]int{0, 2, 4, 7, 9}[index%5]),
		video: map[string][]string{
			"libx264":    {"-c:v", "libx264", "-preset", "ultrafast", "-crf", "35", "-bf", "2", "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-threads", "1"},
			"libx265":    {"-c:v", "libx265", "-preset", "ultrafast", "-crf", "34", "-pix_fmt", "yuv420p", "-x265-params", "log-level=error:open-gop=0:scenecut=0:pools=1"},
			"libvpx-vp9": {"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-row-mt", "1", "-crf", "42", "-b:v", "0", "-pix_fmt", "yuv420p", "-threads", "1"},
		},
	}
	if file.seconds != 0 {
		s.seconds = file.seconds
	}
	// Parts and versions of one film differ in where the drift begins.
	phase := float64(part) / 3
	switch file.shape.recipe.video[1] {
	case "libx265", "libvpx-vp9": // dearer encoders get a smaller picture
		s.width, s.height = 848, 480
	}
	s.inputs = []string{"-i", still, "-f", "rawvideo", "-pixel_format", "rgba", "-video_size", fmt.Sprintf("%dx%d", clockWidth, clockHeight), "-framerate", "1", "-i", clock}
	s.inputCount = 2
	// A wide still is cut to the frame with a fifth to spare and moves along an ellipse; a poster fills the width and
	// moves down and up again. The still is decoded and scaled once: loop repeats the frame.
	scale, crop := fmt.Sprintf("scale=%d:%d", s.width*5/4, s.height*5/4),
		fmt.Sprintf("crop=%d:%d:x='(iw-ow)*(0.5+0.5*sin(2*PI*(t/60+%.3f)))':y='(ih-oh)*(0.5+0.5*cos(2*PI*(t/80+%.3f)))'", s.width, s.height, phase, phase)
	if f.still == "" {
		scale, crop = fmt.Sprintf("scale=%d:-2", s.width),
			fmt.Sprintf("crop=%d:%d:x=0:y='(ih-oh)*(0.5-0.5*cos(2*PI*(t/120+%.3f)))'", s.width, s.height, phase)
	}
	s.filter = fmt.Sprintf("[0:v]%s,format=yuv420p,loop=loop=-1:size=1,fps=%d,trim=duration=%d,setpts=N/(%d*TB),%s[drift];"+
		"[1:v]scale=%d:-2,format=yuva420p[clock];[drift][clock]overlay=x=W-w-%d:y=%d[scene]",
		scale, s.fps, s.seconds, s.fps, crop, clockWidth*s.width/1280, s.width/32, s.width/32)
	return s
}
