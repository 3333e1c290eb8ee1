package ffmpeg

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/text/language"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

// probed is what is read of ffprobe's JSON. Numbers that ffprobe writes as strings stay strings: it says "N/A" where it knows none.
type probed struct {
	Streams  []stream `json:"streams"`
	Chapters []struct {
		Start string            `json:"start_time"`
		End   string            `json:"end_time"`
		Tags  map[string]string `json:"tags"`
	} `json:"chapters"`
	Format struct {
		Name     string            `json:"format_name"`
		Start    string            `json:"start_time"`
		Duration string            `json:"duration"`
		BitRate  string            `json:"bit_rate"`
		Tags     map[string]string `json:"tags"`
	} `json:"format"`
	Frames []struct {
		SideData []sideData `json:"side_data_list"`
	} `json:"frames"`
}

type stream struct {
	Index       int               `json:"index"`
	CodecName   string            `json:"codec_name"`
	CodecType   string            `json:"codec_type"`
	Profile     string            `json:"profile"`
	Level       int               `json:"level"`
	Width       int               `json:"width"`
	Height      int               `json:"height"`
	PixelFormat string            `json:"pix_fmt"`
	RawBits     string            `json:"bits_per_raw_sample"`
	Transfer    string            `json:"color_transfer"`
	AverageRate string            `json:"avg_frame_rate"`
	BaseRate    string            `json:"r_frame_rate"`
	SampleRate  string            `json:"sample_rate"`
	Channels    int               `json:"channels"`
	Duration    string            `json:"duration"`
	Disposition map[string]int    `json:"disposition"`
	Tags        map[string]string `json:"tags"`
	SideData    []sideData        `json:"side_data_list"`
}

type sideData struct {
	Type     string  `json:"side_data_type"`
	Rotation float64 `json:"rotation"`
}

// Probe implements media.Prober with ffprobe: for every container in knownDemuxers, without keyframes and never Indexed.
func (t *Transcoder) Probe(ctx context.Context, in media.Input) (domain.Media, error) {
	found, err := t.probe(ctx, in)
	if err != nil {
		return domain.Media{}, err
	}
	m := found.media(in.Size)
	if film := mainVideo(m); film < 0 {
		return domain.Media{}, fault.New(fault.Invalid, media.CodeNoVideo, "There is no picture track in this file.")
	} else if v := &m.Video[film]; v.HDR == "hdr10" && t.dynamicHDR(ctx, in, v.Index) {
		v.HDR = "hdr10plus"
	}
	return m, nil
}

// probe runs ffprobe over the container's own description.
func (t *Transcoder) probe(ctx context.Context, in media.Input) (probed, error) {
	return t.ask(ctx, in, "-show_format", "-show_streams", "-show_chapters")
}

func (t *Transcoder) ask(ctx context.Context, in media.Input, questions ...string) (probed, error) {
	input, err := check(in)
	if err != nil {
		return probed{}, err
	}
	args := append([]string{"-hide_banner", "-v", "error", "-print_format", "json"}, questions...)
	args = append(args, reading(input)...)
	var out strings.Builder
	stderr, err := t.run(ctx, job{program: t.ffprobe, args: args, stdout: &out, maxOutput: 16 << 20})
	if err != nil {
		if fromFile := fileFault(in, stderr, err); fromFile != nil && ctx.Err() == nil && fault.As(err) == nil {
			return probed{}, fromFile
		}
		return probed{}, asFault(ctx, err, stderr)
	}
	var found probed
	if err := json.Unmarshal([]byte(out.String()), &found); err != nil {
		return probed{}, failed(err, stderr, "What ffprobe said of this file could not be read.")
	}
	return found, nil
}

// dynamicHDR tells whether the first picture carries HDR10+ (SMPTE ST 2094-40), which containers do not announce.
func (t *Transcoder) dynamicHDR(ctx context.Context, in media.Input, track int) bool {
	found, err := t.ask(ctx, in, "-select_streams", strconv.Itoa(track), "-read_intervals", "%+#1", "-show_entries", "frame=side_data_list")
	if err != nil {
		return false
	}
	for _, f := range found.Frames {
		for _, d := range f.SideData {
			if strings.Contains(d.Type, "SMPTE2094-40") {
				return true
			}
		}
	}
	return false
}

