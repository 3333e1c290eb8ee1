package domain

import "encoding/json"

// Media is what a container says about itself (ports/media.Prober).
type Media struct {
	// Container is "mp4", "matroska", "webm", "mpegts", "avi"…
	Container string  `json:"container"`
	Duration  float64 `json:"duration"` // seconds
	BitRate   int64   `json:"bitRate"`  // bits a second, over all
	Video     []Video `json:"video"`
	Audio     []Audio `json:"audio"`
	// Subtitles are the embedded ones; sidecars are in File.
	Subtitles []Subtitle `json:"subtitles"`
	Chapters  []Chapter  `json:"chapters"`
	// Indexed says that segments can be made in process from the container's own index; else ffmpeg repackages.
	Indexed bool `json:"indexed"`
	// KeyframeCount and KeyframeInterval (longest, seconds) of the first video track, where known.
	KeyframeCount    int     `json:"keyframeCount"`
	KeyframeInterval float64 `json:"keyframeInterval"`
	// OpenGOP: a keyframe that is no IDR is followed by leading pictures; browsers cannot seek to it.
	OpenGOP bool `json:"openGop"`
}

// Video is a picture track. Index is the track's position among all tracks of the file, from 0, as ffmpeg counts.
type Video struct {
	Index   int    `json:"index"`
	Codec   string `json:"codec"` // h264, hevc, vp9, av1, mpeg4, mpeg2video, vc1…
	Profile string `json:"profile,omitempty"`
	Level   int    `json:"level,omitempty"`
	// CodecString is the RFC 6381 value for canPlayType, e.g. "avc1.64001f"; "" where it cannot be told.
	CodecString string  `json:"codecString,omitempty"`
	Width       int     `json:"width"` // coded pixels as shown, before aspect
	Height      int     `json:"height"`
	FrameRate   float64 `json:"frameRate"` // average, frames a second
	BitDepth    int     `json:"bitDepth,omitempty"`
	// HDR is "", "hdr10", "hdr10plus", "hlg" or "dolbyvision".
	HDR             string `json:"hdr,omitempty"`
	Rotation        int    `json:"rotation,omitempty"` // degrees clockwise
	Language        string `json:"language,omitempty"`
	Default         bool   `json:"default"`
	AttachedPicture bool   `json:"attachedPicture,omitempty"` // a cover, not the film
}

// Audio is a sound track.
type Audio struct {
	Index       int     `json:"index"`
	Codec       string  `json:"codec"` // aac, ac3, eac3, dts, truehd, flac, opus, mp3, vorbis, pcm_s16le…
	CodecString string  `json:"codecString,omitempty"`
	Profile     string  `json:"profile,omitempty"`
	Channels    int     `json:"channels"`
	SampleRate  int     `json:"sampleRate"`
	Language    string  `json:"language,omitempty"` // ISO 639-2/B, "" unknown
	Title       string  `json:"title,omitempty"`
	Default     bool    `json:"default"`
	Forced      bool    `json:"forced"`
	Commentary  bool    `json:"commentary"`
	Duration    float64 `json:"duration,omitempty"`
}

// Subtitle is an embedded subtitle track.
type Subtitle struct {
	Index           int    `json:"index"`
	Codec           string `json:"codec"` // subrip, ass, mov_text, webvtt, hdmv_pgs_subtitle, dvd_subtitle
	Language        string `json:"language,omitempty"`
	Title           string `json:"title,omitempty"`
	Default         bool   `json:"default"`
	Forced          bool   `json:"forced"`
	HearingImpaired bool   `json:"hearingImpaired"`
	// Text says that it can be served as WebVTT; picture subtitles cannot.
	Text bool `json:"text"`
}

// Chapter is a named stretch. Start and End in seconds.
type Chapter struct {
	Start float64 `json:"start"`
	End   float64 `json:"end"`
	Title string  `json:"title,omitempty"`
}

// Resolution names the class of a picture by its longer extents: "4320p", "2160p", "1440p", "1080p", "720p", "576p", "480p" or "sd"; "" for none.
func Resolution(width, height int) string {
	switch {
	case width <= 0 || height <= 0:
		return ""
	case width > 4096 || height > 2304:
		return "4320p"
	case width > 2560 || height > 1440:
		return "2160p"
	case width > 1920 || height > 1088:
		return "1440p"
	case width > 1280 || height > 720:
		return "1080p"
	case width > 1024 || height > 576:
		return "720p"
	case height > 480:
		return "576p"
	case height > 360 || width > 640:
		return "480p"
	default:
		return "sd"
	}
}

// MarshalJSON writes lists that are empty as such, never as null: the API's schema promises lists.
func (m Media) MarshalJSON() ([]byte, error) {
	type plain Media // without this method
	m.Video, m.Audio, m.Subtitles, m.Chapters = list(m.Video), list(m.Audio), list(m.Subtitles), list(m.Chapters)
	return json.Marshal(plain(m))
}

func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
