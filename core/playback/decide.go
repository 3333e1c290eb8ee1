package playback

import (
	"fmt"
	"slices"

	"github.com/revenge-media/revenge/core/domain"
)

// Method is how something reaches the player.
type Method string

// The methods, cheapest first.
const (
	MethodDirect      Method = "direct"       // the file itself, with byte ranges
	MethodRemux       Method = "remux"        // its packets in fragmented MP4
	MethodAudioEncode Method = "audio-encode" // the same with its sound encoded to AAC
	MethodUnplayable  Method = "unplayable"
)

// The methods of one sound track.
const (
	AudioCopy       = "copy"
	AudioEncode     = "encode"
	AudioUnplayable = "unplayable"
)

// rank orders methods from the cheapest.
func (m Method) rank() int {
	return slices.Index([]Method{MethodDirect, MethodRemux, MethodAudioEncode, MethodUnplayable}, m)
}

// Reason says why it is not played directly, or not at all. Code is stable.
type Reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	// Track is the track's index in the file, where the reason is about one.
	Track *int `json:"track,omitempty"`
}

// The codes of reasons.
const (
	ReasonContainer   = "playback.container"          // remux: the player does not open the container
	ReasonAudioChoice = "playback.audio_choice"       // remux: several sound tracks, which are chosen by HLS
	ReasonRepackage   = "playback.repackage"          // remux: ffmpeg copies the film into another container first
	ReasonAudioCodec  = "playback.audio_codec"        // audio-encode: the player does not decode the sound
	ReasonChannels    = "playback.audio_channels"     // audio-encode: more channels than the player takes
	ReasonTranscode   = "playback.transcode_required" // unplayable: the player does not decode the picture
	ReasonOpenGOP     = "playback.open_gop"           // unplayable: players cannot seek in it
	ReasonMissing     = "playback.missing"            // unplayable: the file is not there
	ReasonUnsupported = "playback.unsupported_disc"   // unplayable: a disc folder or image
	ReasonNotReady    = "playback.not_ready"          // unplayable for now: not read yet, or still growing
	ReasonUnreadable  = "playback.unreadable"         // unplayable: it could not be read
	ReasonNoPicture   = "playback.no_video"           // unplayable: no picture track
	ReasonNoHLS       = "playback.hls_missing"        // unplayable: the player would need HLS
	ReasonToolMissing = "playback.tool_missing"       // unplayable: ffmpeg is not installed
)

// AudioDecision is how one sound track reaches the player by HLS.
type AudioDecision struct {
	Track  domain.Audio
	Method string // AudioCopy, AudioEncode or AudioUnplayable
	Reason *Reason
}

// Decision is how one file reaches the player.
type Decision struct {
	Method  Method
	Reasons []Reason
	// Video is the picture track that plays; nil when unplayable for the lack of one.
	Video *domain.Video
	Audio []AudioDecision
}

// picture is the track that is the film: the first that is no cover, the default one if there is.
func picture(m domain.Media) *domain.Video {
	var first *domain.Video
	for i := range m.Video {
		v := &m.Video[i]
		if v.AttachedPicture {
			continue
		}
		if v.Default {
			return v
		}
		if first == nil {
			first = v
		}
	}
	return first
}

