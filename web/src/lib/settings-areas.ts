import { m } from './paraglide/messages';

/** The parts of one's own settings, as their list shows them. */
export const settingsAreas = [
	{ href: '/settings', label: m.settings_profile },
	{ href: '/settings/security', label: m.settings_security },
	{ href: '/settings/sessions', label: m.sessions },
	{ href: '/settings/keys', label: m.api_keys },
	{ href: '/settings/links', label: m.linked_accounts },
	{ href: '/settings/appearance', label: m.settings_look_language },
	{ href: '/settings/playback', label: m.settings_playback },
	{ href: '/settings/activity', label: m.activity }
] as const;
