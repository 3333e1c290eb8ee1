package cmaf

import (
	"context"
	"io"
	"sync"
)

// Window sizes: a walk over a whole file reads ahead as a disk likes it, a look at single headers does not.
const (
	walkWindow = 1 << 20
	peekWindow = 16 << 10
)

// window reads a file through one buffer, so that stepping from header to header costs few reads and little memory.
type window struct {
	ctx  context.Context
	r    io.ReaderAt
	size int64
	step int
	buf  []byte
	at   int64 // file offset of buf[0]
}

func newWindow(ctx context.Context, r io.ReaderAt, size int64, step int) *window {
	return &window{ctx: ctx, r: r, size: size, step: step}
}

// upTo returns at most n bytes at off, fewer only at the end of the file. They are valid until the next call.
func (w *window) upTo(off int64, n int) ([]byte, error) {
	if off < 0 || off >= w.size {
		return nil, nil
	}
	if int64(n) > w.size-off {
		n = int(w.size - off)
	}
	if off >= w.at && off+int64(n) <= w.at+int64(len(w.buf)) {
		return w.buf[off-w.at:][:n], nil
	}
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	want := max(n, w.step)
	if int64(want) > w.size-off {
		want = int(w.size - off)
	}
	if cap(w.buf) < want {
		w.buf = make([]byte, want)
	}
	w.buf, w.at = w.buf[:want], off
	got, err := w.r.ReadAt(w.buf, off)
	w.buf = w.buf[:got]
	if got < n {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return nil, readFault(err)
	}
	return w.buf[:n], nil
}

// bytes returns exactly n bytes at off, valid until the next call; the end of the file before them is a truncation.
func (w *window) bytes(off int64, n int) ([]byte, error) {
	b, err := w.upTo(off, n)
	if err == nil && len(b) < n {
		err = truncated("bytes %d to %d are missing", off, off+int64(n))
	}
	return b, err
}

// load returns a copy of n bytes at off; n is refused over limit, so that a claimed size costs no more than it may.
func (w *window) load(off, n, limit int64) ([]byte, error) {
	if n < 0 || n > limit {
		return nil, damaged("a table of %d bytes", n)
	}
	if off < 0 || off > w.size || n > w.size-off {
		return nil, truncated("a table of %d bytes at %d is incomplete", n, off)
	}
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if got, err := w.r.ReadAt(b, off); int64(got) < n {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return nil, readFault(err)
	}
	return b, nil
}

// extent is a stretch of the file, before which prefix is put (Matroska header stripping).
type extent struct {
	prefix []byte
	offset int64
	size   int64
}

// maxStretch is how much is read at once.
const maxStretch = 1 << 20

// copyBuffers are for one stretch each: making and clearing one took as long as filling it.
var copyBuffers = sync.Pool{New: func() any { return new(make([]byte, maxStretch)) }}

// copyExtents writes the stretches in order, reading neighbours together.
func copyExtents(ctx context.Context, w io.Writer, r io.ReaderAt, extents []extent) error {
	const gap = 32 << 10
	kept := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(kept)
	buf := *kept
	for i := 0; i < len(extents); {
		if err := ctx.Err(); err != nil {
			return err
		}
		j, begin, end := i, extents[i].offset, extents[i].offset
		for ; j < len(extents); j++ {
			e := extents[j]
			if j > i && (e.offset < end || e.offset-end > gap || e.offset+e.size-begin > maxStretch) {
				break
			}
			end = e.offset + e.size
		}
		if end-begin > maxStretch { // one large packet
			if err := writeAll(w, extents[i].prefix); err != nil {
				return err
			}
			end = begin + maxStretch
			extents[i] = extent{offset: end, size: extents[i].size - maxStretch}
			j = i
		}
		buf = buf[:end-begin]
		if got, err := r.ReadAt(buf, begin); got < len(buf) {
			if err == nil {
				err = io.ErrUnexpectedEOF
			}
			return readFault(err)
		}
		if j == i {
			if err := writeAll(w, buf); err != nil {
				return err
			}
			continue
		}
		// Packets move together over what lies between them, so that as many as possible go with one write.
		n := 0
		for ; i < j; i++ {
			e := extents[i]
			if len(e.prefix) > 0 {
				if err := writeAll(w, buf[:n]); err != nil {
					return err
				}
				if err := writeAll(w, e.prefix); err != nil {
					return err
				}
				n = 0
			}
			n += copy(buf[n:], buf[e.offset-begin:][:e.size])
		}
		if err := writeAll(w, buf[:n]); err != nil {
			return err
		}
	}
	return nil
}

func writeAll(w io.Writer, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_, err := w.Write(b)
	return err
}
