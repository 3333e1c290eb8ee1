// Package images is what the core needs from whatever decodes and encodes pictures. Pictures come from strangers' disks
// and uploads, so every limit holds before anything is decoded.
package images

import (
	"context"
	"io"
)

// The limits, checked before decoding.
const (
	// MaxBytes is how many bytes an encoded picture may have.
	MaxBytes = 30 << 20
	// MaxPixels is how many pixels a picture may claim (40 megapixels).
	MaxPixels = 40_000_000
	// MaxWidth is the widest picture Resize makes.
	MaxWidth = 4096
)

// Fault codes that every adapter uses.
const (
	// CodeUnreadable (Invalid): no picture of a known format, or a damaged one.
	CodeUnreadable = "images.unreadable"
	// CodeUnsupported (Invalid): a known format that is refused (SVG, GIF…), or an output format that is not made.
	CodeUnsupported = "images.unsupported"
	// CodeTooLarge (TooLarge): over MaxBytes or MaxPixels.
	CodeTooLarge = "images.too_large"
)

// The formats. Inspect also reads PNG; Resize writes JPEG and WebP.
const (
	FormatJPEG = "jpeg"
	FormatPNG  = "png"
	FormatWebP = "webp"
)

// Processor reads JPEG, PNG and WebP. Faults of every method: CodeUnreadable, CodeUnsupported, CodeTooLarge.
type Processor interface {
	// Inspect returns the size in pixels as shown (after the EXIF orientation of a JPEG) and the format ("jpeg", "png", "webp"), from the header alone.
	Inspect(ctx context.Context, data io.Reader) (width, height int, format string, err error)
	// Resize re-encodes the picture, at most width pixels wide (never enlarged, proportions kept), upright and without any of the source's
	// metadata. format is FormatJPEG or FormatWebP; JPEG puts transparency on black.
	Resize(ctx context.Context, r io.Reader, width int, format string) ([]byte, error)
	// Square is Resize to a square: the middle of the picture, at most side pixels wide.
	Square(ctx context.Context, r io.Reader, side int, format string) ([]byte, error)
	// Thumbhash returns the thumbhash of the picture in standard base64: about 25 bytes that draw a blurred placeholder.
	Thumbhash(ctx context.Context, r io.Reader) (string, error)
}
