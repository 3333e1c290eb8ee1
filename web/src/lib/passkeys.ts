import {
	browserSupportsWebAuthn,
	browserSupportsWebAuthnAutofill,
	startAuthentication,
	startRegistration,
	WebAuthnAbortService,
	type PublicKeyCredentialCreationOptionsJSON,
	type PublicKeyCredentialRequestOptionsJSON
} from '@simplewebauthn/browser';
import { Problem } from './api/problem';

/** What a ceremony begins with: options for the browser, and the id under which its answer is taken. */
export interface Ceremony {
	challengeId: string;
	options: unknown;
}

/** Browsers have passkeys on secure pages only. */
export const supported = () => browserSupportsWebAuthn();
export const autofillSupported = () => browserSupportsWebAuthnAutofill();

/** Ends a ceremony that waits for somebody. */
export const abort = () => WebAuthnAbortService.cancelCeremony();

/** The options themselves: servers put them under "publicKey", as the browser's own call takes them. */
const inner = <T>(options: unknown): T => (options as { publicKey?: T }).publicKey ?? (options as T);

async function ceremony<T>(work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		const known = error instanceof Error && error.name === 'InvalidStateError';
		throw new Problem({
			status: 0,
			code: known ? 'passkey.known' : 'passkey.cancelled',
			message: error instanceof Error ? error.message : String(error)
		});
	}
}

/** Has the browser make a passkey. */
export const create = ({ options }: Ceremony) =>
	ceremony(() => startRegistration({ optionsJSON: inner<PublicKeyCredentialCreationOptionsJSON>(options) }));

/** Has the browser show a passkey; with `autofill` it offers them at the field of the user name and waits. */
export const show = ({ options }: Ceremony, autofill = false) =>
	ceremony(() =>
		startAuthentication({
			optionsJSON: inner<PublicKeyCredentialRequestOptionsJSON>(options),
			useBrowserAutofill: autofill,
			verifyBrowserAutofillInput: autofill
		})
	);
