import { m } from './paraglide/messages';

/** The server's settings in the reader's language; what is not named here is shown as the server describes it. */
const known: Record<string, { label: () => string; help: () => string } | undefined> = {
	'server.name': { label: m.set_server_name, help: m.set_server_name_help },
	'server.publicURL': { label: m.set_server_public_url, help: m.set_server_public_url_help },
	'auth.registration': { label: m.set_auth_registration, help: m.set_auth_registration_help },
	'auth.mfaRequiredRoles': { label: m.set_auth_mfa_roles, help: m.set_auth_mfa_roles_help },
	'auth.sessionIdle': { label: m.set_auth_session_idle, help: m.set_auth_session_idle_help },
	'api.allowKeyInQuery': { label: m.set_api_key_in_query, help: m.set_api_key_in_query_help },
	'api.keyRequestsPerMinute': { label: m.set_api_key_requests, help: m.set_api_key_requests_help },
	'activity.retentionDays': { label: m.set_activity_retention, help: m.set_activity_retention_help },
	'account.deletionGraceDays': { label: m.set_account_grace, help: m.set_account_grace_help },
	'mail.host': { label: m.set_mail_host, help: m.set_mail_host_help },
	'mail.port': { label: m.set_mail_port, help: m.set_mail_port_help },
	'mail.security': { label: m.set_mail_security, help: m.set_mail_security_help },
	'mail.username': { label: m.set_mail_username, help: m.set_mail_username_help },
	'mail.password': { label: m.set_mail_password, help: m.set_mail_password_help },
	'mail.from': { label: m.set_mail_from, help: m.set_mail_from_help },
	'mail.fromName': { label: m.set_mail_from_name, help: m.set_mail_from_name_help },
	'ui.language': { label: m.set_ui_language, help: m.set_ui_language_help }
};
const groups: Record<string, (() => string) | undefined> = {
	server: m.settings_group_server,
	auth: m.settings_group_auth,
	api: m.settings_group_api,
	activity: m.settings_group_activity,
	account: m.settings_group_account,
	mail: m.settings_group_mail,
	ui: m.settings_group_ui
};
const options: Record<string, (() => string) | undefined> = {
	'auth.registration.closed': m.set_registration_closed,
	'auth.registration.invite': m.set_registration_invite,
	'auth.registration.open': m.set_registration_open,
	'mail.security.starttls': m.set_mail_starttls,
	'mail.security.tls': m.set_mail_tls,
	'mail.security.none': m.set_mail_none,
	'ui.language.en': () => 'English',
	'ui.language.de': () => 'Deutsch'
};

export const settingLabel = (name: string) => known[name]?.label() ?? name;
export const settingHelp = (name: string, description: string) => known[name]?.help() ?? description;
export const settingGroup = (name: string) => {
	const area = name.slice(0, name.indexOf('.'));
	return groups[area]?.() ?? area;
};
export const settingOption = (name: string, value: string) => options[`${name}.${value}`]?.() ?? value;
