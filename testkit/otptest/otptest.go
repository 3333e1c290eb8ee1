// Package otptest holds an adapter of ports/otp to its comments.
package otptest

import (
	"bytes"
	"encoding/base32"
	"image/png"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/ports/otp"
)

// Run holds a generator to every law.
func Run(t *testing.T, g otp.Generator) {
	// The secret of RFC 6238, appendix B, and the last six digits of its SHA-1 codes.
	secret := []byte("12345678901234567890")
	vectors := map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"}

	t.Run("CodesAreThoseOfRFC6238", func(t *testing.T) {
		t.Parallel()
		for at, code := range vectors {
			step, ok, err := g.Match(secret, code, time.Unix(at, 0))
			if err != nil || !ok || step != at/30 {
				t.Errorf("at %d: step %d, %v, %v", at, step, ok, err)
			}
		}
	})
	t.Run("OneStepEitherSideCountsAndNoMore", func(t *testing.T) {
		t.Parallel()
		const at, code = 1234567890, "005924"
		start := int64(at / 30 * 30)
		for offset, want := range map[int64]bool{-31: false, -30: true, -1: true, 0: true, 29: true, 30: true, 59: true, 60: false, 600: false} {
			step, ok, err := g.Match(secret, code, time.Unix(start+offset, 0))
			if err != nil || ok != want || (ok && step != at/30) {
				t.Errorf("%d s after its step began: step %d, %v, %v", offset, step, ok, err)
			}
		}
	})
	t.Run("NothingElseIsACode", func(t *testing.T) {
		t.Parallel()
		for _, code := range []string{"", "005925", "05924", "0005924", "005 924", "94287082", "abcdef", strings.Repeat("0", 1000)} {
			if _, ok, err := g.Match(secret, code, time.Unix(1234567890, 0)); ok || err != nil {
				t.Errorf("%q: %v, %v", code, ok, err)
			}
		}
		if _, ok, err := g.Match([]byte("another secret of 20"), "005924", time.Unix(1234567890, 0)); ok || err != nil {
			t.Errorf("another secret: %v, %v", ok, err)
		}
	})
	t.Run("AppsAreToldAllTheyNeed", func(t *testing.T) {
		t.Parallel()
		for _, name := range [][2]string{{"Revenge", "anna"}, {"Kino: bei uns & Söhne + #1?", "Ännchen:漢/%+"}} {
			e, err := g.Enrol(name[0], name[1], secret)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(e.Secret); err != nil || !bytes.Equal(got, secret) {
				t.Errorf("the secret is %q", e.Secret)
			}
			u, err := url.Parse(e.URL)
			if err != nil {
				t.Fatal(err)
			}
			issuer := strings.ReplaceAll(name[0], ":", " ")
			label := issuer + ":" + strings.ReplaceAll(name[1], ":", " ")
			q := u.Query()
			if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/"+label || q.Get("secret") != e.Secret || q.Get("issuer") != issuer ||
				q.Get("period") != "30" || q.Get("digits") != "6" || q.Get("algorithm") != "SHA1" || strings.Contains(u.RawQuery, "+") {
				t.Errorf("got %s", e.URL)
			}
			img, err := png.Decode(bytes.NewReader(e.PNG))
			if err != nil || img.Bounds().Dx() != 256 || img.Bounds().Dy() != 256 {
				t.Fatalf("the picture: %v", err)
			}
			dark := 0
			for x := range 256 {
				for y := range 256 {
					r, _, _, _ := img.At(x, y).RGBA()
					if edge := min(x, y, 255-x, 255-y) < 16; edge && r != 0xffff {
						t.Fatal("there is no white around it")
					}
					if r < 0x8000 {
						dark++
					}
				}
			}
			if dark < 5000 {
				t.Errorf("the picture has %d dark points", dark)
			}
		}
	})
}
