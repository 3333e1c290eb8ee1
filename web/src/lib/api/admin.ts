import { bodyOf, client } from './client';
import type { components, operations } from './schema';

type Schemas = components['schemas'];
type Query<Operation extends keyof operations> = NonNullable<operations[Operation]['parameters']['query']>;

export type Role = Schemas['RoleSummary'];
export type UserState = NonNullable<Query<'listUsers'>['state']>;
export type Invitation = Schemas['InvitationItem'];
export type Setting = Schemas['Setting'];
export type OidcProvider = Schemas['OIDCProvider'];
export type OidcDraft = Schemas['UpdateOIDCProviderInputBody'];
export type OidcProbe = Schemas['OIDCProbe'];
export type Job = Schemas['Info'];
export type JobState = NonNullable<Query<'listJobs'>['state']>;

interface Paging {
	cursor?: string;
	limit?: number;
	includeTotal?: boolean;
}
/** The first page has no cursor. */
const paging = ({ cursor, ...rest }: Paging): Paging => ({ ...rest, cursor: cursor || undefined });
const byId = (id: string) => ({ params: { path: { id } } });
const byProvider = (provider: string) => ({ params: { path: { provider } } });

/** What was read, with the tag that a change of it names: it is refused when somebody else was faster. */
export interface Tagged<T> {
	value: T;
	etag?: string;
}
async function tagged<T>(
	request: Promise<{ data?: T; error?: unknown; response: Response }>
): Promise<Tagged<T>> {
	const answer = await request;
	const value = await bodyOf(Promise.resolve(answer));
	return { value, etag: answer.response.headers.get('ETag') ?? undefined };
}
const unchanged = (etag: string | undefined) => (etag ? { 'If-Match': etag } : {});

