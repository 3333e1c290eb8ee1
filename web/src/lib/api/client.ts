import createClient from 'openapi-fetch';
import { connection } from '$lib/connection.svelte';
import { asProblem, Problem, problemOf } from './problem';
import type { paths } from './schema';

/** What the pages do about answers that are about who is signed in, from whichever request hears them first. */
export const hears: {
	/** The session has ended. */
	signedOut?: () => void;
	/** The account must add a second factor before it may do anything else. */
	mustEnrol?: () => void;
	/** Asks who is there once more; true when they have shown it, and the request is sent again. */
	proof?: (why: Why) => Promise<boolean>;
} = {};

/** `proof`: a password or a second factor (auth.reauthentication_required); `factor`: the second factor itself. */
export type Why = 'proof' | 'factor';
const whys: Record<string, Why | undefined> = {
	'auth.reauthentication_required': 'proof',
	'mfa.second_factor_required': 'factor'
};

/** Sends a request by the session cookie and notes whether the server is there. */
async function send(request: Request): Promise<Response> {
	try {
		const response = await fetch(request);
		connection.found();
		return response;
	} catch (error) {
		if (request.signal.aborted) throw error;
		connection.lost();
		throw new Problem({ status: 0, code: 'network', message: asProblem(error).message });
	}
}

const codeOf = async (response: Response) =>
	problemOf(response, await response.clone().json().catch(() => undefined)).code; // prettier-ignore

let asking: Promise<boolean> | undefined;
/** Whether the browser's cookie is still good: another request may have replaced the one that was refused (S7). */
const stillSignedIn = () =>
	(asking ??= fetch('/api/v1/users/me', { cache: 'no-store' })
		.then((r) => r.status !== 401)
		.catch(() => true)
		.finally(() => (asking = undefined)));

/** Requests whose 401 is an answer of its own: a wrong password, a wrong code. */
const credentials = /^\/api\/v1\/(auth|setup)\//;

/**
 * Sends a request. One that was refused because the session was just renewed is sent once more; one that needs a fresh proof of identity, as soon as it
 * was given.
 */
async function reach(request: Request): Promise<Response> {
	// The server takes unsafe requests by cookie only as JSON from its own pages, and pictures.
	const bare = request.method !== 'GET' && !request.headers.get('Content-Type')?.startsWith('image/');
	if (bare) request.headers.set('Content-Type', 'application/json');
	const again = request.clone();
	const response = await send(request);
	if (response.status === 401 && !credentials.test(new URL(request.url).pathname)) {
		if (!(await codeOf(response)).startsWith('auth.')) return response;
		if (await stillSignedIn()) return send(again);
		hears.signedOut?.();
	} else if (response.status === 403) {
		const code = await codeOf(response);
		if (code === 'auth.enrolment_required') hears.mustEnrol?.();
		const why = whys[code];
		if (why && (await hears.proof?.(why))) return send(again);
	}
	return response;
}

/** The server's API, typed by its own description. */
export const client = createClient<paths>({ baseUrl: '', credentials: 'same-origin', fetch: reach });

interface Answer<T> {
	data?: T;
	error?: unknown;
	response: Response;
}

/** The body of an answer. Every failure is thrown as a Problem. */
export async function bodyOf<T>(request: Promise<Answer<T>>): Promise<T> {
	const { data, error, response } = await request;
	if (response.ok) return data as T;
	throw problemOf(response, error);
}

/** Sends a picture as it is. */
export async function sendImage(path: string, picture: Blob): Promise<void> {
	const request = new Request(path, {
		method: 'POST',
		body: picture,
		headers: { 'Content-Type': picture.type }
	});
	const response = await reach(request);
	if (!response.ok) throw problemOf(response, await response.json().catch(() => undefined));
}
