// Package imaging is ports/images on the standard library's and x/image's codecs, with WebP by libwebp in WebAssembly.
package imaging

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png" // decoder
	"io"

	"github.com/galdor/go-thumbhash"
	"github.com/gen2brain/webp"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // decoder

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/images"
)

const (
	jpegQuality = 84
	webpQuality = 80
	// thumbhashSide is the longest side that go-thumbhash takes.
	thumbhashSide = 100
)

// Processor implements images.Processor. It has no state.
type Processor struct{}

var _ images.Processor = Processor{}

// New returns a Processor.
func New() Processor { return Processor{} }

// source is a picture whose header passed every limit.
type source struct {
	data          []byte
	width, height int // as coded
	format        string
	orientation   int // EXIF, 1–8
}

// read checks everything that can be checked before decoding.
func read(ctx context.Context, r io.Reader) (source, error) {
	data, err := io.ReadAll(io.LimitReader(r, images.MaxBytes+1))
	if err != nil {
		return source{}, fault.Wrap(err, fault.Invalid, images.CodeUnreadable, "The picture cannot be read to its end.")
	}
	if len(data) > images.MaxBytes {
		return source{}, fault.New(fault.TooLarge, images.CodeTooLarge, "The picture has more than %d MiB.", images.MaxBytes>>20)
	}
	if err := ctx.Err(); err != nil {
		return source{}, err
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(data))
	switch {
	case errors.Is(err, image.ErrFormat) && looksLikeOther(data):
		return source{}, fault.New(fault.Invalid, images.CodeUnsupported, "Pictures must be JPEG, PNG or WebP.")
	case err != nil:
		return source{}, fault.Wrap(err, fault.Invalid, images.CodeUnreadable, "This is no JPEG, PNG or WebP picture, or it is damaged.")
	case config.Width <= 0 || config.Height <= 0:
		return source{}, fault.New(fault.Invalid, images.CodeUnreadable, "The picture has no size.")
	case int64(config.Width)*int64(config.Height) > images.MaxPixels:
		return source{}, fault.New(fault.TooLarge, images.CodeTooLarge, "The picture has %d x %d pixels, more than %d million.", config.Width, config.Height, images.MaxPixels/1_000_000)
	}
	s := source{data: data, width: config.Width, height: config.Height, format: format, orientation: 1}
	if format == images.FormatJPEG {
		s.orientation = orientation(data)
	}
	return s, nil
}

// looksLikeOther recognises pictures that are refused on purpose.
func looksLikeOther(data []byte) bool {
	head := bytes.TrimLeft(data[:min(len(data), 512)], " \t\r\n\xef\xbb\xbf")
	for _, prefix := range []string{"GIF8", "<svg", "<?xml", "BM", "II*\x00", "MM\x00*"} {
		if bytes.HasPrefix(head, []byte(prefix)) {
			return true
		}
	}
	return len(head) > 12 && string(head[4:8]) == "ftyp"
}

func (s source) decode() (image.Image, error) {
	img, _, err := image.Decode(bytes.NewReader(s.data))
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, images.CodeUnreadable, "The picture is damaged.")
	}
	return img, nil
}

// swapped tells whether the orientation turns the picture by a quarter.
func (s source) swapped() bool { return s.orientation >= 5 }

// Inspect reads the header alone.
func (Processor) Inspect(ctx context.Context, r io.Reader) (width, height int, format string, err error) {
	s, err := read(ctx, r)
	if err != nil {
		return 0, 0, "", err
	}
	if s.swapped() {
		return s.height, s.width, s.format, nil
	}
	return s.width, s.height, s.format, nil
}

// Resize re-encodes the picture at most width wide.
func (Processor) Resize(ctx context.Context, r io.Reader, width int, format string) ([]byte, error) {
	return reencode(ctx, r, width, format, func(s source, img image.Image) *image.NRGBA {
		shown := s.width
		if s.swapped() {
			shown = s.height
		}
		return upright(scaled(img, min(1, float64(width)/float64(shown))), s.orientation)
	})
}

// Square re-encodes the middle of the picture.
func (Processor) Square(ctx context.Context, r io.Reader, side int, format string) ([]byte, error) {
	return reencode(ctx, r, side, format, func(s source, img image.Image) *image.NRGBA {
		small := upright(scaled(img, min(1, float64(side)/float64(min(s.width, s.height)))), s.orientation)
		b := small.Bounds()
		n := min(b.Dx(), b.Dy())
		at := image.Pt((b.Dx()-n)/2, (b.Dy()-n)/2)
		out := image.NewNRGBA(image.Rect(0, 0, n, n))
		draw.Draw(out, out.Bounds(), small, at, draw.Src)
		return out
	})
}

