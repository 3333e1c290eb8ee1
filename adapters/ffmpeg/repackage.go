package ffmpeg

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

// Repackage implements media.Transcoder. Picture tracks that are covers, data, and subtitles that Matroska has no form for
// are left out; MP4's text subtitles become SubRip and disc PCM becomes FLAC, both without loss. AVI's packed B-frames are unpacked and missing
// times made. The copy may be larger than the original by a quarter and 64 MiB before it is stopped. A failed copy leaves no file.
func (t *Transcoder) Repackage(ctx context.Context, in media.Input, out string, progress func(seconds float64)) (err error) {
	if !filepath.IsAbs(out) || strings.ContainsRune(out, 0) {
		return fault.New(fault.Internal, media.CodeToolFailed, "FFmpeg is given absolute paths only.")
	}
	found, err := t.probe(ctx, in)
	if err != nil {
		return err
	}
	args := append(quiet(), "-y", "-nostats", "-progress", "pipe:1", "-fflags", "+genpts+discardcorrupt", "-err_detect", "ignore_err")
	args = append(args, reading("file:"+in.Path)...)
	args = append(args, copying(found)...)
	args = append(args, "-map_chapters", "0", "-max_muxing_queue_size", "4096", "-avoid_negative_ts", "make_zero", "-f", "matroska", "file:"+out)

	defer func() {
		if err != nil {
			_ = os.Remove(out)
		}
	}()
	stderr, err := t.run(ctx, job{
		program: t.ffmpeg, args: args, stdout: &progressReader{tell: progress}, maxOutput: 64 << 20,
		wall: t.config.RepackageTimeout, maxFile: in.Size + in.Size/4 + 64<<20,
	})
	if err != nil {
		return asFault(ctx, err, stderr)
	}
	if info, err := os.Stat(out); err != nil || info.Size() == 0 {
		return failed(err, stderr, "FFmpeg wrote nothing for this film.")
	}
	return nil
}

// copying chooses the tracks and, for the few that Matroska cannot hold as they are, what they become.
func copying(found probed) []string {
	args := []string{"-c", "copy"}
	var video, audio, subtitles int
	take := func(s stream) { args = append(args, "-map", "0:"+strconv.Itoa(s.Index)) }
	for _, s := range found.Streams {
		switch s.CodecType {
		case "video":
			if s.Disposition["attached_pic"] == 1 || s.CodecName == "" {
				continue
			}
			take(s)
			if s.CodecName == "mpeg4" {
				args = append(args, fmt.Sprintf("-bsf:v:%d", video), "mpeg4_unpack_bframes")
			}
			video++
		case "audio":
			if s.CodecName == "" || s.CodecName == "none" {
				continue
			}
			take(s)
			if s.CodecName == "pcm_bluray" || s.CodecName == "pcm_dvd" {
				args = append(args, fmt.Sprintf("-c:a:%d", audio), "flac")
			}
			audio++
		case "subtitle":
			switch s.CodecName {
			case "mov_text", "text":
				args = append(args, fmt.Sprintf("-c:s:%d", subtitles), "srt")
			case "subrip", "srt", "ass", "ssa", "webvtt", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "hdmv_text_subtitle":
			default:
				continue
			}
			take(s)
			subtitles++
		}
	}
	return args
}

// progressReader understands ffmpeg's -progress lines.
type progressReader struct {
	tell func(seconds float64)
	line []byte
}

func (p *progressReader) Write(b []byte) (int, error) {
	if p.tell == nil {
		return len(b), nil
	}
	p.line = append(p.line, b...)
	for {
		end := bytes.IndexByte(p.line, '\n')
		if end < 0 {
			return len(b), nil
		}
		if value, ok := bytes.CutPrefix(p.line[:end], []byte("out_time_us=")); ok {
			if us, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err == nil && us >= 0 {
				p.tell(float64(us) / 1e6)
			}
		}
		p.line = p.line[end+1:]
	}
}
