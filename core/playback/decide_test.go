package playback

import (
	"slices"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
)

// browser is a Chromium: MP4 and WebM, H.264, VP9 and AV1, AAC, Opus and FLAC, HLS by Media Source Extensions.
var browser = Capabilities{
	Containers: []string{"mp4", "webm"},
	Video:      []VideoCapability{{Codec: "h264", CodecString: "avc1.640028"}, {Codec: "vp9", CodecString: "vp09.00.51.08"}, {Codec: "av1", MaxBitDepth: 10, MaxWidth: 1920}},
	Audio:      []string{"aac", "opus", "flac", "mp3"}, HLS: true, MaxAudioChannels: 8,
}

func film(container, video string, audio ...string) domain.File {
	f := domain.File{ID: domain.NewID(), State: domain.FileReady, Kind: domain.KindMovie, Revision: "ab", Media: &domain.Media{
		Container: container, Duration: 100, Indexed: container == "mp4" || container == "matroska" || container == "webm",
		Video: []domain.Video{{Index: 0, Codec: video, Width: 1920, Height: 1080, CodecString: "avc1.640028", BitDepth: 8}},
	}}
	for i, codec := range audio {
		f.Media.Audio = append(f.Media.Audio, domain.Audio{Index: i + 1, Codec: codec, Channels: 2, SampleRate: 48000, Default: i == 0})
	}
	return f
}

func with(f domain.File, change func(*domain.File)) domain.File {
	change(&f)
	return f
}

func TestDecide(t *testing.T) {
	t.Parallel()
	noHLS := browser
	noHLS.HLS = false
	stereo := browser
	stereo.MaxAudioChannels = 2
	for name, c := range map[string]struct {
		file    domain.File
		caps    Capabilities
		chosen  int
		noTools bool
		method  Method
		reasons string
	}{
		"mp4 as it is":                        {file: film("mp4", "h264", "aac"), chosen: 1, method: MethodDirect},
		"webm as it is":                       {file: film("webm", "vp9", "opus"), chosen: 1, method: MethodDirect},
		"silent":                              {file: film("mp4", "h264"), chosen: -1, method: MethodDirect},
		"matroska":                            {file: film("matroska", "h264", "aac"), chosen: 1, method: MethodRemux, reasons: ReasonContainer},
		"two sound tracks":                    {file: film("mp4", "h264", "aac", "aac"), chosen: 2, method: MethodRemux, reasons: ReasonAudioChoice},
		"two sound tracks without HLS":        {file: film("mp4", "h264", "aac", "aac"), caps: noHLS, chosen: 1, method: MethodDirect},
		"ac3":                                 {file: film("matroska", "h264", "ac3"), chosen: 1, method: MethodAudioEncode, reasons: ReasonContainer + " " + ReasonAudioCodec},
		"ac3 in mp4":                          {file: film("mp4", "h264", "ac3"), chosen: 1, method: MethodAudioEncode, reasons: ReasonAudioCodec},
		"mp3 is not for segments":             {file: film("matroska", "h264", "mp3"), chosen: 1, method: MethodAudioEncode, reasons: ReasonContainer + " " + ReasonAudioCodec},
		"ac3 without ffmpeg":                  {file: film("matroska", "h264", "ac3"), chosen: 1, noTools: true, method: MethodUnplayable, reasons: ReasonContainer + " " + ReasonAudioCodec + " " + ReasonToolMissing},
		"dts beside aac":                      {file: film("matroska", "h264", "dts", "aac"), chosen: 2, noTools: true, method: MethodRemux, reasons: ReasonContainer + " " + ReasonAudioChoice},
		"six channels for two":                {file: with(film("mp4", "h264", "aac"), func(f *domain.File) { f.Media.Audio[0].Channels = 6 }), caps: stereo, chosen: 1, method: MethodAudioEncode, reasons: ReasonChannels},
		"hevc":                                {file: film("mp4", "hevc", "aac"), chosen: 1, method: MethodUnplayable, reasons: ReasonTranscode},
		"mpeg4 in avi":                        {file: film("avi", "mpeg4", "mp3"), chosen: 1, method: MethodUnplayable, reasons: ReasonTranscode},
		"10 bit h264":                         {file: with(film("mp4", "h264", "aac"), func(f *domain.File) { f.Media.Video[0].BitDepth = 10 }), chosen: 1, method: MethodUnplayable, reasons: ReasonTranscode},
		"10 bit vp9":                          {file: with(film("webm", "vp9", "opus"), func(f *domain.File) { f.Media.Video[0].BitDepth = 10 }), chosen: 1, method: MethodUnplayable, reasons: ReasonTranscode},
		"10 bit av1":                          {file: with(film("mp4", "av1", "opus"), func(f *domain.File) { f.Media.Video[0].BitDepth = 10 }), chosen: 1, method: MethodDirect},
		"too wide":                            {file: with(film("mp4", "av1", "opus"), func(f *domain.File) { f.Media.Video[0].Width = 3840 }), chosen: 1, method: MethodUnplayable, reasons: ReasonTranscode},
		"4:4:4":                               {file: with(film("mp4", "h264", "aac"), func(f *domain.File) { f.Media.Video[0].CodecString = "avc1.f40028" }), chosen: 1, method: MethodUnplayable, reasons: ReasonTranscode},
		"open GOP":                            {file: with(film("mp4", "h264", "aac"), func(f *domain.File) { f.Media.OpenGOP = true }), chosen: 1, method: MethodUnplayable, reasons: ReasonOpenGOP},
		"transport stream":                    {file: film("mpegts", "h264", "aac"), chosen: 1, method: MethodRemux, reasons: ReasonContainer + " " + ReasonRepackage},
		"transport stream without ffmpeg":     {file: film("mpegts", "h264", "aac"), chosen: 1, noTools: true, method: MethodUnplayable, reasons: ReasonContainer + " " + ReasonToolMissing},
		"matroska without HLS":                {file: film("matroska", "h264", "aac"), caps: noHLS, chosen: 1, method: MethodUnplayable, reasons: ReasonContainer + " " + ReasonNoHLS},
		"missing":                             {file: with(film("mp4", "h264", "aac"), func(f *domain.File) { f.State = domain.FileMissing }), chosen: 1, method: MethodUnplayable, reasons: ReasonMissing},
		"disc":                                {file: with(film("mp4", "h264"), func(f *domain.File) { f.State = domain.FileUnsupported }), method: MethodUnplayable, reasons: ReasonUnsupported},
		"damaged":                             {file: with(film("mp4", "h264"), func(f *domain.File) { f.State, f.Reason = domain.FileFailed, "it ends early" }), method: MethodUnplayable, reasons: ReasonUnreadable},
		"growing":                             {file: with(film("mp4", "h264"), func(f *domain.File) { f.State = domain.FileGrowing }), method: MethodUnplayable, reasons: ReasonNotReady},
		"not read":                            {file: with(film("mp4", "h264"), func(f *domain.File) { f.Media = nil }), method: MethodUnplayable, reasons: ReasonNotReady},
		"a cover only":                        {file: with(film("mp4", "h264"), func(f *domain.File) { f.Media.Video[0].AttachedPicture = true }), method: MethodUnplayable, reasons: ReasonNoPicture},
		"theora in a container that it is in": {file: film("ogg", "theora", "vorbis"), caps: Capabilities{Containers: []string{"webm"}, Video: []VideoCapability{{Codec: "theora"}}, Audio: []string{"vorbis"}, HLS: true}, chosen: 1, method: MethodUnplayable, reasons: ReasonContainer + " " + ReasonTranscode},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caps := c.caps
			if caps.Containers == nil {
				caps = browser
			}
			d := Decide(c.file, caps, c.chosen, !c.noTools)
			var codes []string
			for _, r := range d.Reasons {
				codes = append(codes, r.Code)
				if r.Message == "" {
					t.Errorf("no sentence for %s", r.Code)
				}
			}
			if got := strings.Join(codes, " "); d.Method != c.method || got != c.reasons {
				t.Errorf("got %s because of %q, want %s because of %q", d.Method, got, c.method, c.reasons)
			}
		})
	}
	if d := Decide(film("mp4", "hevc", "aac"), browser, 1, true); d.Reasons[0].Message != "transcode required: codec hevc" || *d.Reasons[0].Track != 0 {
		t.Errorf("the reason reads %+v", d.Reasons[0])
	}
}

