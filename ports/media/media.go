// Package media is what the core needs from whatever understands containers and codecs: reading their facts,
// cutting them into CMAF segments without touching a packet, encoding the little that must be encoded.
//
// Time is float64 seconds on the film's own axis, which begins at 0 (containers that begin elsewhere are shifted).
// Track numbers are positions among all tracks of the file from 0, as in domain.Media (Video.Index …).
package media

import (
	"context"
	"io"

	"github.com/revenge-media/revenge/core/domain"
)

// Input is a file to read. Reader is confined to its library; Path is the absolute path of the same file for
// programs that must open it themselves, checked when the Input was made.
type Input struct {
	Path   string
	Reader io.ReaderAt
	Size   int64
}

// Fault codes that every adapter uses.
const (
	// CodeUnknownContainer (Invalid): the bytes are of no container that this adapter reads. Try another one.
	CodeUnknownContainer = "media.unknown_container"
	// CodeTruncated (Invalid): the file ends before its structure does, so it is damaged or still being copied.
	CodeTruncated = "media.truncated"
	// CodeDamaged (Invalid): the structure contradicts itself, or its tables exceed what a file of this size can hold.
	CodeDamaged = "media.damaged"
	// CodeEmpty (Invalid): no bytes.
	CodeEmpty = "media.empty"
	// CodeNoVideo (Invalid): a good container without a picture track.
	CodeNoVideo = "media.no_video"
	// CodeRefused (Invalid): a playlist or other indirection in disguise, which is never followed (S23).
	CodeRefused = "media.refused"
	// CodeToolMissing (Unavailable): ffmpeg or ffprobe is not installed; the message says how to get it.
	CodeToolMissing = "media.tool_missing"
	// CodeToolFailed (Internal): the tool ended with an error or over a limit.
	CodeToolFailed = "media.tool_failed"
	// CodeNoSegment (NotFound): no such track or segment.
	CodeNoSegment = "media.no_segment"
)

// Prober reads a container's facts. It reads only what it must, never follows a reference out of the file, and its
// memory is bounded by the size of the file's own tables, whatever those claim.
type Prober interface {
	// Probe returns what the file is. Faults: CodeUnknownContainer, CodeTruncated, CodeDamaged, CodeEmpty, CodeNoVideo, CodeRefused, CodeToolMissing.
	Probe(ctx context.Context, in Input) (domain.Media, error)
}

// Segment is one stretch of the timeline.
type Segment struct {
	Start    float64
	Duration float64
}

// Timeline is the grid that all renditions of a file share: segment n of every track covers [Start(n), Start(n+1)).
// It is cut at keyframes of the first picture track only.
type Timeline struct {
	Segments []Segment
	Duration float64
}

// Packager reads MP4 and Matroska in process and writes fragmented MP4 (ISO/IEC 23000-19 CMAF) from their packets.
// Everything it writes is a pure function of file content, index, track and number: any process makes any segment in any
// order, and the segments of a track together hold each packet of the source exactly once, in decode order.
type Packager interface {
	Prober
	// Index returns the file's facts and an index that makes segments cheap. The index is opaque, versioned by its first bytes,
	// compact (a few bytes a packet at most) and valid for exactly this content. An index of another version of the
	// program is refused by the other methods with CodeDamaged, and is then made anew.
	Index(ctx context.Context, in Input) (domain.Media, []byte, error)
	// Timeline returns the segment grid: each segment at least target seconds where keyframes allow, the same for the same index.
	Timeline(index []byte) (Timeline, error)
	// Init writes the initialisation segment of one track.
	Init(ctx context.Context, in Input, index []byte, track int, w io.Writer) error
	// Segment writes media segment n (from 0) of one track.
	Segment(ctx context.Context, in Input, index []byte, track, n int, w io.Writer) error
	// Elementary writes the packets of an audio track whose time falls into [from, to) as a raw stream that a decoder takes from a
	// pipe: AC-3, E-AC-3, DTS, TrueHD, MP3 and FLAC frames as they are (FLAC with its header first), AAC as ADTS, Opus and Vorbis as Ogg, PCM as it is.
	Elementary(ctx context.Context, in Input, index []byte, track int, from, to float64, w io.Writer) (Stretch, error)
	// PackageAAC makes fragmented MP4 of AAC-LC packets in ADTS (ISO/IEC 13818-7), the first of which has the number firstPacket on the
	// grid of 1,024 samples: an initialisation segment when adts is nil, else a media segment with the given sequence number.
	PackageAAC(format AACFormat, adts []byte, firstPacket int64, sequence int, w io.Writer) error
	// Cues returns all cues of an embedded text subtitle track, in order.
	Cues(ctx context.Context, in Input, index []byte, track int) ([]Cue, error)
}

