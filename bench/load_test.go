package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// request is one that is written to the wire again and again.
type request struct {
	wire []byte
	// status and length are what its answers must have; lengths of answers with times in them differ a little, and those below 0 are not looked at.
	status, length int
}

// newRequest makes a GET.
func newRequest(path, token string) request {
	return request{wire: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n", path, token), status: 200}
}

// newPost makes a POST of JSON.
func newPost(path, body string) request {
	return request{wire: fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body), status: 200}
}

// client is one connection that is kept alive.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte
}

func dial(address string) (*client, error) {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// do sends a request and reads its whole answer, which is valid until the next call.
func (c *client) do(r request) (status int, body []byte, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, nil, err
	}
	if _, err := c.conn.Write(r.wire); err != nil {
		return 0, nil, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 {
		return 0, nil, fmt.Errorf("no status line: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, err
	}
	length, chunked := 0, false
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		switch name, value, _ := bytes.Cut(line, []byte(": ")); {
		case len(name) == len("Content-Length") && bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, nil, err
			}
		case len(name) == len("Transfer-Encoding") && bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	c.body = c.body[:0]
	if !chunked {
		return status, c.body, c.read(length)
	}
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		size, err := strconv.ParseUint(strings.TrimSpace(string(line)), 16, 31)
		if err != nil {
			return 0, nil, err
		}
		if err := c.read(int(size)); err != nil {
			return 0, nil, err
		}
		if _, err := c.in.Discard(2); err != nil {
			return 0, nil, err
		}
		if size == 0 {
			return status, c.body, nil
		}
	}
}

func (c *client) read(n int) error {
	had := len(c.body)
	c.body = append(c.body, make([]byte, n)...)
	_, err := io.ReadFull(c.in, c.body[had:])
	return err
}

// learn sends each request once and keeps the length of its answer.
func learn(address string, requests []request) error {
	c, err := dial(address)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	for i, r := range requests {
		status, body, err := c.do(r)
		if err != nil {
			return err
		}
		if status != r.status || (len(body) == 0) != (status == 204 || status == 304) {
			return fmt.Errorf("%.60q is answered %d: %.300s", r.wire, status, body)
		}
		requests[i].length = len(body)
	}
	return nil
}

// load sends the requests in turn over so many connections at once for the time, and returns the answers a second. An answer of another
// status or length ends it.
func load(ctx context.Context, address string, requests []request, clients int, length time.Duration) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, done atomic.Int64
	var group sync.WaitGroup
	connections := make([]*client, clients)
	for i := range connections {
		c, err := dial(address)
		if err != nil {
			return 0, err
		}
		defer c.conn.Close()
		connections[i] = c
	}
	start := time.Now()
	for _, c := range connections {
		group.Go(func() {
			for time.Since(start) < length && ctx.Err() == nil {
				r := requests[int(next.Add(1))%len(requests)]
				status, body, err := c.do(r)
				if off := len(body) - r.length; err == nil && (status != r.status || r.length >= 0 && (off > 64 || off < -64)) {
					err = fmt.Errorf("%.60q is answered %d with %d bytes, not %d", r.wire, status, len(body), r.length)
				}
				if err != nil {
					cancel(err)
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	return float64(done.Load()) / time.Since(start).Seconds(), context.Cause(ctx)
}