// mainVideo is the position of the film among the picture tracks, -1 when all are covers.
func mainVideo(m domain.Media) int {
	for i, v := range m.Video {
		if !v.AttachedPicture {
			return i
		}
	}
	return -1
}

func (p probed) media(size int64) domain.Media {
	m := domain.Media{
		Container: container(p.Format.Name, p.Format.Tags["major_brand"]), Duration: number(p.Format.Duration),
		Video: []domain.Video{}, Audio: []domain.Audio{}, Subtitles: []domain.Subtitle{}, Chapters: []domain.Chapter{},
	}
	for _, s := range p.Streams {
		if number(p.Format.Duration) == 0 {
			m.Duration = max(m.Duration, streamDuration(s))
		}
		lang, title, flag := iso639(s.Tags["language"]), clean(s.Tags["title"]), func(name string) bool { return s.Disposition[name] == 1 }
		switch s.CodecType {
		case "video":
			m.Video = append(m.Video, domain.Video{
				Index: s.Index, Codec: s.CodecName, Profile: s.Profile, Level: max(0, s.Level), CodecString: codecString(s), Width: s.Width, Height: s.Height,
				FrameRate: frameRate(s), BitDepth: bitDepth(s), HDR: hdr(s), Rotation: rotation(s), Language: lang, Default: flag("default"), AttachedPicture: flag("attached_pic"),
			})
		case "audio":
			m.Audio = append(m.Audio, domain.Audio{
				Index: s.Index, Codec: s.CodecName, CodecString: codecString(s), Profile: s.Profile, Channels: s.Channels, SampleRate: int(number(s.SampleRate)), Language: lang, Title: title,
				Default: flag("default"), Forced: flag("forced"), Commentary: flag("comment"), Duration: streamDuration(s),
			})
		case "subtitle":
			m.Subtitles = append(m.Subtitles, domain.Subtitle{
				Index: s.Index, Codec: s.CodecName, Language: lang, Title: title, Default: flag("default"), Forced: flag("forced"), HearingImpaired: flag("hearing_impaired"), Text: textSubtitles[s.CodecName],
			})
		}
	}
	offset := number(p.Format.Start)
	for _, c := range p.Chapters {
		m.Chapters = append(m.Chapters, domain.Chapter{Start: max(0, number(c.Start)-offset), End: max(0, number(c.End)-offset), Title: clean(c.Tags["title"])})
	}
	m.BitRate = int64(number(p.Format.BitRate))
	if m.BitRate == 0 && m.Duration > 0 {
		m.BitRate = int64(float64(size) * 8 / m.Duration)
	}
	return m
}

var textSubtitles = map[string]bool{"subrip": true, "srt": true, "ass": true, "ssa": true, "mov_text": true, "webvtt": true, "text": true}

// container names ffprobe's demuxer as domain.Media does.
func container(demuxer, brand string) string {
	first, _, _ := strings.Cut(demuxer, ",")
	if first == "mov" && strings.TrimSpace(brand) != "qt" {
		return "mp4"
	}
	return first
}

