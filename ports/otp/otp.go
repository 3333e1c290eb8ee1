// Package otp is what the core needs of time-based one-time passwords (RFC 6238).
package otp

import "time"

// Step is how long a code is shown.
const Step = 30 * time.Second

// Enrolment is what an authenticator app takes a secret from.
type Enrolment struct {
	// Secret is the secret in base32 without padding, for typing.
	Secret string
	// URL is "otpauth://totp/…", PNG a QR code of it, 256x256.
	URL string
	PNG []byte
}

// Generator makes and recognises codes of six digits, by HMAC-SHA-1.
type Generator interface {
	// Enrol describes a secret for an account's app. issuer and account are what the app shows.
	Enrol(issuer, account string, secret []byte) (Enrolment, error)
	// Match returns the time step (units of Step since 1970) whose code this is: that of now, the one before or the one after; ok is false for any
	// other text. It remembers nothing: to accept a step once is up to the caller.
	Match(secret []byte, code string, now time.Time) (step int64, ok bool, err error)
}
