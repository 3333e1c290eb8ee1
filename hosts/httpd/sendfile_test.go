package httpd_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"
)

// fileListener counts the files that connections are handed whole, for the system to send.
type fileListener struct {
	net.Listener
	files *atomic.Int64
}

type fileConn struct {
	*net.TCPConn
	files *atomic.Int64
}

func (l fileListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return fileConn{c.(*net.TCPConn), l.files}, nil
}

// ReadFrom is what package net looks at before it uses sendfile: a file, or a stretch of one.
func (c fileConn) ReadFrom(r io.Reader) (int64, error) {
	if stretch, ok := r.(*io.LimitedReader); ok {
		if _, ok := stretch.R.(syscall.Conn); ok {
			c.files.Add(1)
		}
	}
	return c.TCPConn.ReadFrom(r)
}

func TestFilesOfFilmsAreSentByTheSystem(t *testing.T) {
	t.Parallel()
	th := newTheatre(t, false)
	var files atomic.Int64
	server := httptest.NewUnstartedServer(th.Face.Handler())
	server.Listener = fileListener{server.Listener, &files}
	server.Start()
	t.Cleanup(server.Close)
	for want, ranges := range []string{"bytes=0-9", "bytes=1000-200999", "bytes=-100000"} {
		r := th.User(t).Request(t, http.MethodGet, th.directs.Selected.Parts[0].URL, nil, "Range", ranges, "Accept-Encoding", "gzip")
		r.URL.Host = server.Listener.Addr().String()
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusPartialContent || n != answer.ContentLength {
			t.Fatalf("%s: %d with %d of %d bytes, %v", ranges, answer.StatusCode, n, answer.ContentLength, err)
		}
		if got := files.Load(); got != int64(want) { // net/http copies the first 512 bytes itself, and with them the first range
			t.Errorf("after %s the system has sent %d stretches, want %d", ranges, got, want)
		}
	}
}
