// Package totp implements ports/otp with pquerna/otp.
package totp

import (
	"bytes"
	"crypto/subtle"
	"encoding/base32"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/revenge-media/revenge/core/fault"
	port "github.com/revenge-media/revenge/ports/otp"
)

// A QR code wants four modules of white around it (ISO/IEC 18004, section 6.3.8), which a dark page does not give.
const (
	size  = 256
	quiet = 16
)

// Generator makes and recognises codes. The zero value is ready.
type Generator struct{}

var _ port.Generator = Generator{}

// Enrol implements ports/otp.Generator.
func (Generator) Enrol(issuer, account string, secret []byte) (port.Enrolment, error) {
	plain := func(s string) string { return strings.ReplaceAll(s, ":", " ") } // a colon ends the issuer in the label
	issuer, account = plain(issuer), plain(account)
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	// Google's "Key URI Format". The library's own leaves "&" as it is, which cuts a name off there; and apps read "+" as it stands.
	query := url.Values{"secret": {text}, "issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"}}
	address := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + account, RawQuery: strings.ReplaceAll(query.Encode(), "+", "%20")}
	key, err := otp.NewKeyFromURL(address.String())
	if err != nil {
		return port.Enrolment{}, failed(err)
	}
	code, err := key.Image(size-2*quiet, size-2*quiet)
	if err != nil {
		return port.Enrolment{}, failed(err)
	}
	page := image.NewGray(image.Rect(0, 0, size, size))
	draw.Draw(page, page.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(page, code.Bounds().Add(image.Pt(quiet, quiet)), code, code.Bounds().Min, draw.Src)
	var out bytes.Buffer
	if err := png.Encode(&out, page); err != nil {
		return port.Enrolment{}, failed(err)
	}
	return port.Enrolment{Secret: text, URL: key.URL(), PNG: out.Bytes()}, nil
}

// Match implements ports/otp.Generator. Which step it was takes no longer to find out than that it was none.
func (Generator) Match(secret []byte, code string, now time.Time) (step int64, ok bool, err error) {
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	current := now.Unix() / int64(port.Step.Seconds())
	for s := current - 1; s <= current+1; s++ {
		right, err := hotp.GenerateCodeCustom(text, uint64(s), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false, failed(err)
		}
		if subtle.ConstantTimeCompare([]byte(right), []byte(code)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok, nil
}

func failed(cause error) error {
	return fault.Wrap(cause, fault.Internal, "mfa.totp_failed", "The code of the authenticator app could not be made.")
}
