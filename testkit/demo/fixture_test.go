package demo_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/revenge-media/revenge/testkit/demo"
)

type probed struct {
	Streams []struct {
		CodecName   string            `json:"codec_name"`
		CodecType   string            `json:"codec_type"`
		Channels    int               `json:"channels"`
		StartTime   string            `json:"start_time"`
		Tags        map[string]string `json:"tags"`
		Disposition map[string]int    `json:"disposition"`
	} `json:"streams"`
	Chapters []struct{} `json:"chapters"`
	Format   struct {
		Duration string `json:"duration"`
	} `json:"format"`
}

func probe(t *testing.T, path string) (out probed) {
	t.Helper()
	text, err := exec.Command("ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_chapters", "-show_format", path).Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &out))
	return out
}

func TestEveryFixtureHasTheTracksItPromises(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"h264-aac.mp4": "h264 aac", "moov-at-end.mp4": "h264 aac", "fragmented.mp4": "h264 aac", "edit-list.mp4": "h264 aac",
		"delayed-audio.mp4": "h264 aac", "open-gop.mp4": "h264 aac", "mov-text.mp4": "h264 aac mov_text mov_text",
		"h264-ac3.mkv": "h264 ac3 ac3 subrip subrip subrip", "h264-aac.mkv": "h264 aac", "h264-eac3.mkv": "h264 eac3", "h264-dts.mkv": "h264 dts",
		"h264-truehd.mkv": "h264 truehd", "h264-flac.mkv": "h264 flac", "hevc.mkv": "hevc aac", "hevc-hdr10.mkv": "hevc aac",
		"vfr.mkv": "h264 aac", "no-cues.mkv": "h264 aac", "text-subtitles.mkv": "h264 aac subrip ass", "vp9-opus.webm": "vp9 opus",
		"h264-aac.ts": "h264 aac", "mpeg4-mp3.avi": "mpeg4 mp3",
	}
	require.Len(t, demo.Fixtures(), len(want))
	for _, fixture := range demo.Fixtures() {
		t.Run(fixture.Name(), func(t *testing.T) {
			t.Parallel()
			film := probe(t, demo.File(t, fixture))
			var codecs []string
			for _, stream := range film.Streams {
				if stream.CodecType != "data" { // ffmpeg shows an MP4's chapters as a track too
					codecs = append(codecs, stream.CodecName)
				}
			}
			require.Equal(t, want[fixture.Name()], strings.Join(codecs, " "))
			if fixture.Name() != "no-cues.mkv" {
				require.Regexp(t, `^1[67]\.`, film.Format.Duration)
			}
		})
	}
}

func TestRippedDiscFixtureHasLanguagesFlagsAndChapters(t *testing.T) {
	t.Parallel()
	film := probe(t, demo.File(t, demo.H264AC3MKV))
	require.Len(t, film.Chapters, 4)
	require.Equal(t, []int{6, 2}, []int{film.Streams[1].Channels, film.Streams[2].Channels})
	var tracks []string
	for _, stream := range film.Streams[1:] {
		track := stream.Tags["language"]
		for _, flag := range []string{"default", "forced"} {
			if stream.Disposition[flag] == 1 {
				track += " " + flag
			}
		}
		tracks = append(tracks, track)
	}
	require.Equal(t, []string{"eng default", "deu", "eng default", "deu", "eng forced"}, tracks)
	require.Len(t, probe(t, demo.File(t, demo.H264AAC)).Chapters, 4)
	// The encoder's priming (1,024 samples) comes before the half second is over.
	require.Regexp(t, `^0\.(478|500)`, probe(t, demo.File(t, demo.DelayedAudio)).Streams[1].StartTime)
}