func TestBitDepthIsReadFromTheCodecString(t *testing.T) {
	t.Parallel()
	for codec, want := range map[string]int{"h264 avc1.640028": 8, "h264 avc1.6E0033": 10, "h264 ": 8, "hevc hvc1.1.6.L120.90": 8, "hevc hvc1.2.4.L153.90": 10, "hevc ": 0,
		"vp9 vp09.02.51.10": 10, "vp9 vp09.00.51.08": 8, "av1 av01.0.13M.10": 10, "vp8 vp8": 0} {
		name, s, _ := strings.Cut(codec, " ")
		if got := (VideoCapability{Codec: name, CodecString: s}).bitDepth(); got != want {
			t.Errorf("%s: %d bits, want %d", codec, got, want)
		}
	}
}

func TestChooseAudio(t *testing.T) {
	t.Parallel()
	tracks := []domain.Audio{
		{Index: 1, Language: "eng", Channels: 2, Commentary: true, Default: true}, {Index: 2, Language: "eng", Channels: 6}, {Index: 3, Language: "ger", Channels: 2}, {Index: 4, Language: "deu", Channels: 6},
	}
	for language, want := range map[string]int{"": 2, "eng": 2, "ger": 4, "de": 4, "fre": 2} {
		if got := chooseAudio(tracks, domain.Preferences{AudioLanguage: language}); got != want {
			t.Errorf("%q: track %d, want %d", language, got, want)
		}
	}
	flagged := []domain.Audio{{Index: 1, Channels: 6}, {Index: 2, Channels: 2, Default: true}}
	if got := chooseAudio(flagged, domain.Preferences{}); got != 2 {
		t.Errorf("the default track: %d", got)
	}
	if got := chooseAudio([]domain.Audio{{Index: 5, Channels: 2}, {Index: 6, Channels: 6}}, domain.Preferences{}); got != 5 {
		t.Errorf("without a flag the first track: %d", got)
	}
	if got := chooseAudio(nil, domain.Preferences{}); got != -1 {
		t.Errorf("silence: %d", got)
	}
}

