package imaging_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/galdor/go-thumbhash"
	_ "golang.org/x/image/webp"

	"github.com/revenge-media/revenge/adapters/imaging"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/images"
)

// picture is red above and blue below.
func picture(w, h int, alpha uint8) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		c := color.NRGBA{R: 220, A: alpha}
		if y >= h/2 {
			c = color.NRGBA{B: 220, A: alpha}
		}
		for x := range w {
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

func encodePNG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// encodeJPEG writes an EXIF segment with the orientation behind the start marker.
func encodeJPEG(t *testing.T, img image.Image, orientation uint16) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	exif := []byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00")
	binary.BigEndian.PutUint16(exif[24:], orientation)
	out := append([]byte{0xFF, 0xD8, 0xFF, 0xE1, 0, byte(len(exif) + 2)}, exif...)
	return append(out, b.Bytes()[2:]...)
}

func TestResizeKeepsProportionsAndNeverEnlarges(t *testing.T) {
	p := imaging.New()
	for _, format := range []string{images.FormatJPEG, images.FormatWebP} {
		for _, c := range []struct{ w, h, ask, wantW, wantH int }{{1000, 1500, 320, 320, 480}, {300, 200, 200, 200, 133}, {100, 50, 640, 100, 50}, {3000, 2, 160, 160, 1}} {
			data, err := p.Resize(t.Context(), bytes.NewReader(encodePNG(t, picture(c.w, c.h, 255))), c.ask, format)
			if err != nil {
				t.Fatal(err)
			}
			w, h, got, err := p.Inspect(t.Context(), bytes.NewReader(data))
			if err != nil || w != c.wantW || h != c.wantH || got != format {
				t.Errorf("%s %dx%d to %d: %dx%d %s, %v", format, c.w, c.h, c.ask, w, h, got, err)
			}
			img, _, err := image.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if r, _, b, _ := img.At(w/2, h/8).RGBA(); h > 8 && (r < 0x9000 || b > 0x6000) {
				t.Errorf("%s: the upper part is no longer red: %x %x", format, r, b)
			}
		}
	}
}

func TestOrientationIsAppliedAndMetadataIsGone(t *testing.T) {
	p := imaging.New()
	// Where the red half stands once the picture is upright: above, below, left or right.
	for o, at := range map[uint16]image.Point{1: {50, 10}, 2: {50, 10}, 3: {50, 190}, 4: {50, 190}, 5: {10, 50}, 6: {190, 50}, 7: {190, 50}, 8: {10, 50}} {
		source := encodeJPEG(t, picture(100, 200, 255), o)
		w, h, _, err := p.Inspect(t.Context(), bytes.NewReader(source))
		if err != nil || (o >= 5) != (w == 200 && h == 100) {
			t.Errorf("orientation %d: %dx%d %v", o, w, h, err)
		}
		data, err := p.Resize(t.Context(), bytes.NewReader(source), 4096, images.FormatJPEG)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte("Exif")) {
			t.Error("the metadata is still there")
		}
		img, _, err := image.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if r, _, b, _ := img.At(at.X, at.Y).RGBA(); r < b {
			t.Errorf("orientation %d: no red at %v", o, at)
		}
	}
}

