// Package activity keeps the log of who did what (SPEC 3): security events in the transaction of the change that they record, everything else
// through a job.
package activity

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/store"
)

// The longest texts that an entry takes, in bytes.
const (
	maxText    = 300
	maxDetails = 20
)

// Record adds a security event to the log in the transaction of the change that it records: both are there or neither. What e leaves open, the
// actor says: who, from where, by which API key. Texts lose what could pretend to be another entry (S27).
func Record(ctx context.Context, tx store.Tx, now time.Time, actor domain.Actor, e domain.Activity) error {
	return tx.Activity.Append(ctx, entry(now, actor, e))
}

// Forget takes the name of an account that is being purged out of the log; its id stays.
func Forget(ctx context.Context, tx store.Tx, user domain.ID) error {
	return tx.Activity.Forget(ctx, user)
}

// entry completes e from the actor and makes its texts safe to keep and to show.
func entry(now time.Time, actor domain.Actor, e domain.Activity) domain.Activity {
	e.ID, e.At = domain.NewID(), domain.Stamp(now)
	if e.UserID == nil && !actor.System && !actor.Anonymous() {
		e.UserID = &actor.UserID
	}
	if e.Username == "" && (e.UserID == nil || *e.UserID == actor.UserID) {
		e.Username = actor.Username
	}
	if e.IP == "" {
		e.IP = actor.Client.IP
	}
	if e.UserAgent == "" {
		e.UserAgent = actor.Client.UserAgent
	}
	details := make(map[string]string, len(e.Details)+1)
	for name, value := range e.Details {
		if len(details) < maxDetails {
			details[Line(name)] = Line(value)
		}
	}
	if actor.KeyID != nil {
		details["apiKey"] = actor.KeyID.String()
	}
	e.Details = details
	if len(details) == 0 {
		e.Details = nil
	}
	for _, text := range []*string{&e.Username, &e.Action, &e.ResourceType, &e.ResourceID, &e.ResourceName, &e.IP, &e.UserAgent} {
		*text = Line(*text)
	}
	return e
}

// Line makes a text fit for one line of a log, in 300 bytes at most: control characters, line separators and what changes the direction of writing
// are escaped ("\n", "\u202e"), so that nobody forges an entry by the name that they give themselves.
func Line(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, string(unicode.ReplacementChar)) {
		part := string(r)
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) && r != '\u200d' { // the joiner of emoji hides nothing
			part = strings.Trim(strconv.QuoteRuneToASCII(r), "'")
		}
		if b.Len()+len(part) > maxText {
			break
		}
		b.WriteString(part)
	}
	return b.String()
}
