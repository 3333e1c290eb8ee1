package httpd

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/playback"
)

// StreamPath is what every stream's address says.
type StreamPath struct {
	File     domain.ID `path:"fileId"`
	Revision string    `path:"revision" maxLength:"128" pattern:"^[0-9a-f]+$"`
	Token    string    `query:"token" maxLength:"400" doc:"A play session's token"`
}

// query is what the addresses in a playlist carry on.
func (i StreamPath) query() string {
	if i.Token == "" {
		return ""
	}
	return "token=" + url.QueryEscape(i.Token)
}

type masterInput struct {
	StreamPath
	Audio    string `query:"audio" maxLength:"1000" doc:"Sound tracks and how each is streamed: 1-copy.2-aac"`
	Selected int    `query:"selected" default:"-1" doc:"The index of the one to begin with"`
}

// TrackPath names a track of one revision of a file.
type TrackPath struct {
	StreamPath
	Track int `path:"track" minimum:"0" maximum:"1000"`
}

type segmentInput struct {
	TrackPath
	Number int `path:"n" minimum:"0" maximum:"1000000"`
}

// AudioPath names a sound track and how it is streamed.
type AudioPath struct {
	TrackPath
	Method string `path:"method" enum:"copy,aac"`
}

type audioSegmentInput struct {
	AudioPath
	Number int `path:"n" minimum:"0" maximum:"1000000"`
}

type subtitleInput struct {
	StreamPath
	ID string `path:"id" maxLength:"40" pattern:"^[a-z0-9]+$"`
}

const (
	// unchanging is for what is a pure function of its address, which carries the file's revision.
	unchanging   = "private, max-age=86400, immutable"
	playlistType = "application/vnd.apple.mpegurl"
	segmentType  = "video/mp4"
	subtitleType = "text/vtt; charset=utf-8"
)

// lateWriter sets the headers of success with the first byte, so that what fails before it can still be a problem document.
type lateWriter struct {
	http.ResponseWriter
	contentType string
	begun       bool
}

func (w *lateWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.begun = true
		header := w.Header()
		header.Set("Content-Type", w.contentType)
		header.Set("Cache-Control", unchanging)
	}
	return w.ResponseWriter.Write(p)
}

// stream answers with what write writes. What fails after the first byte breaks the connection off, so that half a segment is never taken for a whole one.
func (s *Server) stream(contentType string, write func(ctx context.Context, w io.Writer) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humachi.Unwrap(ctx)
		late := &lateWriter{ResponseWriter: w, contentType: contentType}
		err := write(r.Context(), late)
		switch {
		case err == nil:
		case !late.begun:
			s.writeProblem(w, r, err)
		default:
			if r.Context().Err() == nil {
				s.logger.WarnContext(r.Context(), "a stream broke off", "requestId", requestID(r.Context()), "error", err)
			}
			panic(http.ErrAbortHandler)
		}
	}}
}

// text answers with a playlist or subtitles.
func (s *Server) text(contentType string, text string, err error) (*huma.StreamResponse, error) {
	if err != nil {
		return nil, err
	}
	return s.stream(contentType, func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}), nil
}

func (s *Server) mountStream() {
	const at = "/stream/{fileId}/{revision}"
	route := func(id, path, media, summary string) Route {
		return Route{ID: id, Method: http.MethodGet, Path: at + path, Summary: summary, Tag: "Playback", Permission: domain.PermissionPlayback, InLibrary: true, Media: []string{media}, StreamToken: true}
	}
	p := func() *playback.Service { return s.core.Playback }

	direct := route("streamDirect", "/direct", "video/*", "The file itself, with byte ranges")
	direct.Also = []int{http.StatusPartialContent, http.StatusNotModified}
	direct.Errors = []int{http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable}
	register(s, direct, func(ctx context.Context, in *StreamPath) (*huma.StreamResponse, error) {
		content, err := p().Direct(ctx, actorOf(ctx), in.File, in.Revision)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r, w := humachi.Unwrap(ctx)
			s.sendFile(w, r, content)
		}}, nil
	})
	register(s, route("streamMaster", "/master.m3u8", playlistType, "HLS: the picture and the sound tracks"), func(ctx context.Context, in *masterInput) (*huma.StreamResponse, error) {
		text, err := p().Master(ctx, actorOf(ctx), in.File, in.Revision, playback.MasterRequest{Audio: in.Audio, Selected: in.Selected, Query: in.query()})
		return s.text(playlistType, text, err)
	})
	register(s, route("streamVideoPlaylist", "/video/{track}/index.m3u8", playlistType, "HLS: the segments of a picture track"), func(ctx context.Context, in *TrackPath) (*huma.StreamResponse, error) {
		text, err := p().VideoPlaylist(ctx, actorOf(ctx), in.File, in.Revision, in.Track, in.query())
		return s.text(playlistType, text, err)
	})
	register(s, route("streamVideoInit", "/video/{track}/init.mp4", segmentType, "The initialisation segment of a picture track"), func(ctx context.Context, in *TrackPath) (*huma.StreamResponse, error) {
		return s.videoSegment(ctx, *in, playback.InitSegment), nil
	})
	register(s, route("streamVideoSegment", "/video/{track}/{n}.m4s", segmentType, "A segment of a picture track"), func(ctx context.Context, in *segmentInput) (*huma.StreamResponse, error) {
		return s.videoSegment(ctx, in.TrackPath, in.Number), nil
	})
	register(s, route("streamAudioPlaylist", "/audio/{track}/{method}/index.m3u8", playlistType, "HLS: the segments of a sound track"), func(ctx context.Context, in *AudioPath) (*huma.StreamResponse, error) {
		text, err := p().AudioPlaylist(ctx, actorOf(ctx), in.File, in.Revision, in.Track, in.query())
		return s.text(playlistType, text, err)
	})
	register(s, route("streamAudioInit", "/audio/{track}/{method}/init.mp4", segmentType, "The initialisation segment of a sound track"), func(ctx context.Context, in *AudioPath) (*huma.StreamResponse, error) {
		return s.audioSegment(ctx, *in, playback.InitSegment), nil
	})
	register(s, route("streamAudioSegment", "/audio/{track}/{method}/{n}.m4s", segmentType, "A segment of a sound track: copied or encoded"), func(ctx context.Context, in *audioSegmentInput) (*huma.StreamResponse, error) {
		return s.audioSegment(ctx, in.AudioPath, in.Number), nil
	})
	register(s, route("streamSubtitle", "/subtitles/{id}.vtt", subtitleType, "A text subtitle as WebVTT"), func(ctx context.Context, in *subtitleInput) (*huma.StreamResponse, error) {
		text, err := p().Subtitle(ctx, actorOf(ctx), in.File, in.Revision, in.ID)
		return s.text(subtitleType, text, err)
	})
}

func (s *Server) videoSegment(ctx context.Context, in TrackPath, n int) *huma.StreamResponse {
	actor := actorOf(ctx)
	return s.stream(segmentType, func(ctx context.Context, w io.Writer) error {
		return s.core.Playback.VideoSegment(ctx, actor, in.File, in.Revision, in.Track, n, w)
	})
}

func (s *Server) audioSegment(ctx context.Context, in AudioPath, n int) *huma.StreamResponse {
	actor := actorOf(ctx)
	return s.stream(segmentType, func(ctx context.Context, w io.Writer) error {
		return s.core.Playback.AudioSegment(ctx, actor, in.File, in.Revision, in.Track, in.Method, n, w)
	})
}
