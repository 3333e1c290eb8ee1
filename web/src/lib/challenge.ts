import type { Challenge, FactorMethod } from './api/account';

const known: readonly string[] = ['totp', 'webauthn', 'backup_code'] satisfies FactorMethod[];

/** The second factor that a sign-in by a provider waits for, out of the fragment that it came back with. */
export function challengeFrom(values: URLSearchParams): Challenge {
	const expires = Number(values.get('expires'));
	return {
		token: values.get('challenge') ?? '',
		methods: (values.get('methods') ?? '').split(',').filter((m): m is FactorMethod => known.includes(m)),
		expiresAt: new Date((Number.isFinite(expires) ? expires : 0) * 1000).toISOString()
	};
}
