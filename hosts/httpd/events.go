package httpd

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
)

// MoviesChanged says that films of a library came, went or changed.
type MoviesChanged struct {
	LibraryID domain.ID `json:"libraryId"`
}

// mountEvents serves what administrators watch live.
func (s *Server) mountEvents() {
	route := Route{ID: "adminEvents", Method: http.MethodGet, Path: "/admin/events", Summary: "Server-sent events: progress of scans, films that changed", Tag: "Libraries", Permission: domain.PermissionLibraryManage}
	op := s.operation(route)
	op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		if ctx.Method() == http.MethodHead { // a stream without a body has no end that a client could see
			ctx.SetHeader("Content-Type", "text/event-stream")
			ctx.SetStatus(http.StatusOK)
			return
		}
		next(ctx)
	})
	sse.Register(s.api, op, map[string]any{"scan": domain.Scan{}, "movies": MoviesChanged{}}, func(ctx context.Context, _ *struct{}, send sse.Sender) {
		if err := s.sendEvents(ctx, send); err != nil && ctx.Err() == nil {
			s.logger.DebugContext(ctx, "an event stream ended", "error", err)
		}
	})
}

// sendEvents goes on until the client leaves or its session or API key may not see this any more, which it asks once a second (S7).
func (s *Server) sendEvents(ctx context.Context, send sse.Sender) error {
	actor := actorOf(ctx)
	messages, err := s.core.Bus.Subscribe(ctx, bus.TopicScan, bus.TopicMovie)
	if err != nil {
		return err
	}
	if err := s.sendLatestScans(ctx, actor, send); err != nil {
		return err
	}
	beat, leave := time.NewTicker(s.heartbeat), time.NewTicker(leaveEvery)
	defer beat.Stop()
	defer leave.Stop()
	for {
		select {
		case <-leave.C:
			if err := s.core.APIKeys.Check(ctx, actor, domain.PermissionLibraryManage); err != nil {
				return err
			}
		case <-beat.C:
			if err := send.Comment("still here"); err != nil {
				return err
			}
		case m, open := <-messages:
			if !open {
				return nil
			}
			if m.Gap { // what was lost is in where things stand now
				if err := s.sendLatestScans(ctx, actor, send); err != nil {
					return err
				}
			}
			id, ok := domain.ParseID(string(m.Payload))
			if !ok {
				continue
			}
			if m.Topic == bus.TopicMovie {
				s.core.Views.Forget(ctx, id.String()) // who is told asks at once, perhaps before this process took the change up
				err = send.Data(MoviesChanged{id})
			} else {
				err = s.sendScan(ctx, actor, id, send)
			}
			if err != nil {
				return err
			}
		}
	}
}

func (s *Server) sendScan(ctx context.Context, actor domain.Actor, id domain.ID, send sse.Sender) error {
	scan, err := s.core.Library.GetScan(ctx, actor, id)
	if err != nil {
		return nil //nolint:nilerr // the scan went with its library: nothing to tell
	}
	return send.Data(scan)
}

// sendLatestScans tells where every library stands. It comes after the subscription: what happened before, also between a client's own
// question and the subscription, is in it, and what happens after it is heard.
func (s *Server) sendLatestScans(ctx context.Context, actor domain.Actor, send sse.Sender) error {
	libraries, err := s.core.Library.List(ctx, actor)
	if err != nil {
		return err
	}
	for _, l := range libraries {
		scan, err := s.core.Library.CurrentScan(ctx, actor, l.ID)
		if fault.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		if err := send.Data(scan); err != nil {
			return err
		}
	}
	return nil
}
