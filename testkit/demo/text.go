package demo

import (
	"fmt"
	"math"
	"strings"
	"time"
)

func semitones(n int) float64 { return math.Pow(2, float64(n)/12) }

// A cue every four seconds tells the time in the track's language, so that a viewer (or a test) sees at once
// whether text and picture agree.
func (sub subtitle) text(seconds int) string {
	if sub.styled {
		return styledCues(seconds)
	}
	return cues(sub.language, sub.forced, seconds)
}

func cues(language string, forced bool, seconds int) string {
	var out strings.Builder
	for n, start := 1, 1; start+2 <= seconds; n, start = n+1, start+4 {
		line := "The clock reads %d:%02d."
		if language == "deu" {
			line = "Die Uhr zeigt %d:%02d – schön pünktlich."
		}
		if forced {
			line = "[a sign: MINUTE %d, SECOND %02d]"
			if language == "deu" {
				line = "[Schild: MINUTE %d, SEKUNDE %02d]"
			}
		}
		fmt.Fprintf(&out, "%d\n%s --> %s\n"+line+"\n\n", n, stamp(start, 0), stamp(start+2, 500), start/60, start%60)
	}
	return out.String()
}

func stamp(seconds, milliseconds int) string {
	return fmt.Sprintf("%02d:%02d:%02d,%03d", seconds/3600, seconds/60%60, seconds%60, milliseconds)
}

func styledCues(seconds int) string {
	var out strings.Builder
	out.WriteString(`[Script Info]
ScriptType: v4.00+
PlayResX: 320
PlayResY: 180

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Sans,16,&H00FFFFFF,&H0000FFFF,&H00000000,&H80000000,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
`)
	for start := 1; start+2 <= seconds; start += 4 {
		fmt.Fprintf(&out, "Dialogue: 0,0:%02d:%02d.00,0:%02d:%02d.50,Default,,0,0,0,,{\\an8}The {\\i1}clock{\\i0} reads\\N%d:%02d, exactly.\n",
			start/60, start%60, (start+2)/60, (start+2)%60, start/60, start%60)
	}
	return out.String()
}

// chapterMetadata divides the film into four chapters (ffmpeg's metadata format).
func chapterMetadata(seconds int) string {
	var out strings.Builder
	out.WriteString(";FFMETADATA1\n")
	length := time.Duration(seconds) * time.Second / 4
	for i, title := range []string{"Opening", "The Journey", "The Turn", "The End"} {
		start := time.Duration(i) * length
		fmt.Fprintf(&out, "[CHAPTER]\nTIMEBASE=1/1000\nSTART=%d\nEND=%d\ntitle=%s\n", start.Milliseconds(), (start + length).Milliseconds(), title)
	}
	return out.String()
}
