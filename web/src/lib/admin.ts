import { m } from './paraglide/messages';

/** The parts of the administration, each behind its permission: what the side list shows and the pages ask for. */
export const areas = [
	{ href: '/admin/libraries', permission: 'library.manage', label: m.libraries },
	{ href: '/admin/users', permission: 'user.manage', label: m.users },
	{ href: '/admin/invitations', permission: 'user.manage', label: m.invitations },
	{ href: '/admin/roles', permission: 'role.manage', label: m.roles },
	{ href: '/admin/oidc', permission: 'oidc.manage', label: m.oidc_providers },
	{ href: '/admin/settings', permission: 'settings.manage', label: m.settings_server },
	{ href: '/admin/jobs', permission: 'jobs.manage', label: m.jobs },
	{ href: '/admin/activity', permission: 'activity.read', label: m.activity }
] as const;

/** What an account must hold to see an address; undefined where no part of the administration is. */
export const permissionOf = (path: string) =>
	areas.find(({ href }) => path === href || path.startsWith(`${href}/`))?.permission;

/** The first part that an account may see. */
export const firstArea = (can: (permission: string) => boolean) =>
	areas.find(({ permission }) => can(permission))?.href;