// Decide says how a file reaches a player that wants to hear the sound track chosen (an index in the file; negative for none). tools
// tells whether ffmpeg is there.
func Decide(f domain.File, c Capabilities, chosen int, tools bool) Decision {
	if reason, stop := standsInTheWay(f); stop {
		return Decision{Method: MethodUnplayable, Reasons: []Reason{reason}}
	}
	d := Decision{Video: picture(*f.Media)}
	if d.Video == nil {
		d.Method, d.Reasons = MethodUnplayable, []Reason{{Code: ReasonNoPicture, Message: "the file has no picture track"}}
		return d
	}
	for _, a := range f.Media.Audio {
		d.Audio = append(d.Audio, decideAudio(a, c, tools))
	}
	refuse := func(r Reason) Decision {
		d.Method, d.Reasons = MethodUnplayable, append(d.Reasons, r)
		return d
	}
	track := &d.Video.Index
	if why := c.video(*d.Video); why != "" {
		return refuse(Reason{ReasonTranscode, "transcode required: " + why, track})
	}
	// A keyframe that is no IDR has leading pictures that refer to what a seek left out; players of H.264 stall there.
	if f.Media.OpenGOP && d.Video.Codec == "h264" {
		return refuse(Reason{ReasonOpenGOP, "transcode required: open GOP, which players cannot seek in", track})
	}
	d.Reasons = notDirect(f, c, chosen)
	if len(d.Reasons) == 0 {
		d.Method = MethodDirect
		return d
	}
	if !c.HLS {
		return refuse(Reason{ReasonNoHLS, "the player would need HLS", nil})
	}
	if !slices.Contains(segmentVideo, d.Video.Codec) {
		return refuse(Reason{ReasonTranscode, "transcode required: codec " + d.Video.Codec + " outside of its container", track})
	}
	if !f.Media.Indexed {
		if !tools {
			return refuse(Reason{ReasonToolMissing, "ffmpeg, which would repackage the container " + f.Media.Container + ", is not installed", nil})
		}
		d.Reasons = append(d.Reasons, Reason{Code: ReasonRepackage, Message: "container " + f.Media.Container + " is repackaged first"})
	}
	d.Method = MethodRemux
	for _, a := range d.Audio {
		if a.Track.Index != chosen {
			continue
		}
		switch a.Method {
		case AudioEncode:
			d.Method = MethodAudioEncode
		case AudioUnplayable:
			d.Method = MethodUnplayable
		}
		if a.Reason != nil { // it says more than why the file itself would not do
			d.Reasons = append(slices.DeleteFunc(d.Reasons, func(r Reason) bool { return r.Code == a.Reason.Code }), *a.Reason)
		}
	}
	return d
}

// standsInTheWay is what makes a file unplayable before anything is asked of the player.
func standsInTheWay(f domain.File) (Reason, bool) {
	switch {
	case f.State == domain.FileMissing:
		return Reason{Code: ReasonMissing, Message: "the file is missing on disk"}, true
	case f.State == domain.FileUnsupported:
		return Reason{Code: ReasonUnsupported, Message: "discs and disc images cannot be played yet"}, true
	case f.State == domain.FileFailed:
		message := f.Reason
		if message == "" {
			message = "the file could not be read"
		}
		return Reason{Code: ReasonUnreadable, Message: message}, true
	case f.State == domain.FileGrowing:
		return Reason{Code: ReasonNotReady, Message: "the file is still being written"}, true
	case f.Media == nil:
		return Reason{Code: ReasonNotReady, Message: "the file has not been read yet"}, true
	}
	return Reason{}, false
}

// notDirect says why the file itself will not do; nothing when it will. A player hears the default sound track of a file, so another
// one, and a choice, takes HLS.
func notDirect(f domain.File, c Capabilities, chosen int) []Reason {
	var reasons []Reason
	if !c.container(f.Media.Container) {
		reasons = append(reasons, Reason{Code: ReasonContainer, Message: "container " + f.Media.Container})
	}
	if len(f.Media.Audio) > 1 && c.HLS {
		reasons = append(reasons, Reason{Code: ReasonAudioChoice, Message: fmt.Sprintf("%d sound tracks to choose from", len(f.Media.Audio))})
	}
	for _, a := range f.Media.Audio {
		if a.Index == chosen && !c.audio(a) {
			reasons = append(reasons, Reason{ReasonAudioCodec, "sound codec " + a.Codec, &a.Index})
		}
		if a.Index == chosen && tooManyChannels(a, c) {
			reasons = append(reasons, channelsReason(a, c))
		}
	}
	return reasons
}

func tooManyChannels(a domain.Audio, c Capabilities) bool {
	return c.MaxAudioChannels > 0 && a.Channels > max(2, c.MaxAudioChannels)
}

func channelsReason(a domain.Audio, c Capabilities) Reason {
	return Reason{ReasonChannels, fmt.Sprintf("%d sound channels over %d", a.Channels, c.MaxAudioChannels), &a.Index}
}

func decideAudio(a domain.Audio, c Capabilities, tools bool) AudioDecision {
	d := AudioDecision{Track: a, Method: AudioCopy}
	switch {
	case !c.audio(a) || !slices.Contains(segmentAudio, a.Codec):
		d.Method, d.Reason = AudioEncode, &Reason{ReasonAudioCodec, "sound codec " + a.Codec + " is encoded to AAC", &a.Index}
	case tooManyChannels(a, c):
		reason := channelsReason(a, c)
		d.Method, d.Reason = AudioEncode, &reason
	}
	if d.Method == AudioEncode && !tools {
		d.Method, d.Reason = AudioUnplayable, &Reason{ReasonToolMissing, "ffmpeg, which would encode sound codec " + a.Codec + ", is not installed", &a.Index}
	}
	return d
}