// reencode checks, decodes, has the picture made small and encodes that.
func reencode(ctx context.Context, r io.Reader, width int, format string, smaller func(s source, img image.Image) *image.NRGBA) ([]byte, error) {
	if format != images.FormatJPEG && format != images.FormatWebP {
		return nil, fault.New(fault.Invalid, images.CodeUnsupported, "Pictures are made as JPEG or WebP.")
	}
	if width < 1 || width > images.MaxWidth {
		return nil, fault.New(fault.Invalid, images.CodeUnsupported, "A picture's width must be between 1 and %d.", images.MaxWidth)
	}
	s, err := read(ctx, r)
	if err != nil {
		return nil, err
	}
	img, err := s.decode()
	if err != nil {
		return nil, err
	}
	small := smaller(s, img)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if format == images.FormatWebP {
		err = webp.Encode(&out, small, webp.Options{Quality: webpQuality, Method: 2})
	} else {
		err = jpeg.Encode(&out, opaque(small), &jpeg.Options{Quality: jpegQuality})
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "images.encode", "The picture could not be encoded.")
	}
	return out.Bytes(), nil
}

// Thumbhash returns the hash in base64.
func (Processor) Thumbhash(ctx context.Context, r io.Reader) (string, error) {
	s, err := read(ctx, r)
	if err != nil {
		return "", err
	}
	img, err := s.decode()
	if err != nil {
		return "", err
	}
	small := upright(scaled(img, min(1, thumbhashSide/float64(max(s.width, s.height)))), s.orientation)
	return base64.StdEncoding.EncodeToString(thumbhash.EncodeImage(small)), nil
}

// scaled reduces in two steps where the reduction is large: a cheap one to twice the size, then a good one. The result is the eye's
// equal of a good one alone at a fraction of the time.
func scaled(img image.Image, scale float64) *image.NRGBA {
	b := img.Bounds()
	w, h := size(b.Dx(), scale), size(b.Dy(), scale)
	if scale <= 0.25 {
		half := image.NewNRGBA(image.Rect(0, 0, 2*w, 2*h))
		draw.ApproxBiLinear.Scale(half, half.Bounds(), img, b, draw.Src, nil)
		img, b = half, half.Bounds()
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	if b.Dx() == w && b.Dy() == h {
		draw.Draw(out, out.Bounds(), img, b.Min, draw.Src)
	} else {
		draw.CatmullRom.Scale(out, out.Bounds(), img, b, draw.Src, nil)
	}
	return out
}

func size(n int, scale float64) int { return max(1, int(float64(n)*scale+.5)) }

// opaque puts transparency on black.
func opaque(img *image.NRGBA) image.Image {
	if img.Opaque() {
		return img
	}
	out := image.NewRGBA(img.Bounds())
	draw.Draw(out, out.Bounds(), image.NewUniform(color.Black), image.Point{}, draw.Src)
	draw.Draw(out, out.Bounds(), img, image.Point{}, draw.Over)
	return out
}

// upright applies an EXIF orientation (CIPA DC-008, 4.6.4 tag 274).
func upright(img *image.NRGBA, orientation int) *image.NRGBA {
	if orientation <= 1 || orientation > 8 {
		return img
	}
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	ow, oh := w, h
	if orientation >= 5 {
		ow, oh = h, w
	}
	out := image.NewNRGBA(image.Rect(0, 0, ow, oh))
	for y := range h {
		for x := range w {
			ox, oy := x, y
			switch orientation {
			case 2:
				ox = w - 1 - x
			case 3:
				ox, oy = w-1-x, h-1-y
			case 4:
				oy = h - 1 - y
			case 5:
				ox, oy = y, x
			case 6:
				ox, oy = h-1-y, x
			case 7:
				ox, oy = h-1-y, w-1-x
			case 8:
				ox, oy = y, w-1-x
			}
			out.SetNRGBA(ox, oy, img.NRGBAAt(x, y))
		}
	}
	return out
}

// orientation finds tag 274 in the EXIF segment of a JPEG (APP1); 1 where there is none or it makes no sense.
func orientation(data []byte) int {
	for i := 2; i+4 <= len(data) && data[i] == 0xFF; {
		marker, length := data[i+1], int(binary.BigEndian.Uint16(data[i+2:]))
		if marker == 0xDA || length < 2 || i+2+length > len(data) {
			return 1
		}
		if segment := data[i+4 : i+2+length]; marker == 0xE1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")) {
			return tiffOrientation(segment[6:])
		}
		i += 2 + length
	}
	return 1
}

func tiffOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if tiff[0] == 'I' {
		order = binary.LittleEndian
	}
	offset := int64(order.Uint32(tiff[4:]))
	if offset+2 > int64(len(tiff)) {
		return 1
	}
	count := int64(order.Uint16(tiff[offset:]))
	for n := range count {
		at := offset + 2 + 12*n
		if at+12 > int64(len(tiff)) {
			return 1
		}
		if order.Uint16(tiff[at:]) == 274 {
			if v := int(order.Uint16(tiff[at+8:])); v >= 1 && v <= 8 {
				return v
			}
		}
	}
	return 1
}
