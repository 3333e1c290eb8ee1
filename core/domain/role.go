package domain

import (
	"slices"
	"time"
)

// Role is a named set of permissions. Default roles are the same on every server and cannot be changed.
type Role struct {
	Name        RoleName `json:"name" example:"librarian" doc:"[a-z][a-z0-9:_-]{0,39}"`
	Description string   `json:"description"`
	// Permissions are its own, sorted, without those of its parents.
	Permissions []Permission `json:"permissions"`
	// Parents are the roles whose permissions it has besides, sorted.
	Parents   []RoleName `json:"parents"`
	Default   bool       `json:"default" doc:"Part of every server: it cannot be changed or removed"`
	CreatedAt time.Time  `json:"createdAt"`
	UpdatedAt time.Time  `json:"updatedAt"`
}

// LibraryRole is a role that somebody has for one library: its permissions hold for what is in it (a library is a domain).
type LibraryRole struct {
	LibraryID ID       `json:"libraryId"`
	Role      RoleName `json:"role"`
}

// RoleHolder is somebody who has a role, everywhere or for one library.
type RoleHolder struct {
	UserID      ID     `json:"userId"`
	Username    string `json:"username"`
	DisplayName string `json:"displayName"`
	LibraryID   *ID    `json:"libraryId,omitempty" doc:"Absent: everywhere"`
}

// PermissionInfo describes a permission to people.
type PermissionInfo struct {
	Name        Permission `json:"name" example:"library.read"`
	Area        string     `json:"area" example:"library" doc:"account, library or administration"`
	Description string     `json:"description"`
	// InLibrary says that it means something for a single library: then a role that is granted for one carries it there.
	InLibrary bool `json:"inLibrary" doc:"A role that is granted for one library carries it there"`
}

// Areas of permissions.
const (
	AreaAccount        = "account"
	AreaLibrary        = "library"
	AreaAdministration = "administration"
)

// permissions is every permission but PermissionPublic, which nobody needs to have.
var permissions = []PermissionInfo{
	{PermissionEnrol, AreaAccount, "Be signed in, add a second factor and sign out", false},
	{PermissionSession, AreaAccount, "See the own account, its sessions and preferences", false},
	{PermissionProfile, AreaAccount, "Change the own account: profile, preferences, password, address, second factors, linked accounts", false},
	{PermissionAPIKey, AreaAccount, "Make and change own API keys", false},
	{PermissionLibraryRead, AreaLibrary, "Browse the films that one may see", true},
	{PermissionPlayback, AreaLibrary, "Play them", true},
	{PermissionHistory, AreaLibrary, "Keep own progress, watched marks, favourites and a watchlist", true},
	{PermissionLibraryManage, AreaLibrary, "Create, change and scan libraries, browse the server's folders, attend to files", true},
	{PermissionUserManage, AreaAdministration, "Manage accounts and invitations, and which roles they have", false},
	{PermissionRoleManage, AreaAdministration, "Make roles and say what they may do", false},
	{PermissionOIDCManage, AreaAdministration, "Manage sign-in by OpenID Connect providers", false},
	{PermissionActivityRead, AreaAdministration, "Read everybody's activity", false},
	{PermissionSettingsManage, AreaAdministration, "Change the server's settings", false},
	{PermissionJobsManage, AreaAdministration, "See and steer background jobs", false},
}

// Permissions describes every permission that a role can carry.
func Permissions() []PermissionInfo { return slices.Clone(permissions) }

// Known tells whether there is such a permission for roles to carry.
func (p Permission) Known() bool {
	return slices.ContainsFunc(permissions, func(i PermissionInfo) bool { return i.Name == p })
}

// InLibrary tells whether the permission means something for a single library.
func (p Permission) InLibrary() bool {
	return slices.ContainsFunc(permissions, func(i PermissionInfo) bool { return i.Name == p && i.InLibrary })
}

// DefaultRoles are the roles of every server. What a later version adds to them is theirs at once, since they are nowhere stored.
func DefaultRoles() []Role {
	everything := make([]Permission, len(permissions))
	for i, p := range permissions {
		everything[i] = p.Name
	}
	role := func(name RoleName, description string, parents []RoleName, carries ...Permission) Role {
		slices.Sort(carries)
		return Role{Name: name, Description: description, Permissions: carries, Parents: parents, Default: true, CreatedAt: time.Unix(0, 0).UTC(), UpdatedAt: time.Unix(0, 0).UTC()}
	}
	return []Role{
		role(RoleAdmin, "Does and sees everything", []RoleName{}, everything...),
		role(RoleGuest, "Looks and plays, and leaves nothing behind", []RoleName{}, PermissionEnrol, PermissionSession, PermissionLibraryRead, PermissionPlayback),
		role(RoleLegacy, "A user who also sees restricted libraries whose access list names them", []RoleName{RoleUser}, []Permission{}...),
		role(RoleUser, "Watches, keeps track of it and manages the own account", []RoleName{}, PermissionEnrol, PermissionSession, PermissionProfile, PermissionAPIKey,
			PermissionLibraryRead, PermissionPlayback, PermissionHistory),
	}
}

// IsDefault tells whether the role is one of DefaultRoles.
func (r RoleName) IsDefault() bool {
	return slices.Contains([]RoleName{RoleAdmin, RoleGuest, RoleLegacy, RoleUser}, r)
}

// Absolute tells whether the role is more than its permissions, as it decides by itself who sees restricted libraries: it is held everywhere or not
// at all, and nothing inherits from it.
func (r RoleName) Absolute() bool { return r == RoleAdmin || r == RoleLegacy }
