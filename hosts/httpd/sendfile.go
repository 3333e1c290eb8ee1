package httpd

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/revenge-media/revenge/core/playback"
)

// leaveEvery is how often a file that is being sent is asked about.
const leaveEvery = time.Second

// sendFile serves a film's file, of which a viewer asks for ranges. The system moves the bytes from its file cache to the connection by itself
// where it can, so no read of this process is there to be stopped: whoever may not go on is found beside the copying, and a deadline that has
// passed ends even a write that waits for a slow client.
func (s *Server) sendFile(w http.ResponseWriter, r *http.Request, content *playback.Content) {
	defer content.File.Close()
	header := w.Header()
	header.Set("Content-Type", content.MIME)
	header.Set("ETag", content.ETag)
	header.Set("Cache-Control", "private, no-cache")

	var mu sync.Mutex // a connection whose answer has ended belongs to the next request: it gets no deadline
	var ended, refused bool
	var asking *time.Timer
	mu.Lock()
	asking = time.AfterFunc(leaveEvery, func() {
		err := content.StillAllowed(r.Context())
		mu.Lock()
		defer mu.Unlock()
		switch {
		case ended:
		case err == nil:
			asking.Reset(leaveEvery)
		default:
			refused = true
			_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
		}
	})
	mu.Unlock()
	http.ServeContent(&fileWriter{ResponseWriter: w, problem: func(status int) { s.writeStatus(w, r, status) }}, r, "", time.Time{}, content.File) // the ETag alone validates: it covers more than the time
	mu.Lock()
	defer mu.Unlock()
	ended = true
	asking.Stop()
	if refused {
		panic(http.ErrAbortHandler)
	}
}

// fileWriter finds the way past wrappers that hide that net/http sends files by itself. Status and headers go through all of them; the
// bytes need none, since files of films are not compressed, and who counts them knows of files.
// What net/http says in plain words about ranges and conditions becomes a problem.
type fileWriter struct {
	http.ResponseWriter
	problem func(status int)
	refused bool
}

// WriteHeader implements http.ResponseWriter.
func (f *fileWriter) WriteHeader(status int) {
	if f.refused = status >= http.StatusBadRequest; f.refused {
		f.problem(status)
		return
	}
	f.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (f *fileWriter) Write(p []byte) (int, error) {
	if f.refused {
		return len(p), nil
	}
	return f.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom. ServeContent has written the header by then.
func (f *fileWriter) ReadFrom(file io.Reader) (int64, error) {
	for w := f.ResponseWriter; ; {
		if to, ok := w.(io.ReaderFrom); ok {
			return to.ReadFrom(file)
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return io.Copy(f.ResponseWriter, file)
		}
		w = wrapper.Unwrap()
	}
}
