package ffmpeg_test

import (
	"testing"

	"github.com/revenge-media/revenge/adapters/ffmpeg"
	"github.com/revenge-media/revenge/testkit/transcodertest"
)

func open(t *testing.T, config ffmpeg.Config) *ffmpeg.Transcoder {
	t.Helper()
	tc, err := ffmpeg.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tc.Close() })
	return tc
}

func TestConformance(t *testing.T) {
	t.Parallel()
	transcodertest.Run(t, func(t *testing.T) transcodertest.Harness {
		return transcodertest.Harness{Transcoder: open(t, ffmpeg.Config{})}
	})
}
