import { connection } from '$lib/connection.svelte';
import { asProblem, Problem, problemOf } from './problem';

type Value = string | number | boolean | undefined;
/** Query parameters; undefined and empty ones are left out, lists repeat. */
export type Query = Record<string, Value | readonly string[]>;

export interface Options {
	query?: Query;
	body?: unknown;
	signal?: AbortSignal;
	/** Lets the request outlive the page. */
	keepalive?: boolean;
	headers?: Record<string, string>;
}

/** Hears that the session has ended, from whichever request noticed first. */
export const signedOut: { handler?: () => void } = {};

export function address(path: string, query: Query = {}): string {
	const search = new URLSearchParams();
	for (const [key, value] of Object.entries(query)) {
		if (value === undefined || value === '') continue;
		for (const one of Array.isArray(value) ? value : [value]) search.append(key, String(one));
	}
	const text = search.toString();
	return `/api/v1${path}${text ? `?${text}` : ''}`;
}

/** One request to the server, by the session cookie. Every failure is thrown as a Problem. */
export async function call<T = void>(
	method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
	path: string,
	{ query, body, signal, keepalive, headers }: Options = {}
): Promise<T> {
	let response: Response;
	try {
		response = await fetch(address(path, query), {
			method,
			signal,
			keepalive,
			credentials: 'same-origin',
			headers: {
				Accept: 'application/json',
				// The server takes unsafe requests by cookie only as JSON from its own pages.
				...(method === 'GET' ? {} : { 'Content-Type': 'application/json' }),
				...headers
			},
			body: body === undefined ? undefined : JSON.stringify(body)
		});
	} catch (error) {
		if (signal?.aborted) throw error;
		connection.lost();
		throw new Problem({ status: 0, code: 'network', message: asProblem(error).message });
	}
	connection.found();
	if (response.status === 204) return undefined as T;
	const text = await response.text();
	let json: unknown;
	try {
		json = text ? JSON.parse(text) : undefined;
	} catch {
		json = undefined;
	}
	if (!response.ok) {
		const problem = problemOf(response, json);
		if (problem.status === 401 && !path.startsWith('/auth/') && !path.startsWith('/setup/')) signedOut.handler?.();
		throw problem;
	}
	return json as T;
}
