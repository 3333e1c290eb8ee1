package mfa

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/mailing"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/ports/store"
)

// A set is ten codes of 120 random bits: six groups of four letters and digits (S13). With that many a fast hash is right: nobody guesses one, and ten
// slow ones for each try would stop the server.
const (
	codesPerSet = 10
	codeBytes   = 15
)

// newCodes returns a set as it is shown and as it is kept.
func newCodes(user domain.ID, now time.Time) (shown []string, kept []domain.BackupCode) {
	for range codesPerSet {
		b := make([]byte, codeBytes)
		rand.Read(b) // never fails
		text := base32.StdEncoding.EncodeToString(b)
		var groups []string
		for i := 0; i < len(text); i += 4 {
			groups = append(groups, text[i:i+4])
		}
		shown = append(shown, strings.Join(groups, "-"))
		kept = append(kept, domain.BackupCode{ID: domain.NewID(), UserID: user, Hash: hashed(text), CreatedAt: now})
	}
	return shown, kept
}

// bare is a code as it is compared: case, dashes and spaces do not matter.
func bare(code string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, code)
}

// digits is a code of an app as it is compared: "123 456" is how many show it.
func digits(code string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, code)
}

// BackupCodes makes a set of codes for an account with a second factor. An account that has some left keeps them, and is refused, unless replace is set:
// then all of the old set are worthless.
func (s *Service) BackupCodes(ctx context.Context, actor domain.Actor, replace bool) (codes []string, err error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionEnrol); err != nil {
		return nil, err
	}
	err = s.change(ctx, actor, domain.Activity{Action: domain.ActivityMFACodesMade}, "codesMade", func(ctx context.Context, tx store.Tx, has factors, now time.Time) error {
		switch {
		case !has.any():
			return noFactor()
		case has.codes > 0 && !replace:
			return fault.New(fault.Conflict, CodeHaveCodes, "You have %d backup codes left. Make a new set to replace them.", has.codes)
		}
		codes, err = s.makeCodes(ctx, tx, actor.UserID, now)
		return err
	})
	return codes, err
}

func (s *Service) makeCodes(ctx context.Context, tx store.Tx, user domain.ID, now time.Time) ([]string, error) {
	shown, kept := newCodes(user, now)
	return shown, tx.MFA.ReplaceBackupCodes(ctx, user, kept...)
}

// useBackupCode uses one of the account's codes up, and tells its owner.
func (s *Service) useBackupCode(ctx context.Context, user domain.ID, code string, client domain.Client) (used bool, err error) {
	hash := hashed(bare(code))
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		now := domain.Stamp(s.deps.Now())
		if used, err = tx.MFA.UseBackupCode(ctx, user, hash, now, client.IP); err != nil || !used {
			return err
		}
		has, err := inventory(ctx, tx.Repos, user)
		if err != nil {
			return err
		}
		left := strconv.Itoa(has.codes)
		by, err := person(ctx, tx.Repos, user, client)
		if err != nil {
			return err
		}
		event := domain.Activity{Action: domain.ActivityMFACodeUsed, ResourceType: "user", ResourceID: user.String(), Success: true, Details: map[string]string{"remaining": left}}
		if err := activity.Record(ctx, tx, now, by, event); err != nil {
			return err
		}
		return s.write(ctx, tx, now, user, mailing.BackupCodeUsed, map[string]string{"remaining": left, "ip": client.IP, "device": session.Device(client.UserAgent)})
	})
	return used, err
}

// person is an account as the log names it, where nobody is signed in yet.
func person(ctx context.Context, r store.Repos, user domain.ID, client domain.Client) (domain.Actor, error) {
	u, err := r.Users.Get(ctx, user)
	return domain.Actor{UserID: u.ID, Username: u.Username, Client: client}, err
}
