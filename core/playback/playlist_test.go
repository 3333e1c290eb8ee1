package playback

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/media"
)

func TestMasterPlaylistOffersEverySoundTrack(t *testing.T) {
	t.Parallel()
	got := masterPlaylist(variant{bandwidth: 5_000_000, codecs: "avc1.640028", width: 1920, height: 1080, frameRate: 23.976, uri: "video/0/index.m3u8"}, []rendition{
		{name: `The "Director"`, language: "en", codecs: "mp4a.40.2", channels: 2, uri: "audio/1/aac/index.m3u8"},
		{name: "Deutsch", language: "de", codecs: "opus", channels: 6, selected: true, uri: "audio/2/copy/index.m3u8"},
	})
	want := `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="The 'Director'",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="audio/1/aac/index.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Deutsch",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="6",URI="audio/2/copy/index.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=5000000,CODECS="avc1.640028,opus,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=23.976,AUDIO="audio"
video/0/index.m3u8
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if silent := masterPlaylist(variant{uri: "v"}, nil); strings.Contains(silent, "CODECS") || strings.Contains(silent, "AUDIO=") {
		t.Errorf("without sound and codecs:\n%s", silent)
	}
}

func TestDurationsOfAPlaylistSumUpToItsTimes(t *testing.T) {
	t.Parallel()
	timeline := media.Timeline{}
	for n := range 2000 {
		timeline.Segments = append(timeline.Segments, media.Segment{Start: float64(n) * 144144 / 24000, Duration: 6.006})
	}
	text := mediaPlaylist(timeline, "?token=x")
	sum, n := 0.0, 0
	for line := range strings.SplitSeq(text, "\n") {
		if value, ok := strings.CutPrefix(line, "#EXTINF:"); ok {
			if math.Abs(sum-timeline.Segments[n].Start) > 1e-6 {
				t.Fatalf("segment %d begins at %f by the playlist, at %f by its own time", n, sum, timeline.Segments[n].Start)
			}
			seconds, err := strconv.ParseFloat(strings.TrimSuffix(value, ","), 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += seconds
			n++
		}
	}
	for _, want := range []string{"#EXT-X-VERSION:7\n", "#EXT-X-TARGETDURATION:7\n", `#EXT-X-MAP:URI="init.mp4?token=x"`, "#EXT-X-INDEPENDENT-SEGMENTS\n", "\n1999.m4s?token=x\n#EXT-X-ENDLIST\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q", want)
		}
	}
	if n != 2000 {
		t.Errorf("%d segments", n)
	}
}

func TestWebVTTHoldsNoMarkup(t *testing.T) {
	t.Parallel()
	got := webVTT([]media.Cue{
		{Start: 1.5, End: 3, Text: "<script>alert(1)</script> & more\r\n\r\n00:00:01.000 --> 00:00:09.000"}, {Start: 3661.0004, End: 3662, Text: "late"}, {Start: 5, End: 5, Text: "no time"}, {Start: 6, End: 7, Text: " \n"},
	})
	want := "WEBVTT\n\n00:00:01.500 --> 00:00:03.000\n&lt;script&gt;alert(1)&lt;/script&gt; &amp; more\n00:00:01.000 --&gt; 00:00:09.000\n\n01:01:01.000 --> 01:01:02.000\nlate\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestEveryGridPacketIsInExactlyOneSegment(t *testing.T) {
	t.Parallel()
	timeline := media.Timeline{Segments: []media.Segment{{Start: 0, Duration: 6.006}, {Start: 6.006, Duration: 7.3}, {Start: 13.306, Duration: 0.01}, {Start: 13.316, Duration: 4}}}
	next := int64(0)
	for n := range timeline.Segments {
		first, end := gridPackets(timeline, n)
		if first != next || end < first {
			t.Fatalf("segment %d has packets %d to %d after %d", n, first, end, next)
		}
		for k := first; k < end; k++ {
			at := float64(k) * gridPacket / encodedRate
			if s := timeline.Segments[n]; at < s.Start-1e-6 || at >= s.Start+s.Duration+1e-6 {
				t.Fatalf("packet %d of second %f is in segment %d", k, at, n)
			}
		}
		next = end
	}
}

func TestTrackNamesAreDifferent(t *testing.T) {
	t.Parallel()
	taken := map[string]bool{}
	var names []string
	for i, a := range []domain.Audio{{Language: "eng"}, {Language: "ger", Title: "Stereo"}, {Language: "fre", Title: "Stereo"}, {Language: "eng"}, {}, {Language: "eng"}} {
		a.Index = i
		names = append(names, trackName(a, taken))
	}
	if got := strings.Join(names, ", "); got != "English, Stereo, Stereo (French), English 2, Track 4, English 3" {
		t.Error(got)
	}
}

func TestRenditionsComeFromTheAddress(t *testing.T) {
	t.Parallel()
	m := domain.Media{Audio: []domain.Audio{{Index: 1, Codec: "ac3", CodecString: "ac-3", Channels: 6, Language: "ger"}, {Index: 3, Codec: "aac", CodecString: "mp4a.40.2", Channels: 2}}}
	list, err := renditions(m, MasterRequest{Audio: "1-aac.3-copy", Selected: 3}, "?token=t")
	if err != nil || len(list) != 2 || list[0].codecs != encodedCodec || list[0].channels != 2 || list[0].language != "de" || list[0].selected || !list[1].selected ||
		list[1].uri != "audio/3/copy/index.m3u8?token=t" {
		t.Errorf("%+v, %v", list, err)
	}
	for _, bad := range []string{"2-copy", "1-mp3", "x", "1"} {
		if _, err := renditions(m, MasterRequest{Audio: bad}, ""); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if list, err := renditions(m, MasterRequest{}, ""); err != nil || len(list) != 0 {
		t.Errorf("no sound: %+v, %v", list, err)
	}
}
