package domain

import "time"

// RoleName names a role.
type RoleName string

// The default roles, which cannot be removed.
const (
	RoleAdmin RoleName = "admin"
	RoleUser  RoleName = "user"
	// RoleGuest looks and plays, and leaves nothing behind.
	RoleGuest RoleName = "guest"
	// RoleLegacy may additionally see restricted libraries that its access list names (SPEC 3).
	RoleLegacy RoleName = "legacy:read"
)

// User is an account. It holds no credential.
type User struct {
	ID          ID         `json:"id"`
	Username    string     `json:"username"`
	DisplayName string     `json:"displayName"`
	Email       string     `json:"email,omitempty"`
	Roles       []RoleName `json:"roles"`
	Disabled    bool       `json:"disabled"`
	CreatedAt   time.Time  `json:"createdAt"`
	UpdatedAt   time.Time  `json:"updatedAt"`
	LastLoginAt *time.Time `json:"lastLoginAt,omitempty"`
	// EmailVerifiedAt is when a link that was sent to Email came back; nil while that is open, and when Email changes.
	EmailVerifiedAt *time.Time `json:"emailVerifiedAt,omitempty"`
	// HasPassword says that the account can sign in by a password. The store tells it; it is changed with the password only.
	HasPassword bool `json:"hasPassword"`
	// DeletedAt is when the account was removed. Until its grace period ends and it is purged an administrator can bring it back; it cannot sign in.
	DeletedAt *time.Time `json:"deletedAt,omitempty"`
	// Avatar is the revision of its picture, empty for none: GET /users/{id}/avatar?v=… never changes.
	Avatar string `json:"avatar,omitempty"`
}

// Usable tells whether the account may sign in and act.
func (u User) Usable() bool { return !u.Disabled && u.DeletedAt == nil }

// HasRole tells whether the user has the role itself.
func (u User) HasRole(r RoleName) bool {
	for _, x := range u.Roles {
		if x == r {
			return true
		}
	}
	return false
}

// PasswordHash is an encoded hash with its parameters, e.g. "$argon2id$v=19$m=47104,t=1,p=1$…". Never in a read model. "" belongs to an account
// without a password, which signs in by other means.
type PasswordHash string

// Preferences are what an account is to every client: languages and how subtitles are chosen. Players write
// the last choice here, so that it holds for the next film.
type Preferences struct {
	// AudioLanguage and SubtitleLanguage are ISO 639-2/B codes ("eng", "ger"), "" for the film's own.
	AudioLanguage    string `json:"audioLanguage"`
	SubtitleLanguage string `json:"subtitleLanguage"`
	// SubtitleMode is "auto" (forced ones, and default-flagged ones when the audio is foreign), "on" or "off".
	SubtitleMode string    `json:"subtitleMode" enum:"auto,on,off"`
	Language     string    `json:"language" doc:"BCP 47 tag of the user interface, empty for the browser's"`
	UpdatedAt    time.Time `json:"updatedAt"`
}

// Session is one signed-in client; the family of its refresh tokens has the same id.
type Session struct {
	ID         ID         `json:"id"`
	UserID     ID         `json:"userId"`
	Device     string     `json:"device"` // from the User-Agent, e.g. "Firefox on Linux"
	UserAgent  string     `json:"userAgent"`
	IP         string     `json:"ip"`
	CreatedAt  time.Time  `json:"createdAt"`
	LastSeenAt time.Time  `json:"lastSeenAt"`
	ExpiresAt  time.Time  `json:"expiresAt"`
	RevokedAt  *time.Time `json:"revokedAt,omitempty"`
	// DeviceID is the known device that it was opened on; nil in sessions of earlier versions.
	DeviceID *ID `json:"deviceId,omitempty"`
	// Method is how it was opened.
	Method SignInMethod `json:"method"`
	// MFAVerified says that a second factor was shown, or a passkey, which is two in one; MFAVerifiedAt when.
	MFAVerified   bool       `json:"mfaVerified"`
	MFAVerifiedAt *time.Time `json:"mfaVerifiedAt,omitempty"`
	// AuthenticatedAt is when its owner last proved who they are: sensitive changes need that to be at most five minutes ago (S9).
	AuthenticatedAt time.Time `json:"authenticatedAt"`
}

// SessionUse is what a use of a session changes.
type SessionUse struct {
	At        time.Time
	ExpiresAt time.Time
	IP        string
	UserAgent string
}

// SignInMethod is how a session was opened.
type SignInMethod string

// The ways to sign in.
const (
	SignInPassword SignInMethod = "password"
	SignInPasskey  SignInMethod = "passkey"
	SignInOIDC     SignInMethod = "oidc"
	SignInClaim    SignInMethod = "claim" // the first administrator's
)

