package mediatest

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/revenge-media/revenge/ports/media"
)

type cutRequest struct {
	Path           string
	Track, Segment int
}

type cutAnswer struct {
	Data  []byte
	Error string
}

// Serve makes segments of the files that requests on in name, each with an index that it makes itself, until in ends. It is the body of
// the processes that Harness.Process starts.
func Serve(p media.Packager, in io.Reader, out io.Writer) error {
	requests, answers := gob.NewDecoder(in), gob.NewEncoder(out)
	indexes := map[string][]byte{}
	cut := func(r cutRequest) ([]byte, error) {
		file, err := os.Open(r.Path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return nil, err
		}
		input := media.Input{Path: r.Path, Reader: file, Size: info.Size()}
		ctx := context.Background()
		if indexes[r.Path] == nil {
			if _, indexes[r.Path], err = p.Index(ctx, input); err != nil {
				return nil, err
			}
		}
		var b bytes.Buffer
		err = p.Segment(ctx, input, indexes[r.Path], r.Track, r.Segment, &b)
		return b.Bytes(), err
	}
	for {
		var r cutRequest
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var a cutAnswer
		data, err := cut(r)
		if a.Data = data; err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
}

// cutter is a process that makes segments.
type cutter struct {
	mu       sync.Mutex
	requests *gob.Encoder
	answers  *gob.Decoder
}

// startCutters starts processes that live as long as the test.
func startCutters(t *testing.T, start func() *exec.Cmd, count int) []*cutter {
	t.Helper()
	var cutters []*cutter
	for range count {
		cmd := start()
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = in.Close()
			if err := cmd.Wait(); err != nil {
				t.Errorf("a process that made segments ended with %v", err)
			}
		})
		cutters = append(cutters, &cutter{requests: gob.NewEncoder(in), answers: gob.NewDecoder(out)})
	}
	return cutters
}

func (c *cutter) segment(path string, track, n int) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.requests.Encode(cutRequest{path, track, n}); err != nil {
		return nil, err
	}
	var a cutAnswer
	if err := c.answers.Decode(&a); err != nil {
		return nil, err
	}
	if a.Error != "" {
		return nil, errors.New(a.Error)
	}
	return a.Data, nil
}

// oneOf deals work out at random.
func oneOf(random *rand.Rand, cutters []*cutter) *cutter { return cutters[random.IntN(len(cutters))] }
