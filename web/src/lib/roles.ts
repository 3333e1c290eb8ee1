import type { Role } from './api/admin';
import { m } from './paraglide/messages';

/** Whether a role carries a permission: by itself, from a parent, or not at all. */
export const carries = (role: Role, permission: string): 'own' | 'inherited' | undefined =>
	role.permissions.includes(permission)
		? 'own'
		: role.effective.includes(permission)
			? 'inherited'
			: undefined;

const areas: Record<string, (() => string) | undefined> = {
	account: m.perm_area_account,
	library: m.perm_area_library,
	administration: m.perm_area_administration
};
export const areaText = (area: string) => areas[area]?.() ?? area;

const texts: Record<string, (() => string) | undefined> = {
	'session.enrol': m.perm_session_enrol,
	'session.use': m.perm_session_use,
	'profile.manage': m.perm_profile_manage,
	'apikey.manage': m.perm_apikey_manage,
	'library.read': m.perm_library_read,
	'playback.use': m.perm_playback_use,
	'history.write': m.perm_history_write,
	'library.manage': m.perm_library_manage,
	'user.manage': m.perm_user_manage,
	'role.manage': m.perm_role_manage,
	'oidc.manage': m.perm_oidc_manage,
	'activity.read': m.perm_activity_read,
	'settings.manage': m.perm_settings_manage,
	'jobs.manage': m.perm_jobs_manage
};
/** A permission in words; one that this version of the pages does not know, as the server describes it. */
export const permissionText = (name: string, description = name) => texts[name]?.() ?? description;
