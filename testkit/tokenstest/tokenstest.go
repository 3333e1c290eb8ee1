// Package tokenstest holds an adapter of ports/tokens to its comments.
package tokenstest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/tokens"
)

// Run holds a signer of compact JWS to every law. open returns one with these keys, newest first.
func Run(t *testing.T, open func(t *testing.T, keys ...tokens.Key) tokens.Signer) {
	first := tokens.Key{ID: "first", Secret: bytes.Repeat([]byte{1}, 32)}
	second := tokens.Key{ID: "second", Secret: bytes.Repeat([]byte{2}, 32)}
	now := time.Now().UTC().Truncate(time.Second)
	claims := tokens.Claims{UserID: domain.NewID(), SessionID: domain.NewID(), ID: "id", IssuedAt: now, ExpiresAt: now.Add(15 * time.Minute)}
	sign := func(t *testing.T, s tokens.Signer) string {
		t.Helper()
		token, err := s.Sign(t.Context(), claims)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	refused := func(t *testing.T, s tokens.Signer, token string, at time.Time, code string) {
		t.Helper()
		got, err := s.Verify(t.Context(), token, at)
		if err == nil || fault.KindOf(err) != fault.Unauthenticated || fault.CodeOf(err) != code {
			t.Errorf("got %+v, %v, want it refused with %s", got, err, code)
		}
	}

	t.Run("WhatIsSignedVerifies", func(t *testing.T) {
		t.Parallel()
		s := open(t, first)
		if got, err := s.Verify(t.Context(), sign(t, s), now); err != nil || got != claims {
			t.Errorf("got %+v, %v, want %+v", got, err, claims)
		}
	})
	t.Run("ATokenWithoutIDGetsOne", func(t *testing.T) {
		t.Parallel()
		s := open(t, first)
		c := claims
		c.ID = ""
		token, err := s.Sign(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Verify(t.Context(), token, now); err != nil || got.ID == "" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("AnExpiredTokenIsRefusedAfterAtMostAMinute", func(t *testing.T) {
		t.Parallel()
		s := open(t, first)
		refused(t, s, sign(t, s), claims.ExpiresAt.Add(time.Minute+time.Second), "auth.token_expired")
	})
	t.Run("ATokenThatWasAcceptedIsRefusedAtAnotherTime", func(t *testing.T) {
		t.Parallel()
		s := open(t, first)
		token := sign(t, s)
		for range 2 {
			if got, err := s.Verify(t.Context(), token, now); err != nil || got != claims {
				t.Errorf("got %+v, %v, want %+v", got, err, claims)
			}
			refused(t, s, token, claims.ExpiresAt.Add(time.Minute+time.Second), "auth.token_expired")
			refused(t, s, token, now.Add(-2*time.Minute), "auth.token_invalid")
		}
	})
	t.Run("ATokenFromTheFutureIsRefused", func(t *testing.T) {
		t.Parallel()
		s := open(t, first)
		refused(t, s, sign(t, s), now.Add(-2*time.Minute), "auth.token_invalid")
	})
	t.Run("AfterRotationTheOldKeyVerifiesAndTheNewOneSigns", func(t *testing.T) {
		t.Parallel()
		rotated := open(t, second, first)
		if _, err := rotated.Verify(t.Context(), sign(t, open(t, first)), now); err != nil {
			t.Error(err)
		}
		if _, err := open(t, second).Verify(t.Context(), sign(t, rotated), now); err != nil {
			t.Error(err)
		}
		refused(t, open(t, second), sign(t, open(t, first)), now, "auth.token_invalid")
	})
	t.Run("NothingElsePassesForAToken", func(t *testing.T) {
		t.Parallel()
		s := open(t, first)
		good := sign(t, s)
		parts := strings.Split(good, ".")
		if len(parts) != 3 {
			t.Fatalf("%q is no compact JWS", good)
		}
		header, body := object(t, parts[0]), object(t, parts[1])
		if _, err := s.Verify(t.Context(), forge(t, header, body, first.Secret), now); err != nil {
			t.Fatalf("a token made with the key is refused: %v", err)
		}
		with := func(m map[string]any, key string, value any) map[string]any {
			changed := map[string]any{}
			for k, v := range m {
				changed[k] = v
			}
			if value == nil {
				delete(changed, key)
			} else {
				changed[key] = value
			}
			return changed
		}
		forged := map[string]string{
			"empty": "", "garbage": "a.b.c", "long": strings.Repeat("a", 1<<16), "no signature": parts[0] + "." + parts[1] + ".",
			"other key": forge(t, header, body, second.Secret), "alg none": forge(t, with(header, "alg", "none"), body, nil),
			"alg swapped": forge(t, with(header, "alg", "HS512"), body, first.Secret), "alg asymmetric": forge(t, with(header, "alg", "RS256"), body, first.Secret),
			"kid path": forge(t, with(header, "kid", "../../../dev/null"), body, nil), "kid number": forge(t, with(header, "kid", 1), body, first.Secret),
			"no kid": forge(t, with(header, "kid", nil), body, first.Secret), "typ": forge(t, with(header, "typ", "JWT"), body, first.Secret),
			"issuer": forge(t, header, with(body, "iss", "other"), first.Secret), "audience": forge(t, header, with(body, "aud", "other"), first.Secret),
			"no expiry": forge(t, header, with(body, "exp", nil), first.Secret), "no subject": forge(t, header, with(body, "sub", nil), first.Secret),
			"no session": forge(t, header, with(body, "sid", nil), first.Secret), "no time of issue": forge(t, header, with(body, "iat", nil), first.Secret),
		}
		for name, token := range forged {
			t.Run(name, func(t *testing.T) { refused(t, s, token, now, "auth.token_invalid") })
		}
	})
}

func object(t *testing.T, part string) map[string]any {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// forge builds a JWS with HMAC-SHA-256, or without a signature when key is nil.
func forge(t *testing.T, header, body map[string]any, key []byte) string {
	t.Helper()
	h, errH := json.Marshal(header)
	b, errB := json.Marshal(body)
	if errH != nil || errB != nil {
		t.Fatal(errH, errB)
	}
	text := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(b)
	if key == nil {
		return text + "."
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
