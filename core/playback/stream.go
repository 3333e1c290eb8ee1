package playback

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/language"
	"github.com/revenge-media/revenge/ports/files"
)

// The ways in which a sound track is streamed, as addresses name them.
const (
	StreamCopy = "copy" // its own packets
	StreamAAC  = "aac"  // encoded
)

// Content is a file played directly, for a host to send and close.
type Content struct {
	File files.Open
	MIME string
	ETag string // quoted
	// StillAllowed fails once the viewer's session has ended or the library is not visible any more. A host asks at least once a second
	// while it sends, and breaks off then (S7).
	StillAllowed func(ctx context.Context) error
}

// Direct opens a file as it is.
func (s *Service) Direct(ctx context.Context, actor domain.Actor, file domain.ID, revision string) (*Content, error) {
	l, err := s.locate(ctx, actor, file, revision)
	if err != nil {
		return nil, err
	}
	open, err := s.open(ctx, l)
	if err != nil {
		return nil, err
	}
	s.plays.seen(actor, file, MethodDirect, s.Now())
	return &Content{
		File: open, MIME: mimeOf(l.file.Media.Container), ETag: `"` + l.file.Revision + `"`,
		StillAllowed: func(ctx context.Context) error { return s.stillAllowed(ctx, actor, l) },
	}, nil
}

// stillAllowed asks again what locate asked, for a response that goes on for long: the session or the API key too, and the roles that its account has by now.
func (s *Service) stillAllowed(ctx context.Context, actor domain.Actor, l located) error {
	actor, err := s.Keys.Current(ctx, actor)
	if err != nil {
		return err
	}
	scope, err := s.reader(ctx, actor)
	if err == nil && !scope.Sees(l.file.LibraryID) {
		err = fault.New(fault.NotFound, "file.not_found", "There is no such file.")
	}
	return err
}

// MasterRequest is what the address of a master playlist says.
type MasterRequest struct {
	// Audio lists sound tracks and how each is streamed: "1-copy.2-aac".
	Audio string
	// Selected is the index of the one to begin with.
	Selected int
	// Query ("token=…") is added to the addresses in the playlist.
	Query string
}

// Master writes the master playlist of a file: its picture and the sound tracks that were asked for.
func (s *Service) Master(ctx context.Context, actor domain.Actor, file domain.ID, revision string, r MasterRequest) (string, error) {
	l, err := s.locate(ctx, actor, file, revision)
	if err != nil {
		return "", err
	}
	f := l.file
	v := picture(*f.Media)
	if v == nil {
		return "", noTrack()
	}
	// Whoever opens the playlist needs the copy next: it begins to be made now, and the request waits for it.
	if !f.Media.Indexed {
		src, err := s.source(ctx, l)
		if err != nil {
			return "", err
		}
		src.close()
	}
	query := suffix(r.Query)
	audio, err := renditions(*f.Media, r, query)
	if err != nil {
		return "", err
	}
	bandwidth := f.Media.BitRate
	if bandwidth <= 0 && f.Media.Duration > 0 {
		bandwidth = int64(float64(f.Size) * 8 / f.Media.Duration)
	}
	return masterPlaylist(variant{bandwidth: bandwidth, codecs: v.CodecString, width: v.Width, height: v.Height, frameRate: v.FrameRate,
		uri: "video/" + strconv.Itoa(v.Index) + "/index.m3u8" + query}, audio), nil
}

func suffix(query string) string {
	if query == "" {
		return ""
	}
	return "?" + query
}

// renditions reads MasterRequest.Audio. Names are those that the plan gave.
func renditions(m domain.Media, r MasterRequest, query string) ([]rendition, error) {
	var list []rendition
	taken := map[string]bool{}
	names := map[int]string{}
	for _, a := range m.Audio {
		names[a.Index] = trackName(a, taken)
	}
	for part := range strings.SplitSeq(r.Audio, ".") {
		if part == "" {
			continue
		}
		number, method, _ := strings.Cut(part, "-")
		index, err := strconv.Atoi(number)
		at := slices.IndexFunc(m.Audio, func(a domain.Audio) bool { return a.Index == index })
		if err != nil || at < 0 || method != StreamCopy && method != StreamAAC {
			return nil, fault.InvalidField("playback.bad_audio", "audio", "The list of sound tracks cannot be read.")
		}
		a := m.Audio[at]
		made := rendition{name: names[index], language: language.Tag(a.Language), codecs: a.CodecString, channels: a.Channels, selected: index == r.Selected,
			uri: "audio/" + number + "/" + method + "/index.m3u8" + query}
		if method == StreamAAC {
			made.codecs, made.channels = encodedCodec, encodedChannels
		}
		list = append(list, made)
	}
	if len(list) > 0 && !slices.ContainsFunc(list, func(a rendition) bool { return a.selected }) {
		list[0].selected = true
	}
	return list, nil
}

// VideoPlaylist writes the playlist of a picture track; query is added to its addresses.
func (s *Service) VideoPlaylist(ctx context.Context, actor domain.Actor, file domain.ID, revision string, track int, query string) (string, error) {
	return s.playlist(ctx, actor, file, revision, query, func(src *source) error {
		_, err := src.videoTrack(track)
		return err
	})
}