/** What administrators ask of the server, by what it is about. */
export const admin = {
	users: {
		page: (query: Omit<Query<'listUsers'>, 'limit' | 'cursor' | 'includeTotal'>, page: Paging) =>
			bodyOf(client.GET('/api/v1/admin/users', { params: { query: { ...query, ...paging(page) } } })),
		create: (body: Schemas['CreateUserInputBody']) => bodyOf(client.POST('/api/v1/admin/users', { body })),
		get: (id: string) => tagged(client.GET('/api/v1/admin/users/{id}', byId(id))),
		change: (id: string, body: Schemas['PatchUserInputBody'], etag?: string) =>
			tagged(
				client.PATCH('/api/v1/admin/users/{id}', {
					params: { path: { id }, header: unchanged(etag) },
					body
				})
			),
		remove: (id: string) => bodyOf(client.DELETE('/api/v1/admin/users/{id}', byId(id))),
		purge: (id: string) => bodyOf(client.POST('/api/v1/admin/users/{id}/purge', byId(id))),
		disable: (id: string) => bodyOf(client.POST('/api/v1/admin/users/{id}/disable', byId(id))),
		enable: (id: string) => bodyOf(client.POST('/api/v1/admin/users/{id}/enable', byId(id))),
		restore: (id: string) => bodyOf(client.POST('/api/v1/admin/users/{id}/restore', byId(id))),
		resetPassword: (id: string) => bodyOf(client.POST('/api/v1/admin/users/{id}/reset-password', byId(id))),
		resetMfa: (id: string) => bodyOf(client.POST('/api/v1/admin/users/{id}/reset-mfa', byId(id))),
		apiKeys: (id: string) => bodyOf(client.GET('/api/v1/admin/users/{id}/api-keys', byId(id))),
		revokeKey: (id: string, keyId: string) =>
			bodyOf(client.DELETE('/api/v1/admin/users/{id}/api-keys/{keyId}', { params: { path: { id, keyId } } })),
		libraryRoles: (id: string) => bodyOf(client.GET('/api/v1/admin/users/{id}/roles', byId(id))),
		grantRole: (id: string, role: string, libraryId: string) =>
			bodyOf(client.POST('/api/v1/admin/users/{id}/roles', { ...byId(id), body: { role, libraryId } })),
		revokeRole: (id: string, role: string, libraryId: string) =>
			bodyOf(
				client.DELETE('/api/v1/admin/users/{id}/roles/{role}', {
					params: { path: { id, role }, query: { libraryId } }
				})
			)
	},
	invitations: {
		page: (page: Paging) =>
			bodyOf(client.GET('/api/v1/admin/invitations', { params: { query: paging(page) } })),
		create: (body: Schemas['InviteInputBody']) => bodyOf(client.POST('/api/v1/admin/invitations', { body })),
		revoke: (id: string) => bodyOf(client.DELETE('/api/v1/admin/invitations/{id}', byId(id)))
	},
	permissions: () => bodyOf(client.GET('/api/v1/admin/permissions')),
	roles: {
		list: () => bodyOf(client.GET('/api/v1/admin/roles')),
		create: (body: Schemas['CreateRoleInputBody']) => bodyOf(client.POST('/api/v1/admin/roles', { body })),
		change: (name: string, body: Schemas['PatchRoleInputBody']) =>
			bodyOf(client.PATCH('/api/v1/admin/roles/{name}', { params: { path: { name } }, body })),
		remove: (name: string) =>
			bodyOf(
				client.DELETE('/api/v1/admin/roles/{name}', { params: { path: { name }, query: { force: true } } })
			)
	},
	oidc: {
		list: () => bodyOf(client.GET('/api/v1/admin/oidc/providers')),
		get: (name: string) => tagged(client.GET('/api/v1/admin/oidc/providers/{provider}', byProvider(name))),
		create: (name: string, draft: OidcDraft) =>
			bodyOf(client.POST('/api/v1/admin/oidc/providers', { body: { name, ...draft } })),
		change: (name: string, body: OidcDraft, etag?: string) =>
			tagged(
				client.PATCH('/api/v1/admin/oidc/providers/{provider}', {
					params: { path: { provider: name }, header: unchanged(etag) },
					body
				})
			),
		remove: (name: string) =>
			bodyOf(client.DELETE('/api/v1/admin/oidc/providers/{provider}', byProvider(name))),
		test: (name: string) =>
			bodyOf(client.POST('/api/v1/admin/oidc/providers/{provider}/test', byProvider(name)))
	},
	settings: {
		get: () => tagged(client.GET('/api/v1/admin/settings')),
		set: (values: Record<string, unknown>, etag?: string) =>
			tagged(
				client.PATCH('/api/v1/admin/settings', { params: { header: unchanged(etag) }, body: { values } })
			),
		testMail: () => bodyOf(client.POST('/api/v1/admin/settings/mail/test'))
	},
	jobs: {
		page: (query: Omit<Query<'listJobs'>, 'limit' | 'cursor' | 'includeTotal'>, page: Paging) =>
			bodyOf(client.GET('/api/v1/admin/jobs', { params: { query: { ...query, ...paging(page) } } })),
		get: (id: string) => bodyOf(client.GET('/api/v1/admin/jobs/{id}', byId(id))),
		retry: (id: string) => bodyOf(client.POST('/api/v1/admin/jobs/{id}/retry', byId(id))),
		cancel: (id: string) => bodyOf(client.POST('/api/v1/admin/jobs/{id}/cancel', byId(id))),
		remove: (id: string) => bodyOf(client.DELETE('/api/v1/admin/jobs/{id}', byId(id))),
		queues: () => bodyOf(client.GET('/api/v1/admin/queues')),
		pause: (queue: string) =>
			bodyOf(client.POST('/api/v1/admin/queues/{queue}/pause', { params: { path: { queue } } })),
		resume: (queue: string) =>
			bodyOf(client.POST('/api/v1/admin/queues/{queue}/resume', { params: { path: { queue } } })),
		schedules: () => bodyOf(client.GET('/api/v1/admin/schedules')),
		processes: () => bodyOf(client.GET('/api/v1/admin/processes'))
	},
	activity: {
		page: (query: Omit<Query<'listActivity'>, 'limit' | 'cursor' | 'includeTotal'>, page: Paging) =>
			bodyOf(client.GET('/api/v1/admin/activity', { params: { query: { ...query, ...paging(page) } } })),
		stats: () => bodyOf(client.GET('/api/v1/admin/activity/stats'))
	}
};