// Device is a browser or client that an account was used on.
type Device struct {
	ID     ID `json:"id"`
	UserID ID `json:"userId"`
	// Fingerprint tells devices of one account apart: a SHA-256 over what the client says of itself, without its versions.
	Fingerprint []byte    `json:"-"`
	Name        string    `json:"name"` // e.g. "Firefox on Linux"
	CreatedAt   time.Time `json:"createdAt"`
	LastSeenAt  time.Time `json:"lastSeenAt"`
}

// Client is where a request comes from. It grants nothing (S29).
type Client struct {
	IP        string
	UserAgent string
}

// Challenge is something that a client was asked and has not answered yet: a second factor, a passkey, a sign-in elsewhere.
type Challenge struct {
	Hash    []byte // SHA-256 of the token that the client holds, 32 bytes
	Purpose ChallengePurpose
	// UserID is whom it binds; nil where that is only known by the answer.
	UserID *ID
	// Data is the asking area's own JSON.
	Data      []byte
	CreatedAt time.Time
	ExpiresAt time.Time
}

// ChallengePurpose keeps challenges apart: one of a kind answers no other.
type ChallengePurpose string

// Active tells whether the session may still be used at now.
func (s Session) Active(now time.Time) bool { return s.RevokedAt == nil && now.Before(s.ExpiresAt) }

// RefreshToken is one link in a session's rotation chain; only hashes are stored (S5).
type RefreshToken struct {
	Hash      []byte // SHA-256 of the token, 32 bytes
	SessionID ID
	// Generation counts rotations from 0; the highest of a session is the live one.
	Generation int
	CreatedAt  time.Time
	ExpiresAt  time.Time
	// UsedAt is when it was exchanged; nil while it is the live one.
	UsedAt *time.Time
}

// Actor is who acts: an account with the session or the API key it came by. The zero Actor is nobody.
type Actor struct {
	UserID    ID
	SessionID ID // zero with an API key
	Username  string
	Roles     []RoleName
	// KeyID is the API key that it acts by, nil with a session. A key holds KeyPermissions and never more than its owner.
	KeyID          *ID
	KeyPermissions []Permission
	// MFAVerified and AuthenticatedAt are the session's.
	MFAVerified     bool
	AuthenticatedAt time.Time
	// MustEnrol says that a role of the account asks for a second factor and it has none yet: until it has, it may do nothing but add one.
	MustEnrol bool
	// Client is where the request came from.
	Client Client
	// System marks the server's own work (jobs, CLI), which may do everything and see everything.
	System bool
}

// SystemActor is the server itself.
func SystemActor() Actor { return Actor{System: true, Username: "system"} }

// Anonymous tells whether nobody is signed in.
func (a Actor) Anonymous() bool { return !a.System && a.UserID == (ID{}) }

// HasRole tells whether the actor has the role.
func (a Actor) HasRole(r RoleName) bool {
	for _, x := range a.Roles {
		if x == r {
			return true
		}
	}
	return false
}

// Permission names what a route or method needs, "area.verb".
type Permission string

// The permissions. Anonymous routes use PermissionPublic and stand in one checked-in list (S17).
const (
	PermissionPublic         Permission = "public"
	PermissionEnrol          Permission = "session.enrol"  // whoever is signed in, even where a second factor must be added first
	PermissionSession        Permission = "session.use"    // see the own account, its sessions and preferences
	PermissionProfile        Permission = "profile.manage" // change the own account: profile, password, address, second factors, linked accounts
	PermissionAPIKey         Permission = "apikey.manage"  // make and change own API keys
	PermissionLibraryRead    Permission = "library.read"   // browse what the scope allows
	PermissionPlayback       Permission = "playback.use"   // play it
	PermissionHistory        Permission = "history.write"  // own progress, watched marks, favourites and watchlist
	PermissionLibraryManage  Permission = "library.manage" // create, change, scan, browse directories, file states
	PermissionUserManage     Permission = "user.manage"    // accounts, invitations, and which roles they have
	PermissionRoleManage     Permission = "role.manage"    // what roles may do
	PermissionOIDCManage     Permission = "oidc.manage"
	PermissionActivityRead   Permission = "activity.read" // everybody's
	PermissionSettingsManage Permission = "settings.manage"
	PermissionJobsManage     Permission = "jobs.manage"
)

// Scope is what an actor may see: a required argument of every store method that reads films (S18).
// The zero Scope sees nothing.
type Scope struct {
	all       bool
	libraries []ID
}

// ScopeAll sees every library; only the server itself and administrators get it.
func ScopeAll() Scope { return Scope{all: true} }

// ScopeOf sees exactly these libraries.
func ScopeOf(libraries ...ID) Scope { return Scope{libraries: append([]ID(nil), libraries...)} }

// All tells whether every library is visible.
func (s Scope) All() bool { return s.all }

// Libraries lists the visible libraries when All is false. Not to be changed.
func (s Scope) Libraries() []ID { return s.libraries }

// Sees tells whether a library is visible.
func (s Scope) Sees(library ID) bool {
	if s.all {
		return true
	}
	for _, l := range s.libraries {
		if l == library {
			return true
		}
	}
	return false
}