// number reads a decimal; "" and "N/A" are 0.
func number(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// ratio reads "24000/1001"; 0 where it is none.
func ratio(s string) float64 {
	above, below, _ := strings.Cut(s, "/")
	if d := number(below); d != 0 {
		return number(above) / d
	}
	return 0
}

func frameRate(s stream) float64 {
	if r := ratio(s.AverageRate); r > 0 {
		return r
	}
	return ratio(s.BaseRate)
}

func streamDuration(s stream) float64 {
	if d := number(s.Duration); d > 0 {
		return d
	}
	// Matroska's statistics tag: "01:30:12.345000000".
	var h, m int
	var sec float64
	if n, _ := fmt.Sscanf(s.Tags["DURATION"], "%d:%d:%f", &h, &m, &sec); n == 3 {
		return float64(h)*3600 + float64(m)*60 + sec
	}
	return 0
}

func bitDepth(s stream) int {
	if bits := int(number(s.RawBits)); bits > 0 {
		return bits
	}
	for _, deep := range []struct {
		part string
		bits int
	}{{"p10", 10}, {"p12", 12}, {"p14", 14}, {"p16", 16}, {"p010", 10}} {
		if strings.Contains(s.PixelFormat, deep.part) {
			return deep.bits
		}
	}
	if s.PixelFormat == "" {
		return 0
	}
	return 8
}

func hdr(s stream) string {
	for _, d := range s.SideData {
		if strings.HasPrefix(d.Type, "DOVI") {
			return "dolbyvision"
		}
	}
	switch s.Transfer {
	case "smpte2084":
		return "hdr10"
	case "arib-std-b67":
		return "hlg"
	}
	return ""
}

// rotation is clockwise in 0–359; ffprobe counts the display matrix counter-clockwise, old files have a tag that is clockwise.
func rotation(s stream) int {
	for _, d := range s.SideData {
		if d.Rotation != 0 {
			return (360 - int(math.Round(d.Rotation))%360) % 360
		}
	}
	return (int(number(s.Tags["rotate"]))%360 + 360) % 360
}

// codecString is the RFC 6381 value as far as ffprobe knows it: the constraint flags are those that the profile always has.
func codecString(s stream) string {
	switch s.CodecName {
	case "h264":
		profile := map[string]string{"Constrained Baseline": "42e0", "Baseline": "4200", "Main": "4d40", "Extended": "5800", "High": "6400", "High 10": "6e00", "High 10 Intra": "6e10", "High 4:2:2": "7a00", "High 4:4:4 Predictive": "f400"}[s.Profile]
		if profile != "" && s.Level > 0 {
			return fmt.Sprintf("avc1.%s%02x", profile, s.Level)
		}
	case "hevc":
		profile := map[string]string{"Main": "1.6", "Main 10": "2.4"}[s.Profile]
		if profile != "" && s.Level > 0 {
			return fmt.Sprintf("hvc1.%s.L%d.90", profile, s.Level)
		}
	case "aac":
		if object := map[string]int{"Main": 1, "LC": 2, "SSR": 3, "LTP": 4, "HE-AAC": 5, "HE-AACv2": 29}[s.Profile]; object > 0 {
			return fmt.Sprintf("mp4a.40.%d", object)
		}
	case "ac3":
		return "ac-3"
	case "eac3":
		return "ec-3"
	case "mp3":
		return "mp4a.6b"
	case "opus", "flac", "vp8":
		return s.CodecName
	}
	return ""
}

// iso639 turns a container's language (ISO 639-1, 639-2/T or /B, BCP 47) into ISO 639-2/B; "" for an unknown or undetermined one.
func iso639(tag string) string {
	tag, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
	switch tag {
	case "", "und", "mis", "zxx", "qaa", "unk":
		return ""
	}
	if b, ok := bibliographic[tag]; ok {
		return b
	}
	for _, b := range bibliographic {
		if b == tag {
			return tag
		}
	}
	base, err := language.ParseBase(tag)
	if err != nil {
		return ""
	}
	code := base.ISO3()
	if b, ok := bibliographic[code]; ok {
		return b
	}
	return code
}

// bibliographic lists the languages whose ISO 639-2 codes differ: terminological to bibliographic (Library of Congress, "alternative codes").
var bibliographic = map[string]string{
	"sqi": "alb", "hye": "arm", "eus": "baq", "mya": "bur", "zho": "chi", "ces": "cze", "nld": "dut", "fra": "fre", "kat": "geo", "deu": "ger", "ell": "gre", "isl": "ice",
	"mkd": "mac", "mri": "mao", "msa": "may", "fas": "per", "ron": "rum", "slk": "slo", "bod": "tib", "cym": "wel",
}

// clean makes file text fit for JSON and one line.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
}