// TestASquareIsTheMiddleOfThePicture cuts a green square out of red and blue ends, in every orientation.
func TestASquareIsTheMiddleOfThePicture(t *testing.T) {
	p := imaging.New()
	wide, tall := image.NewNRGBA(image.Rect(0, 0, 120, 40)), image.NewNRGBA(image.Rect(0, 0, 40, 120)) // three squares long
	for along := range 120 {
		for across := range 40 {
			c := []color.NRGBA{{R: 220, A: 255}, {G: 220, A: 255}, {B: 220, A: 255}}[along/40]
			wide.SetNRGBA(along, across, c)
			tall.SetNRGBA(across, along, c)
		}
	}
	sources := map[string][]byte{"tall": encodePNG(t, tall), "wide": encodePNG(t, wide), "turned": encodeJPEG(t, wide, 6), "mirrored": encodeJPEG(t, tall, 5)}
	for name, source := range sources {
		for _, format := range []string{images.FormatJPEG, images.FormatWebP} {
			for ask, want := range map[int]int{16: 16, 40: 40, 512: 40} { // never enlarged
				data, err := p.Square(t.Context(), bytes.NewReader(source), ask, format)
				if err != nil {
					t.Fatal(err)
				}
				img, got, err := image.Decode(bytes.NewReader(data))
				if err != nil || got != format || img.Bounds().Dx() != want || img.Bounds().Dy() != want {
					t.Fatalf("%s to %d: %s %v, %v", name, ask, got, img.Bounds(), err)
				}
				for _, at := range []image.Point{{2, 2}, {want - 3, 2}, {want / 2, want / 2}, {2, want - 3}, {want - 3, want - 3}} {
					if r, g, b, _ := img.At(at.X, at.Y).RGBA(); g < 0x8000 || r > 0x7000 || b > 0x7000 {
						t.Errorf("%s to %d as %s: at %v it is %x %x %x and not green", name, ask, format, at, r>>8, g>>8, b>>8)
					}
				}
				if bytes.Contains(data, []byte("Exif")) {
					t.Error("the metadata is still there")
				}
			}
		}
	}
	for what, ask := range map[string]int{"no width": 0, "too much": images.MaxWidth + 1} {
		if _, err := p.Square(t.Context(), bytes.NewReader(sources["wide"]), ask, images.FormatJPEG); fault.CodeOf(err) != images.CodeUnsupported {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTransparencyBecomesBlackInJPEG(t *testing.T) {
	data, err := imaging.New().Resize(t.Context(), bytes.NewReader(encodePNG(t, picture(40, 40, 0))), 40, images.FormatJPEG)
	if err != nil {
		t.Fatal(err)
	}
	img, _, _ := image.Decode(bytes.NewReader(data))
	if r, g, b, _ := img.At(20, 5).RGBA(); r+g+b > 0x3000 {
		t.Fatalf("%x %x %x", r, g, b)
	}
}

func TestThumbhashDrawsThePicture(t *testing.T) {
	text, err := imaging.New().Thumbhash(t.Context(), bytes.NewReader(encodePNG(t, picture(900, 1350, 255))))
	if err != nil {
		t.Fatal(err)
	}
	hash, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(hash) > 30 {
		t.Fatalf("%q %v", text, err)
	}
	img, err := thumbhash.DecodeImage(hash)
	if err != nil {
		t.Fatal(err)
	}
	b := img.Bounds()
	if r, _, blue, _ := img.At(b.Dx()/2, 1).RGBA(); r < blue {
		t.Error("above is not red")
	}
	if r, _, blue, _ := img.At(b.Dx()/2, b.Dy()-2).RGBA(); r > blue {
		t.Error("below is not blue")
	}
}

// bomb is a PNG whose header claims a size that its data does not have.
func bomb(t *testing.T, w, h uint32) []byte {
	data := encodePNG(t, picture(1, 1, 255))
	binary.BigEndian.PutUint32(data[16:], w)
	binary.BigEndian.PutUint32(data[20:], h)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}

func TestWhatIsNoFitPictureIsRefusedBeforeDecoding(t *testing.T) {
	p := imaging.New()
	good := encodePNG(t, picture(64, 64, 255))
	for name, c := range map[string]struct {
		data []byte
		code string
	}{
		"empty":     {nil, images.CodeUnreadable},
		"text":      {[]byte("not a picture"), images.CodeUnreadable},
		"svg":       {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), images.CodeUnsupported},
		"gif":       {[]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), images.CodeUnsupported},
		"bomb":      {bomb(t, 50_000, 50_000), images.CodeTooLarge},
		"truncated": {good[:len(good)/2], images.CodeUnreadable},
	} {
		if _, err := p.Resize(t.Context(), bytes.NewReader(c.data), 100, images.FormatJPEG); fault.CodeOf(err) != c.code {
			t.Errorf("%s: resize: %v", name, err)
		}
		if _, err := p.Thumbhash(t.Context(), bytes.NewReader(c.data)); fault.CodeOf(err) != c.code {
			t.Errorf("%s: thumbhash: %v", name, err)
		}
		if _, _, _, err := p.Inspect(t.Context(), bytes.NewReader(c.data)); name != "truncated" && fault.CodeOf(err) != c.code {
			t.Errorf("%s: inspect: %v", name, err)
		}
	}
	if _, _, _, err := p.Inspect(t.Context(), strings.NewReader(strings.Repeat("x", images.MaxBytes+1))); fault.CodeOf(err) != images.CodeTooLarge {
		t.Errorf("too many bytes: %v", err)
	}
	for _, c := range []struct {
		width  int
		format string
	}{{0, images.FormatJPEG}, {images.MaxWidth + 1, images.FormatJPEG}, {100, "avif"}} {
		if _, err := p.Resize(t.Context(), bytes.NewReader(good), c.width, c.format); fault.CodeOf(err) != images.CodeUnsupported {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