// AudioPlaylist writes the playlist of a sound track in one of the ways to stream it.
func (s *Service) AudioPlaylist(ctx context.Context, actor domain.Actor, file domain.ID, revision string, track int, query string) (string, error) {
	return s.playlist(ctx, actor, file, revision, query, func(src *source) error {
		_, err := src.audioTrack(track)
		return err
	})
}

func (s *Service) playlist(ctx context.Context, actor domain.Actor, file domain.ID, revision, query string, check func(*source) error) (string, error) {
	l, err := s.locate(ctx, actor, file, revision)
	if err != nil {
		return "", err
	}
	src, err := s.source(ctx, l)
	if err != nil {
		return "", err
	}
	defer src.close()
	if err := check(src); err != nil {
		return "", err
	}
	return mediaPlaylist(src.timeline, suffix(query)), nil
}

// InitSegment is the number that stands for the initialisation segment.
const InitSegment = -1

// VideoSegment writes segment n of a picture track, or its initialisation segment. Nothing was written when it fails before the first packet.
func (s *Service) VideoSegment(ctx context.Context, actor domain.Actor, file domain.ID, revision string, track, n int, w io.Writer) error {
	l, err := s.locate(ctx, actor, file, revision)
	if err != nil {
		return err
	}
	src, err := s.source(ctx, l)
	if err != nil {
		return err
	}
	defer src.close()
	number, err := src.videoTrack(track)
	if err != nil {
		return err
	}
	s.plays.seen(actor, file, MethodRemux, s.Now())
	return s.segment(ctx, src, number, n, w)
}

// AudioSegment writes segment n of a sound track, or its initialisation segment: a copy of its packets, or encoded.
func (s *Service) AudioSegment(ctx context.Context, actor domain.Actor, file domain.ID, revision string, track int, method string, n int, w io.Writer) error {
	l, err := s.locate(ctx, actor, file, revision)
	if err != nil {
		return err
	}
	src, err := s.source(ctx, l)
	if err != nil {
		return err
	}
	defer src.close()
	number, err := src.audioTrack(track)
	if err != nil {
		return err
	}
	if method == StreamCopy {
		s.plays.seen(actor, file, MethodRemux, s.Now())
		return s.segment(ctx, src, number, n, w)
	}
	s.plays.seen(actor, file, MethodAudioEncode, s.Now())
	data, err := s.encoded(ctx, actor, src, track, n)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

func (s *Service) segment(ctx context.Context, src *source, number, n int, w io.Writer) error {
	if n == InitSegment {
		return s.Packager.Init(ctx, src.in, src.index, number, w)
	}
	if n < 0 || n >= len(src.timeline.Segments) {
		return noTrack()
	}
	return s.Packager.Segment(ctx, src.in, src.index, number, n, w)
}

// maxSidecar bounds a subtitle file.
const maxSidecar = 20 << 20

// Subtitle writes a text subtitle as WebVTT on the axis of its file.
func (s *Service) Subtitle(ctx context.Context, actor domain.Actor, file domain.ID, revision, id string) (string, error) {
	l, err := s.locate(ctx, actor, file, revision)
	if err != nil {
		return "", err
	}
	for _, sidecar := range l.file.Sidecars {
		if sidecarID(sidecar) == id {
			return s.sidecar(ctx, l, sidecar)
		}
	}
	for _, t := range l.file.Media.Subtitles {
		if embeddedID(t.Index) == id && t.Text {
			return s.embedded(ctx, l, t.Index)
		}
	}
	return "", fault.New(fault.NotFound, "playback.no_subtitle", "The film has no such subtitle.")
}

func (s *Service) sidecar(ctx context.Context, l located, sidecar domain.Sidecar) (string, error) {
	open, err := s.Files.Open(ctx, l.root, sidecar.Raw)
	if err != nil {
		return "", err
	}
	defer open.Close()
	if open.Size() > maxSidecar {
		return "", fault.New(fault.TooLarge, "subtitles.too_large", "The subtitle file is too large to be one.")
	}
	data, err := io.ReadAll(io.NewSectionReader(open, 0, open.Size()))
	if err != nil {
		return "", err
	}
	cues, err := s.Subtitles.Parse(sidecar.Format, data)
	return webVTT(cues), err
}

// embedded reads a track once and keeps the text: in Matroska its blocks lie all over the file.
func (s *Service) embedded(ctx context.Context, l located, index int) (string, error) {
	key := "subtitles/" + l.key() + "/" + strconv.Itoa(index) + ".vtt"
	if blob, err := s.Blobs.Get(ctx, key); err == nil {
		defer blob.Close()
		text, err := io.ReadAll(blob)
		return string(text), err
	}
	src, err := s.source(ctx, l)
	if err != nil {
		return "", err
	}
	defer src.close()
	number, err := src.subtitleTrack(index)
	if err != nil {
		return "", err
	}
	cues, err := s.Packager.Cues(ctx, src.in, src.index, number)
	if err != nil {
		return "", err
	}
	text := webVTT(cues)
	if err := s.Blobs.Put(ctx, key, bytes.NewReader([]byte(text))); err != nil {
		s.Logger.WarnContext(ctx, "subtitles could not be cached", "file", l.file.ID, "error", err)
	}
	return text, nil
}
