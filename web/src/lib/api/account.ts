import { bodyOf, client, sendImage } from './client';
import type { components } from './schema';
import type { User } from './types';

type Schemas = components['schemas'];
export type ApiKey = Schemas['APIKey'];
export type NewApiKey = Schemas['NewAPIKey'];
export type OidcChoice = Schemas['OIDCChoice'];
export type OidcLink = Schemas['OIDCLink'];
export type ActivityEntry = Schemas['ActivityEntry'];

export type SignIn = Schemas['SignIn'];
export type Challenge = Schemas['Challenge'];
export type FactorMethod = 'totp' | 'webauthn' | 'backup_code';
/** What a browser's passkey answered: any JSON to the API's description. */
export type Answered = Record<string, never>;
/** Proof of the second factor, as the server takes it. */
export type Proof =
	| { method: 'totp' | 'backup_code'; code: string }
	| { method: 'webauthn'; challengeId: string; credential: Answered };
export type MfaStatus = Schemas['MFAStatus'];
export type TotpSetup = Schemas['TOTPSetup'];
export type Passkey = Schemas['Passkey'];
export type TrustedDevice = Schemas['TrustedDevice'];

const byId = (id: string) => ({ params: { path: { id } } });

/** Signing in, and the account that is signed in. */
export const account = {
	login: (login: string, password: string) =>
		bodyOf(client.POST('/api/v1/auth/login', { body: { login, password, cookie: true } })),
	verifyFactor: (token: string, proof: Proof, trustDevice: boolean) =>
		bodyOf(client.POST('/api/v1/auth/mfa/verify', { body: { token, ...proof, trustDevice, cookie: true } })),
	reauthenticate: (proof: Proof | { password: string }) =>
		bodyOf(client.POST('/api/v1/auth/reauthenticate', { body: { ...proof, cookie: true } })),
	providers: () => bodyOf(client.GET('/api/v1/auth/oidc/providers')),

	register: (body: Schemas['RegisterInputBody']) => bodyOf(client.POST('/api/v1/auth/register', { body })),
	verifyEmail: (code: string) => bodyOf(client.POST('/api/v1/auth/verify-email', { body: { code } })),
	resend: (email: string) => bodyOf(client.POST('/api/v1/auth/resend-verification', { body: { email } })),
	forgot: (login: string) => bodyOf(client.POST('/api/v1/auth/forgot-password', { body: { login } })),
	reset: (code: string, password: string) =>
		bodyOf(client.POST('/api/v1/auth/reset-password', { body: { code, password } })),

	change: (body: { username?: string; displayName?: string }) =>
		bodyOf(client.PATCH('/api/v1/users/me', { body })),
	remove: () => bodyOf(client.DELETE('/api/v1/users/me')),
	setAvatar: (picture: Blob) => sendImage('/api/v1/users/me/avatar', picture),
	removeAvatar: () => bodyOf(client.DELETE('/api/v1/users/me/avatar')),
	changePassword: (body: { currentPassword?: string; password: string }) =>
		bodyOf(client.POST('/api/v1/users/me/change-password', { body: { ...body, cookie: true } })),
	changeEmail: (email: string) => bodyOf(client.POST('/api/v1/users/me/email', { body: { email } })),
	activity: (cursor?: string) =>
		bodyOf(
			client.GET('/api/v1/users/me/activity', {
				params: { query: { limit: 30, cursor: cursor || undefined } }
			})
		),

	kept: () => bodyOf(client.GET('/api/v1/users/me/settings')),
	keep: (values: Record<string, unknown>) =>
		bodyOf(client.PATCH('/api/v1/users/me/settings', { body: { values } }))
};

export const mfa = {
	status: () => bodyOf(client.GET('/api/v1/mfa/status')),
	enable: () => bodyOf(client.POST('/api/v1/mfa/enable')),
	disable: () => bodyOf(client.POST('/api/v1/mfa/disable')),
	setUpTotp: () => bodyOf(client.POST('/api/v1/mfa/totp/setup')),
	verifyTotp: (code: string) => bodyOf(client.POST('/api/v1/mfa/totp/verify', { body: { code } })),
	removeTotp: () => bodyOf(client.DELETE('/api/v1/mfa/totp')),
	newCodes: (replace: boolean) =>
		bodyOf(
			client.POST(replace ? '/api/v1/mfa/backup-codes/regenerate' : '/api/v1/mfa/backup-codes/generate')
		),
	passkeys: () => bodyOf(client.GET('/api/v1/mfa/webauthn/credentials')),
	beginPasskey: () =>
		bodyOf(client.POST('/api/v1/mfa/webauthn/register/begin', { body: { passwordless: true } })),
	finishPasskey: (challengeId: string, credential: unknown, name: string) =>
		bodyOf(
			client.POST('/api/v1/mfa/webauthn/register/finish', {
				body: { challengeId, credential, name: name || undefined }
			})
		),
	renamePasskey: (id: string, name: string) =>
		bodyOf(client.PATCH('/api/v1/mfa/webauthn/credentials/{id}', { ...byId(id), body: { name } })),
	removePasskey: (id: string) => bodyOf(client.DELETE('/api/v1/mfa/webauthn/credentials/{id}', byId(id))),
	/** For a sign-in by passkey alone; as the second factor of the sign-in with this token; or to show again who is there. */
	beginSignIn: (of: { token?: string; reauthenticate?: boolean } = {}) =>
		bodyOf(client.POST('/api/v1/mfa/webauthn/login/begin', { body: of })),
	finishSignIn: (challengeId: string, credential: unknown) =>
		bodyOf(
			client.POST('/api/v1/mfa/webauthn/login/finish', { body: { challengeId, credential, cookie: true } })
		),
	devices: () => bodyOf(client.GET('/api/v1/mfa/trusted-devices')),
	distrust: (id: string) => bodyOf(client.DELETE('/api/v1/mfa/trusted-devices/{id}', byId(id))),
	distrustAll: () => bodyOf(client.DELETE('/api/v1/mfa/trusted-devices/all'))
};

export const apiKeys = {
	list: () => bodyOf(client.GET('/api/v1/users/me/api-keys')),
	create: (body: Schemas['CreateAPIKeyInputBody']) =>
		bodyOf(client.POST('/api/v1/users/me/api-keys', { body })),
	change: (id: string, body: Schemas['PatchAPIKeyInputBody']) =>
		bodyOf(client.PATCH('/api/v1/users/me/api-keys/{id}', { params: { path: { id } }, body })),
	revoke: (id: string) =>
		bodyOf(client.DELETE('/api/v1/users/me/api-keys/{id}', { params: { path: { id } } }))
};

export const links = {
	list: () => bodyOf(client.GET('/api/v1/users/me/oidc')),
	begin: (provider: string, returnTo: string) =>
		bodyOf(
			client.POST('/api/v1/users/me/oidc/link/{provider}', {
				params: { path: { provider } },
				body: { returnTo }
			})
		),
	remove: (provider: string) =>
		bodyOf(client.DELETE('/api/v1/users/me/oidc/unlink/{provider}', { params: { path: { provider } } }))
};

/** A picture of an account; its revision makes the address new when the picture is. */
export const avatarUrl = (user: Pick<User, 'id' | 'avatar'>) =>
	user.avatar ? `/api/v1/users/${user.id}/avatar?v=${encodeURIComponent(user.avatar)}` : undefined;
