package ffmpeg

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

// frame is how many samples one AAC-LC packet holds (ISO/IEC 14496-3, 4.5.2.1.1).
const frame = 1024

// quality is FFmpeg's variable bit rate: as good as 192 kbit/s in stereo. A fixed rate would start each segment with an empty bit
// reservoir, which can be heard.
const quality = "1.6"

// pipeFormats are the demuxers that a raw stream may be read with, and whether it needs to be told rate and channels.
var pipeFormats = map[string]bool{
	"ac3": false, "eac3": false, "dts": false, "truehd": false, "mlp": false, "mp3": false, "flac": false, "aac": false, "loas": false, "ogg": false,
	"s16le": true, "s24le": true, "s32le": true, "s16be": true, "s24be": true, "s32be": true, "f32le": true, "f64le": true, "f32be": true, "f64be": true, "u8": true, "s8": true,
	"alaw": true, "mulaw": true,
}

// EncodeAudio implements media.Transcoder.
//
// The encoder is fed from AudioLeadPackets before the first packet asked for until AudioTailPackets after the last, and
// what it makes of the margins is dropped: by then its state is that of one long run, so that neighbours join. Samples
// before Stretch.Start count as silence, which is right where the track begins there; a caller in the middle of a film must let the
// source begin at least AudioLeadPackets (plus one source packet) early. An empty stretch (Packets 0) is silence throughout.
func (t *Transcoder) EncodeAudio(ctx context.Context, req media.EncodeAudio, w io.Writer) error {
	if t.ffmpeg.missing != nil {
		return t.ffmpeg.missing
	}
	args, source, err := encoding(req)
	if err != nil {
		return err
	}
	fed := req.Packets + media.AudioLeadPackets + media.AudioTailPackets + 4
	adts, err := t.output(ctx, job{program: t.ffmpeg, args: args, stdin: source, maxOutput: int64(fed) * (8191 + 1), waited: true})
	if err != nil {
		return err
	}
	// FFmpeg's encoder is primed with one frame: its packet 0 is of the grid packet before the first that it was fed.
	wanted, err := cutADTS(adts, media.AudioLeadPackets+1, req.Packets)
	if err != nil {
		return err
	}
	_, err = w.Write(wanted)
	return err
}

// encoding builds the command line and the input of one encode.
func encoding(req media.EncodeAudio) ([]string, io.Reader, error) {
	rate, channels := req.Format.SampleRate, req.Format.Channels
	if rate < 8000 || rate > 96000 || channels < 1 || channels > 8 || req.Packets < 1 || req.Packets > 1<<16 || req.FirstPacket < 0 || req.FirstPacket > 1<<40 {
		return nil, nil, fault.New(fault.Internal, media.CodeToolFailed, "AAC cannot be made of %d Hz with %d channels in %d packets from %d.", rate, channels, req.Packets, req.FirstPacket)
	}
	stretch, source := req.Stretch, req.Source
	if stretch.Packets == 0 || source == nil {
		samples := int64(req.Packets+media.AudioLeadPackets+media.AudioTailPackets) * frame
		stretch = media.Stretch{Format: "s16le", SampleRate: rate, Channels: 1, Start: float64(req.FirstPacket-media.AudioLeadPackets) * frame / float64(rate)}
		source = io.LimitReader(silence{}, samples*2)
	}
	raw, known := pipeFormats[stretch.Format]
	if !known || math.IsNaN(stretch.Start) || math.Abs(stretch.Start) > 1e7 {
		return nil, nil, fault.New(fault.Internal, media.CodeToolFailed, "FFmpeg is not given sound as %q at %v.", stretch.Format, stretch.Start)
	}
	from := (req.FirstPacket - media.AudioLeadPackets) * frame
	length := int64(req.Packets+media.AudioLeadPackets+media.AudioTailPackets) * frame

	args := append(quiet(), "-protocol_whitelist", "file,pipe", "-format_whitelist", stretch.Format, "-f", stretch.Format)
	if raw {
		if stretch.SampleRate < 1 || stretch.Channels < 1 {
			return nil, nil, fault.New(fault.Internal, media.CodeToolFailed, "PCM needs its sample rate and channels.")
		}
		args = append(args, "-ar", strconv.Itoa(stretch.SampleRate), "-ac", strconv.Itoa(stretch.Channels))
	}
	// The cut is made at a sample of the source that is one of the result too, so that every segment is resampled by the same steps and its
	// neighbours' sound goes on in it without a jump of a part of a sample.
	heard := stretch.SampleRate
	if heard < 1 {
		heard = rate
	}
	common := gcd(rate, heard)
	cut := floorDiv(from, int64(rate/common))
	skip := cut*int64(heard/common) - int64(math.Round(stretch.Start*float64(heard)))
	// first_pts=0 puts silence where a decoder swallows its first packets (TrueHD before a major sync, MP3 without its reservoir), so that counting stays right.
	// Seconds and not samples, since a decoder may give twice the rate that its stream declares (SBR that the header keeps to itself).
	filter := "aresample=first_pts=0"
	if skip < 0 {
		filter += fmt.Sprintf(",adelay=%.6f:all=1", float64(-skip)*1000/float64(heard))
		skip = 0
	}
	filter += fmt.Sprintf(",atrim=start=%.6f,asetpts=PTS-STARTPTS,aresample=%d", float64(skip)/float64(heard), rate)
	skip = from - cut*int64(rate/common)
	filter += fmt.Sprintf(",atrim=start_sample=%d:end_sample=%d,asetpts=PTS-STARTPTS", skip, skip+length)
	args = append(args, "-i", "pipe:0", "-map", "0:a:0", "-map_metadata", "-1", "-threads", "1", "-af", filter,
		"-c:a", "aac", "-q:a", quality, "-ac", strconv.Itoa(channels), "-ar", strconv.Itoa(rate), "-f", "adts", "pipe:1")
	return args, source, nil
}

func gcd(a, b int) int {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// floorDiv is a/b rounded down.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// cutADTS returns packets [skip, skip+n) of an ADTS stream (ISO/IEC 13818-7, 6.2), fewer where it ends.
func cutADTS(adts []byte, skip, n int) ([]byte, error) {
	start, end := -1, 0
	for i, at := 0, 0; at < len(adts) && i < skip+n; i++ {
		if len(adts)-at < 7 || adts[at] != 0xff || adts[at+1]&0xf6 != 0xf0 {
			return nil, failed(fmt.Errorf("no ADTS header at byte %d of %d", at, len(adts)), "", "FFmpeg's sound could not be read back.")
		}
		length := int(adts[at+3]&3)<<11 | int(adts[at+4])<<3 | int(adts[at+5])>>5
		if length < 7 || at+length > len(adts) {
			return nil, failed(fmt.Errorf("ADTS packet of %d bytes at %d of %d", length, at, len(adts)), "", "FFmpeg's sound could not be read back.")
		}
		if i == skip {
			start = at
		}
		at += length
		end = at
	}
	if start < 0 {
		return nil, fault.New(fault.NotFound, media.CodeNoSegment, "The sound track ends before this segment.")
	}
	return bytes.Clone(adts[start:end]), nil
}

// silence is endless zeroes.
type silence struct{}

func (silence) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
