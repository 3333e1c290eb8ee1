package demo

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// The clock's picture, in pixels.
const clockWidth, clockHeight = 216, 88

// clockFrames draws a clock, one frame for each second, as raw RGBA. It is drawn here and not by ffmpeg's drawtext,
// which many builds lack and which needs a font of the system's.
func clockFrames(seconds int) ([]byte, error) {
	parsed, err := opentype.Parse(gomonobold.TTF)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: 56, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	defer face.Close()
	frames := make([]byte, 0, seconds*clockWidth*clockHeight*4)
	for second := range seconds {
		frame := image.NewNRGBA(image.Rect(0, 0, clockWidth, clockHeight))
		draw.Draw(frame, frame.Bounds(), image.NewUniform(color.NRGBA{A: 150}), image.Point{}, draw.Src)
		text := fmt.Sprintf("%02d:%02d", second/60, second%60)
		drawer := font.Drawer{Dst: frame, Src: image.White, Face: face}
		drawer.Dot = fixed.Point26_6{X: (fixed.I(clockWidth) - drawer.MeasureString(text)) / 2, Y: fixed.I(clockHeight/2 + 20)}
		drawer.DrawString(text)
		// A bar along the lower edge fills with every minute.
		bar := image.Rect(0, clockHeight-6, clockWidth*(second%60+1)/60, clockHeight)
		draw.Draw(frame, bar, image.NewUniform(color.NRGBA{R: 255, G: 255, B: 255, A: 220}), image.Point{}, draw.Src)
		frames = append(frames, frame.Pix...)
	}
	return frames, nil
}
