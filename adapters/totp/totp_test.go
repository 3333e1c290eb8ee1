package totp_test

import (
	"testing"

	"github.com/revenge-media/revenge/adapters/totp"
	"github.com/revenge-media/revenge/testkit/otptest"
)

func TestGeneratorKeepsItsLaws(t *testing.T) { otptest.Run(t, totp.Generator{}) }