func TestChooseSubtitle(t *testing.T) {
	t.Parallel()
	all := []subtitle{
		{id: "pgs", language: "eng"}, {id: "eng-sdh", language: "eng", text: true, impaired: true}, {id: "eng", language: "eng", text: true, isDefault: true},
		{id: "eng-forced", language: "eng", text: true, forced: true}, {id: "ger", language: "deu", text: true}, {id: "ger-forced", language: "ger", text: true, forced: true},
	}
	for name, c := range map[string]struct {
		prefs domain.Preferences
		heard string
		want  string
	}{
		"off":                           {domain.Preferences{SubtitleMode: "off", SubtitleLanguage: "eng"}, "eng", ""},
		"on, mine":                      {domain.Preferences{SubtitleMode: "on", SubtitleLanguage: "ger"}, "eng", "ger"},
		"on, none of mine":              {domain.Preferences{SubtitleMode: "on", SubtitleLanguage: "fre"}, "eng", "eng"},
		"on, no language":               {domain.Preferences{SubtitleMode: "on"}, "eng", "eng"},
		"auto, my own language":         {domain.Preferences{SubtitleMode: "auto", AudioLanguage: "eng"}, "eng", "eng-forced"},
		"auto, a foreign language":      {domain.Preferences{SubtitleMode: "auto", SubtitleLanguage: "ger"}, "eng", "ger"},
		"auto, foreign, none of mine":   {domain.Preferences{SubtitleMode: "auto", AudioLanguage: "fre"}, "ger", "eng"},
		"auto, nothing is known":        {domain.Preferences{SubtitleMode: "auto"}, "ger", "ger-forced"},
		"auto, heard in a third":        {domain.Preferences{SubtitleMode: "auto"}, "jpn", ""},
		"auto, what is heard is untold": {domain.Preferences{SubtitleMode: "auto"}, "", "eng-forced"},
	} {
		got := ""
		if i := chooseSubtitle(all, c.prefs, c.heard); i >= 0 {
			got = all[i].id
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestVersionsGroupParts(t *testing.T) {
	t.Parallel()
	file := func(key string, part int) domain.File {
		return with(film("mp4", "h264", "aac"), func(f *domain.File) { f.VersionKey, f.Part = key, part })
	}
	list := versionsOf([]domain.File{file("a", 2), file("a", 1), file("b", 0), file("b", 0), file("", 0), with(file("c", 0), func(f *domain.File) { f.State = domain.FileIgnored })})
	var parts []int
	keys := map[string]bool{}
	for _, v := range list {
		parts = append(parts, len(v.files))
		keys[v.key] = true
	}
	if !slices.Equal(parts, []int{2, 1, 1, 1}) || len(keys) != 4 || list[0].files[0].Part != 1 {
		t.Errorf("versions of %v files, keys %v", parts, keys)
	}
}

func TestTheBestVersionThatPlaysIsChosen(t *testing.T) {
	t.Parallel()
	uhd := with(film("matroska", "hevc", "aac"), func(f *domain.File) {
		f.VersionKey, f.Media.Video[0].Width, f.Media.Video[0].Height = "uhd", 3840, 2160
	})
	hd := with(film("matroska", "h264", "aac"), func(f *domain.File) { f.VersionKey, f.Size = "hd", 5 })
	hdDirect := with(film("mp4", "h264", "aac"), func(f *domain.File) { f.VersionKey, f.Size = "hd mp4", 4 })
	sd := with(film("mp4", "h264", "aac"), func(f *domain.File) { f.VersionKey, f.Media.Video[0].Width, f.Media.Video[0].Height = "sd", 640, 480 })
	for name, c := range map[string]struct {
		files []domain.File
		want  string
	}{
		"the larger picture":   {[]domain.File{sd, hd}, "hd"},
		"the cheaper method":   {[]domain.File{sd, hd, hdDirect}, "hd mp4"},
		"not what cannot play": {[]domain.File{uhd, sd}, "sd"},
		"nothing":              {[]domain.File{uhd}, ""},
	} {
		versions := versionsOf(c.files)
		var plans []VersionPlan
		for _, v := range versions {
			plans = append(plans, describe(v, browser, domain.Preferences{}, true))
		}
		i, err := choosePlan(versions, plans, Request{})
		got := ""
		if i >= 0 {
			got = plans[i].Key
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q, want %q: %v", name, got, c.want, err)
		}
	}
}
