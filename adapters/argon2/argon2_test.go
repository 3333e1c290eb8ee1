package argon2_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	argon2id "golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/revenge-media/revenge/adapters/argon2"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/passwords"
	"github.com/revenge-media/revenge/testkit/passwordstest"
)

func cheap() *argon2.Hasher { return argon2.New(argon2.Config{Memory: 64, AtOnce: 2}) }

func TestHasherKeepsItsLaws(t *testing.T) {
	passwordstest.Run(t, func(*testing.T) passwords.Hasher { return cheap() })
}

func TestDefaultParametersAreInTheHash(t *testing.T) {
	t.Parallel()
	hash, err := argon2.New(argon2.Config{}).Hash(t.Context(), "correct horse battery staple")
	if err != nil || !strings.HasPrefix(string(hash), "$argon2id$v=19$m=47104,t=1,p=1$") {
		t.Errorf("got %q, %v", hash, err)
	}
}

func TestWeakerParametersAreReportedForRehashing(t *testing.T) {
	t.Parallel()
	hash, err := cheap().Hash(t.Context(), "correct horse battery staple")
	if err != nil {
		t.Fatal(err)
	}
	stronger := argon2.New(argon2.Config{Memory: 128})
	if ok, rehash, err := stronger.Verify(t.Context(), "correct horse battery staple", hash); !ok || !rehash || err != nil {
		t.Errorf("got %v, %v, %v", ok, rehash, err)
	}
}

func TestBcryptIsAcceptedOnceForRehashing(t *testing.T) {
	t.Parallel()
	old, err := bcrypt.GenerateFromPassword([]byte("an older password"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if ok, rehash, err := cheap().Verify(t.Context(), "an older password", domain.PasswordHash(old)); !ok || !rehash || err != nil {
		t.Errorf("right: %v, %v, %v", ok, rehash, err)
	}
	if ok, _, err := cheap().Verify(t.Context(), "another password", domain.PasswordHash(old)); ok || err != nil {
		t.Errorf("wrong: %v, %v", ok, err)
	}
}

// TestAHashOfAPasswordThatWasNotNormalisedIsAcceptedOnceForRehashing: the hasher of another system took the bytes as they came from the keyboard.
func TestAHashOfAPasswordThatWasNotNormalisedIsAcceptedOnceForRehashing(t *testing.T) {
	t.Parallel()
	const typed, normal = "cafe\u0301 au lait sucre\u0301", "caf\u00e9 au lait sucr\u00e9"
	brought, err := bcrypt.GenerateFromPassword([]byte(typed), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	salt := []byte("sixteen bytes of")
	b64 := base64.RawStdEncoding
	plain := fmt.Sprintf("$argon2id$v=19$m=64,t=1,p=1$%s$%s", b64.EncodeToString(salt), b64.EncodeToString(argon2id.IDKey([]byte(typed), salt, 1, 64, 1, 32)))
	for _, old := range []string{string(brought), plain} {
		if ok, rehash, err := cheap().Verify(t.Context(), typed, domain.PasswordHash(old)); !ok || !rehash || err != nil {
			t.Errorf("%.10s, as typed: %v, %v, %v", old, ok, rehash, err)
		}
		if ok, _, err := cheap().Verify(t.Context(), "cafe\u0301 au lait sale\u0301", domain.PasswordHash(old)); ok || err != nil {
			t.Errorf("%.10s, wrong: %v, %v", old, ok, err)
		}
	}
	renewed, err := cheap().Hash(t.Context(), typed)
	if err != nil {
		t.Fatal(err)
	}
	if ok, rehash, err := cheap().Verify(t.Context(), normal, renewed); !ok || rehash || err != nil {
		t.Errorf("hashed again: %v, %v, %v", ok, rehash, err)
	}
}

func TestUnreadableHashesAreInternal(t *testing.T) {
	t.Parallel()
	for _, hash := range []domain.PasswordHash{
		"plain", "$2a$broken", "$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=x$a$b",
		"$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=64,t=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=1,p=1$AA$AA",
	} {
		if ok, _, err := cheap().Verify(t.Context(), "x", hash); ok || err == nil || fault.KindOf(err) != fault.Internal {
			t.Errorf("%s: %v, %v", hash, ok, err)
		}
	}
}

func TestWaitingForASlotEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := argon2.New(argon2.Config{Memory: 1 << 16, Passes: 4, AtOnce: 1})
	started := make(chan struct{})
	go func() { close(started); _, _ = h.Hash(context.Background(), "x") }()
	<-started
	for range 1000 { // select is free to take a slot while one is free
		if _, err := h.Hash(ctx, "x"); errors.Is(err, context.Canceled) {
			return
		}
	}
	t.Error("a cancelled ctx was never noticed")
}
