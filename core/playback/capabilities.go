// Package playback decides how a film reaches a player, and serves it: as it is, in segments made from its own packets, and with
// its sound encoded where the player cannot decode it.
package playback

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/revenge-media/revenge/core/domain"
)

// Capabilities are what a player says it can play. What is not listed it cannot.
type Capabilities struct {
	// Containers that it plays from one file with byte ranges: "mp4", "webm", "matroska"…
	Containers []string `json:"containers,omitempty" maxItems:"50"`
	// Video lists picture codecs.
	Video []VideoCapability `json:"video,omitempty" maxItems:"100"`
	// Audio lists sound codecs: "aac", "opus", "flac", "ac3"…
	Audio []string `json:"audio,omitempty" maxItems:"50"`
	// HLS says that it plays HLS with fragmented MP4, by itself or by Media Source Extensions.
	HLS bool `json:"hls,omitempty"`
	// MaxAudioChannels is how many channels it takes; 0 for any number.
	MaxAudioChannels int `json:"maxAudioChannels,omitempty" minimum:"0"`
}

// VideoCapability is one picture codec; zero fields do not restrict it.
type VideoCapability struct {
	Codec string `json:"codec" maxLength:"50"` // h264, hevc, vp9, av1…
	// CodecString is the RFC 6381 value that the player was asked about. It says which bit depth is meant, and for H.264 which profile
	// beyond Baseline, Main and High, which every player of H.264 plays.
	CodecString string `json:"codecString,omitempty" maxLength:"100"`
	MaxWidth    int    `json:"maxWidth,omitempty" minimum:"0"`
	MaxHeight   int    `json:"maxHeight,omitempty" minimum:"0"`
	// MaxBitDepth is that of CodecString where it is not given; without either it is 8 for H.264.
	MaxBitDepth int `json:"maxBitDepth,omitempty" minimum:"0"`
}

// segmentVideo and segmentAudio are what fragmented MP4 carries to players of HLS in practice; other codecs play directly or not at all.
var (
	segmentVideo = []string{"h264", "hevc", "vp9", "av1"}
	segmentAudio = []string{"aac", "opus", "flac", "ac3", "eac3"}
)

// container tells whether the player opens the container itself.
func (c Capabilities) container(name string) bool {
	return slices.ContainsFunc(c.Containers, func(known string) bool {
		known = strings.ToLower(known)
		return known == name || name == "matroska" && (known == "mkv" || known == "x-matroska") || name == "mov" && known == "quicktime"
	})
}

// audio tells whether the player decodes a sound track.
func (c Capabilities) audio(a domain.Audio) bool {
	return slices.ContainsFunc(c.Audio, func(codec string) bool { return strings.EqualFold(codec, a.Codec) })
}

// video says why the player cannot decode a picture track; "" when it can.
func (c Capabilities) video(v domain.Video) string {
	why := "codec " + v.Codec
	for _, can := range c.Video {
		if !strings.EqualFold(can.Codec, v.Codec) {
			continue
		}
		depth := can.bitDepth()
		switch {
		case can.MaxWidth > 0 && v.Width > can.MaxWidth:
			why = fmt.Sprintf("width %d over %d", v.Width, can.MaxWidth)
		case can.MaxHeight > 0 && v.Height > can.MaxHeight:
			why = fmt.Sprintf("height %d over %d", v.Height, can.MaxHeight)
		case depth > 0 && v.BitDepth > depth:
			why = fmt.Sprintf("%d bit %s", v.BitDepth, v.Codec)
		case v.Codec == "h264" && !h264Profile(v.CodecString, can.CodecString):
			why = "profile " + v.Profile + " of h264"
		default:
			return ""
		}
	}
	return why
}

// bitDepth is the deepest picture that is meant; 0 for any.
func (v VideoCapability) bitDepth() int {
	if v.MaxBitDepth > 0 {
		return v.MaxBitDepth
	}
	fields := strings.Split(strings.ToLower(v.CodecString), ".")
	field := func(i int) string {
		if i < len(fields) {
			return fields[i]
		}
		return ""
	}
	switch strings.ToLower(v.Codec) {
	case "h264": // avc1.PPCCLL: 6e is High 10
		if strings.HasPrefix(field(1), "6e") {
			return 10
		}
		return 8
	case "hevc": // hvc1.P.…: profile 1 is Main, 2 is Main 10 (ISO/IEC 14496-15, E.3)
		return map[string]int{"1": 8, "2": 10}[strings.TrimLeft(field(1), "abc")]
	case "vp9", "av1": // vp09.PP.LL.DD and av01.P.LLT.DD
		depth, _ := strconv.Atoi(field(3))
		return depth
	}
	return 0
}

// h264Profile tells whether a track's profile (the first two digits of "avc1.PPCCLL", RFC 6381) is one of the usual ones or the one meant.
func h264Profile(track, meant string) bool {
	profile := func(s string) string {
		_, digits, _ := strings.Cut(s, ".")
		if len(digits) < 2 {
			return ""
		}
		return strings.ToLower(digits[:2])
	}
	p := profile(track)
	return p == "" || p == "42" || p == "4d" || p == "58" || p == "64" || p == profile(meant)
}
