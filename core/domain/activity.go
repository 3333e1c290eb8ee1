package domain

import "time"

// Activity is one entry of the log of who did what. Entries are added and expire; nothing changes them, but that a purged account's name is taken out.
type Activity struct {
	ID ID        `json:"id"`
	At time.Time `json:"at"`
	// UserID is who did it; nil for nobody (a failed sign-in of no account) and for the server itself. It stays when the account is gone.
	UserID   *ID    `json:"userId,omitempty"`
	Username string `json:"username" doc:"As it was then; empty once the account was purged"`
	// Action is "area.verb", one of the constants below.
	Action       string `json:"action" example:"auth.login"`
	ResourceType string `json:"resourceType,omitempty" example:"user" doc:"user, session, library, movie, apikey, role, setting…"`
	ResourceID   string `json:"resourceId,omitempty"`
	ResourceName string `json:"resourceName,omitempty"`
	IP           string `json:"ip,omitempty"`
	UserAgent    string `json:"userAgent,omitempty"`
	Success      bool   `json:"success"`
	// Details are further facts for people. Never a secret, and never an account's name: that has its fields, out of which a purge takes it.
	Details map[string]string `json:"details,omitempty"`
}

// The actions.
const (
	ActivityLogin         = "auth.login"
	ActivityLoginFailed   = "auth.login_failed"
	ActivityLogout        = "auth.logout"
	ActivityRefreshReused = "auth.refresh_reused" // a token family was revoked (S5)
	ActivityReauthed      = "auth.reauthenticated"
	ActivityClaimed       = "setup.claimed"

	ActivitySessionRevoked = "session.revoked"
	ActivityNewDevice      = "session.new_device" // an account was used on a device that was new to it
	ActivityKeysRotated    = "auth.keys_rotated"

	ActivityUserCreated         = "user.created"
	ActivityUserChanged         = "user.changed"
	ActivityUserDisabled        = "user.disabled"
	ActivityUserEnabled         = "user.enabled"
	ActivityUserDeleted         = "user.deleted"
	ActivityUserRestored        = "user.restored"
	ActivityUserPurged          = "user.purged"
	ActivityUserPasswordChanged = "user.password_changed"
	ActivityUserEmailChanged    = "user.email_changed"
	ActivityUserEmailVerified   = "user.email_verified"
	ActivityUserRegistered      = "user.registered"
	ActivityUserResetRequested  = "user.password_reset_requested"
	ActivityUserPasswordReset   = "user.password_reset"

	ActivityInvitationCreated = "invitation.created"
	ActivityInvitationRevoked = "invitation.revoked"

	ActivityMFAEnabled  = "mfa.enabled"
	ActivityMFADisabled = "mfa.disabled"
	ActivityMFAReset    = "mfa.reset" // all factors of an account, by an administrator

	ActivityMFATOTPAdded      = "mfa.totp_added"
	ActivityMFATOTPRemoved    = "mfa.totp_removed"
	ActivityMFAPasskeyAdded   = "mfa.passkey_added"
	ActivityMFAPasskeyRemoved = "mfa.passkey_removed"
	ActivityMFAPasskeyCloned  = "mfa.passkey_cloned" // it showed a counter that was not ahead, and was refused
	ActivityMFACodesMade      = "mfa.backup_codes_made"
	ActivityMFACodeUsed       = "mfa.backup_code_used"
	ActivityMFADeviceTrusted  = "mfa.device_trusted"
	ActivityMFADeviceRevoked  = "mfa.device_revoked"

	ActivityAPIKeyCreated = "apikey.created"
	ActivityAPIKeyChanged = "apikey.changed"
	ActivityAPIKeyRevoked = "apikey.revoked"

	ActivityOIDCLinked          = "oidc.linked"
	ActivityOIDCUnlinked        = "oidc.unlinked"
	ActivityOIDCProviderCreated = "oidc.provider_created"
	ActivityOIDCProviderChanged = "oidc.provider_changed"
	ActivityOIDCProviderDeleted = "oidc.provider_deleted"

	ActivityRoleChanged    = "role.changed"
	ActivityRoleGranted    = "role.granted"
	ActivityRoleRevoked    = "role.revoked"
	ActivitySettingChanged = "setting.changed"
	ActivityKeyRenewed     = "secrets.key_renewed"
	ActivityAccessDenied   = "access.denied"

	ActivityPlaybackStarted = "playback.started"
	ActivityLibraryCreated  = "library.created"
	ActivityLibraryChanged  = "library.changed"
	ActivityLibraryDeleted  = "library.deleted"
	ActivityLibraryScanned  = "library.scan_requested"
	ActivityLibraryGranted  = "library.access_granted"
	ActivityLibraryRevoked  = "library.access_revoked"

	ActivityJobRetried   = "job.retried"
	ActivityJobCancelled = "job.cancelled"
	ActivityJobDeleted   = "job.deleted"
	ActivityQueuePaused  = "queue.paused"
	ActivityQueueResumed = "queue.resumed"
)

// ActivityFilter narrows the log. Zero fields do not.
type ActivityFilter struct {
	User *ID
	// Action is one action, or all of an area when it ends with a dot ("auth.").
	Action       string
	ResourceType string
	ResourceID   string
	IP           string
	Success      *bool
	// From is the first moment, To the first one after.
	From, To time.Time
}

// ActivityStats are counts over a span of time.
type ActivityStats struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to" doc:"The first moment that is not counted any more"`
	Entries int       `json:"entries"`
	// Actions are by count, most first.
	Actions []Count `json:"actions"`
	// Days are UTC days with at least one entry, in order.
	Days          []DayCount `json:"days"`
	FailedSignIns int        `json:"failedSignIns"`
	ActiveUsers   int        `json:"activeUsers" doc:"Accounts with at least one entry that succeeded"`
}

// DayCount is how many there were on a day.
type DayCount struct {
	Day   string `json:"day" format:"date" example:"2026-11-23" doc:"In UTC"`
	Count int    `json:"count"`
}