// IndexKey is where the index of a file's content is kept among the blobs: written when the file is read, used when it is played.
func IndexKey(revision string) string { return "index/" + revision }

// Stretch describes what Elementary wrote.
type Stretch struct {
	// Format is ffmpeg's demuxer name for the pipe ("ac3", "eac3", "dts", "truehd", "mp3", "flac", "aac", "ogg", "s16le"…).
	Format     string
	Start      float64 // seconds: time of the first sample written, to a sample even where the container rounds times but packets tell their lengths
	SampleRate int
	Channels   int
	Packets    int
}

// AACFormat is what the encoder was told to make.
type AACFormat struct {
	SampleRate int // Hz
	Channels   int
	Language   string // ISO 639-2/T for the media header, "" is "und"
}

// Cue is one subtitle: plain text, lines split by '\n', no markup.
type Cue struct {
	Start, End float64
	Text       string
}

// AudioLeadPackets and AudioTailPackets are the margins, in grid packets, that a source given to EncodeAudio needs so that
// neighbouring encodes join: it begins at or before packet FirstPacket-AudioLeadPackets (ask Elementary for a little more, since it starts with
// the first whole source packet) where the track has that much, and reaches to packet FirstPacket+Packets+AudioTailPackets.
const (
	AudioLeadPackets = 8
	AudioTailPackets = 3
)

// EncodeAudio asks for AAC on the 1,024-sample grid. Samples before Stretch.Start count as silence, which is right where the track
// begins late; a Stretch without packets is silence throughout.
type EncodeAudio struct {
	// Source is the elementary stream; Stretch says what it is and when it starts.
	Source  io.Reader
	Stretch Stretch
	Format  AACFormat
	// FirstPacket and Packets choose grid packets [FirstPacket, FirstPacket+Packets): packet k covers the samples from k*1024 on,
	// at Format.SampleRate, of the film's own axis.
	FirstPacket int64
	Packets     int
}

// Transcoder runs what needs a codec. Every process that it starts is limited in CPU, memory, time and output, reads no
// standard input but its pipe, opens only its input by the protocols file and pipe (S23), and dies with ctx (R12).
type Transcoder interface {
	Prober
	// Available returns the version, or a CodeToolMissing fault that says how to install it.
	Available(ctx context.Context) (string, error)
	// EncodeAudio writes ADTS packets of exactly the grid packets asked for (fewer only at the end of the stream); neighbours asked for
	// separately join without a click.
	EncodeAudio(ctx context.Context, req EncodeAudio, w io.Writer) error
	// Frame returns a JPEG of the picture nearest to at, scaled down to at most width pixels; black frames are avoided by looking on a little.
	Frame(ctx context.Context, in Input, at float64, width int) ([]byte, error)
	// Repackage copies all packets of a container that Packager cannot read into Matroska at the absolute path out, which it creates.
	// progress, where not nil, is told seconds done now and then.
	Repackage(ctx context.Context, in Input, out string, progress func(seconds float64)) error
}

// SubtitleParser reads subtitle files.
type SubtitleParser interface {
	// Parse reads a whole file ("srt", "vtt", "ass", "ssa") in any usual encoding into plain cues, in order. Invalid with "subtitles.unreadable".
	Parse(format string, data []byte) ([]Cue, error)
}
