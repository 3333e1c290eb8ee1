import { m } from './paraglide/messages';

/** The areas of the activity log, as filters name them. */
export const activityAreas = {
	auth: m.activity_area_auth,
	session: m.activity_area_session,
	mfa: m.activity_area_mfa,
	user: m.activity_area_user,
	apikey: m.activity_area_apikey,
	oidc: m.activity_area_oidc,
	role: m.activity_area_role,
	setting: m.activity_area_setting,
	access: m.activity_area_access,
	library: m.activity_area_library,
	movie: m.activity_area_movie,
	playback: m.activity_area_playback
} as const;

const texts: Record<string, (() => string) | undefined> = {
	'auth.login': m.act_auth_login,
	'auth.login_failed': m.act_auth_login_failed,
	'auth.logout': m.act_auth_logout,
	'auth.refresh_reused': m.act_auth_refresh_reused,
	'auth.reauthenticated': m.act_auth_reauthenticated,
	'setup.claimed': m.act_setup_claimed,
	'session.revoked': m.act_session_revoked,
	'user.created': m.act_user_created,
	'user.changed': m.act_user_changed,
	'user.disabled': m.act_user_disabled,
	'user.enabled': m.act_user_enabled,
	'user.deleted': m.act_user_deleted,
	'user.restored': m.act_user_restored,
	'user.purged': m.act_user_purged,
	'user.password_changed': m.act_user_password_changed,
	'user.email_changed': m.act_user_email_changed,
	'mfa.enabled': m.act_mfa_enabled,
	'mfa.disabled': m.act_mfa_disabled,
	'apikey.created': m.act_apikey_created,
	'apikey.changed': m.act_apikey_changed,
	'apikey.revoked': m.act_apikey_revoked,
	'role.changed': m.act_role_changed,
	'role.granted': m.act_role_granted,
	'role.revoked': m.act_role_revoked,
	'setting.changed': m.act_setting_changed,
	'access.denied': m.act_access_denied,
	'playback.started': m.act_playback_started,
	'library.created': m.act_library_created,
	'library.changed': m.act_library_changed,
	'library.deleted': m.act_library_deleted,
	'library.scan_requested': m.act_library_scan_requested,
	'movie.changed': m.act_movie_changed,
	'movie.identified': m.act_movie_identified
};

/** What an action is in words; one that this version of the pages does not know, as the server calls it. */
export const actionText = (action: string) => texts[action]?.() ?? action;
