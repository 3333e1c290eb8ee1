import type { Problem } from './api/problem';
import { m } from './paraglide/messages';

/** Problems that people meet often, in the reader's language; of any other the server's own words are shown. */
const texts: Record<string, (() => string) | undefined> = {
	'auth.invalid_credentials': m.login_wrong,
	'auth.reauthentication_required': m.problem_proof,
	'mfa.second_factor_required': m.problem_factor,
	'auth.code_invalid': m.problem_link,
	'mfa.wrong_code': m.code_wrong,
	'mfa.challenge_expired': m.code_expired,
	'mfa.passkeys_unavailable': m.passkeys_unavailable,
	'mfa.passkeys_elsewhere': m.passkeys_elsewhere,
	'mfa.required': m.mfa_is_required,
	'mfa.password_too_short': m.mfa_password_short,
	'user.wrong_password': m.password_current_wrong,
	'user.no_mail': m.problem_no_mail,
	'registration.closed': m.register_closed_text,
	'registration.invitation': m.register_invitation_wrong,
	'registration.too_many': m.problem_too_many,
	'oidc.identity_taken': m.oidc_error_taken,
	'oidc.not_linked': m.oidc_error_not_linked,
	'oidc.account_closed': m.oidc_error_closed,
	'oidc.refused': m.oidc_error_refused,
	'oidc.state_invalid': m.oidc_error_state,
	'oidc.not_yours': m.oidc_error_state,
	'oidc.last_way': m.oidc_error_last,
	'passkey.cancelled': m.passkey_cancelled,
	'passkey.known': m.passkey_known
};

/** A problem's code in words; undefined where only the server knows them. */
export const codeText = (code: string): string | undefined => texts[code]?.();

/** What to tell somebody about a problem. */
export function problemText(problem: Problem): string {
	if (problem.offline)
		return problem.code === 'network' ? m.error_offline() : (codeText(problem.code) ?? problem.message);
	return codeText(problem.code) ?? problem.message;
}
