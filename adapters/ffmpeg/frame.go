package ffmpeg

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

// Frame implements media.Transcoder. It takes the first picture at or after at that is not nearly all black: from every picture of the next
// 5 s, else from the keyframes of the next 2 minutes, else the black one, and what the film begins with where nothing can be decoded there.
func (t *Transcoder) Frame(ctx context.Context, in media.Input, at float64, width int) ([]byte, error) {
	input, err := check(in)
	if err != nil {
		return nil, err
	}
	if math.IsNaN(at) || at < 0 || at > 1e7 || width < 16 || width > 8192 {
		return nil, fault.New(fault.Internal, media.CodeToolFailed, "No frame can be taken at %v s with %d pixels.", at, width)
	}
	// Square pixels first (anamorphic DVDs), then never larger than asked. blackframe and metadata let only brighter pictures through.
	scale := fmt.Sprintf(`scale=w='max(2,trunc(iw*sar/2)*2)':h=ih,setsar=1,scale=w='min(%d,iw)':h=-2:flags=area:out_range=pc`, width&^1)
	bright := ",format=yuvj420p,blackframe=amount=0:threshold=40,metadata=mode=select:key=lavfi.blackframe.pblack:value=90:function=less"
	attempts := []struct {
		at      float64
		reading []string
		filter  string
	}{
		{at, []string{"-t", "5"}, scale + bright},
		{at, []string{"-skip_frame", "nokey", "-t", "120"}, scale + bright},
		{at, nil, scale + ",format=yuvj420p"},
		{0, nil, scale + ",format=yuvj420p"},
	}
	var said string
	for _, try := range attempts {
		args := append(quiet(), "-threads", "2", "-ss", decimal(try.at))
		args = append(args, try.reading...)
		args = append(args, reading(input)...)
		args = append(args, "-map", "0:V:0", "-an", "-sn", "-dn", "-map_metadata", "-1", "-vf", try.filter,
			"-frames:v", "1", "-c:v", "mjpeg", "-threads", "1", "-q:v", "3", "-f", "image2pipe", "pipe:1")
		var jpeg bytes.Buffer
		stderr, err := t.run(ctx, job{program: t.ffmpeg, args: args, stdout: &jpeg, maxOutput: 32 << 20})
		if err != nil {
			if fromFile := fileFault(in, stderr, err); fromFile != nil && ctx.Err() == nil {
				err = fromFile
			}
			return nil, asFault(ctx, err, stderr)
		}
		if jpeg.Len() > 0 {
			return jpeg.Bytes(), nil
		}
		said = stderr
	}
	return nil, failed(nil, said, "No picture could be decoded from this film.")
}
