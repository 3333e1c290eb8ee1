package domain

import "time"

// RoleName names a role.
type RoleName string

// The fixed roles of this version.
const (
	RoleAdmin RoleName = "admin"
	RoleUser  RoleName = "user"
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
}

// HasRole tells whether the user has the role itself.
func (u User) HasRole(r RoleName) bool {
	for _, x := range u.Roles {
		if x == r {
			return true
		}
	}
	return false
}

// PasswordHash is an encoded hash with its parameters, e.g. "$argon2id$v=19$m=47104,t=1,p=1$…". Never in a read model.
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
	ExpiresAt  time.Time  `json:"expiresAt"` // absolute: 30 days after sign-in (S5)
	RevokedAt  *time.Time `json:"revokedAt,omitempty"`
}

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

// Actor is who acts: an account with the session it came by. The zero Actor is nobody.
type Actor struct {
	UserID    ID
	SessionID ID
	Username  string
	Roles     []RoleName
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
	PermissionSession        Permission = "session.use"    // anybody signed in: own account and sessions
	PermissionLibraryRead    Permission = "library.read"   // browse and play what the scope allows, own progress
	PermissionLibraryManage  Permission = "library.manage" // create, change, scan, browse directories, file states
	PermissionUserManage     Permission = "user.manage"
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
