package webauthn_test

import (
	"testing"

	"github.com/revenge-media/revenge/adapters/webauthn"
	"github.com/revenge-media/revenge/testkit/passkeytest"
)

func TestCeremoniesKeepTheirLaws(t *testing.T) { passkeytest.Run(t, webauthn.Ceremonies{}) }
