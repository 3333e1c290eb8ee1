import type { User } from './api';
import type { UserState } from './api/admin';
import { m } from './paraglide/messages';

const roles: Record<string, (() => string) | undefined> = {
	admin: m.role_admin,
	user: m.role_user,
	guest: m.role_guest,
	'legacy:read': m.role_legacy
};

/** A default role in the reader's language, any other by its own name. */
export const roleName = (name: string) => roles[name]?.() ?? name;

export const stateOf = (user: User): UserState =>
	user.deletedAt ? 'deleted' : user.disabled ? 'disabled' : 'active';

const states: Record<UserState, () => string> = {
	active: m.user_state_active,
	disabled: m.user_state_disabled,
	deleted: m.user_state_deleted
};
export const stateText = (state: UserState) => states[state]();

/** How far in the future, in whole days: at least one, so that "0 days" never stands for "a few hours". */
export const daysUntil = (at: string, now = Date.now()) =>
	Math.max(1, Math.ceil((new Date(at).getTime() - now) / 86_400_000));
