package smtp_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/smtp"
	"github.com/revenge-media/revenge/ports/mail"
	"github.com/revenge-media/revenge/testkit/mailtest"
)

func TestSenderKeepsItsLaws(t *testing.T) {
	t.Parallel()
	mailtest.Run(t, func(roots *x509.CertPool, timeout time.Duration) mail.Sender {
		return smtp.New(smtp.Config{Roots: roots, Timeout: timeout})
	})
}
