// Package fault is the one error type of Revenge. A fault says of which closed Kind it is, carries a
// stable machine-readable code, and a message for the person who met it: what happened and what to do.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the closed set of what can go wrong. Hosts map a Kind to their own vocabulary (HTTP status, exit code).
type Kind int

// The kinds. The HTTP status that hosts/httpd answers stands behind each.
const (
	Internal        Kind = iota // 500: a defect or an unexpected failure of a dependency; the cause is never shown
	Invalid                     // 422: input that breaks a rule; Fields says which
	Unauthenticated             // 401: no valid credential
	Forbidden                   // 403: a valid credential without the permission
	NotFound                    // 404: absent, or not visible to the actor, which must look the same
	Conflict                    // 409: the state does not allow it
	Precondition                // 412: If-Match did not hold
	TooLarge                    // 413: over a size limit
	RateLimited                 // 429: too many, RetryAfter says when to come back
	Unavailable                 // 503: a dependency or a limit stands in the way for now
)

var kindNames = [...]string{"internal", "invalid", "unauthenticated", "forbidden", "not_found", "conflict", "precondition", "too_large", "rate_limited", "unavailable"}

// String returns the snake_case name of the kind.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "internal"
	}
	return kindNames[k]
}

// Field is one violated rule of an Invalid fault.
type Field struct {
	// Path is the JSON path of the offending value, e.g. "paths[0]".
	Path string `json:"path"`
	// Message says what is wrong with it, for a person.
	Message string `json:"message"`
}

// Error is a fault. Build it with New, Wrap or one of the kind helpers; read it with As, KindOf or CodeOf.
type Error struct {
	Kind    Kind
	Code    string // stable, "area.reason", e.g. "auth.invalid_credentials"
	Message string // for the person: what happened and what to do
	Fields  []Field
	// RetryAfter is when trying again makes sense (RateLimited, Unavailable); zero when unknown.
	RetryAfter time.Duration
	cause      error
}

// Error returns code, message and cause: for logs, never for clients.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.cause)
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, target) true for two faults of the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// New returns a fault without a cause. The message is formatted with args.
func New(kind Kind, code, message string, args ...any) *Error {
	if len(args) > 0 {
		message = fmt.Sprintf(message, args...)
	}
	return &Error{Kind: kind, Code: code, Message: message}
}

// Wrap returns a fault with a cause that is logged and never shown.
func Wrap(cause error, kind Kind, code, message string, args ...any) *Error {
	e := New(kind, code, message, args...)
	e.cause = cause
	return e
}

// InvalidField returns an Invalid fault about one field.
func InvalidField(code, path, message string, args ...any) *Error {
	e := New(Invalid, code, message, args...)
	e.Fields = []Field{{Path: path, Message: e.Message}}
	return e
}

// WithRetryAfter sets RetryAfter and returns the fault.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	e.RetryAfter = d
	return e
}

// As returns the fault in err's chain, or nil.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// KindOf returns the kind of the first fault in err's chain; Internal for any other error. err must not be nil.
func KindOf(err error) Kind {
	if e := As(err); e != nil {
		return e.Kind
	}
	return Internal
}

// CodeOf returns the code of the first fault in err's chain, "" for any other error.
func CodeOf(err error) string {
	if e := As(err); e != nil {
		return e.Code
	}
	return ""
}

// IsNotFound tells whether err is a NotFound fault.
func IsNotFound(err error) bool { return err != nil && KindOf(err) == NotFound }
