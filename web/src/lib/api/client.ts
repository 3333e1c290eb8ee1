import createClient from 'openapi-fetch';
import { connection } from '$lib/connection.svelte';
import { asProblem, Problem, problemOf } from './problem';
import type { paths } from './schema';

/** Hears that the session has ended, from whichever request noticed first. */
export const signedOut: { handler?: () => void } = {};

/** Sends a request by the session cookie and notes whether the server is there. */
async function reach(request: Request): Promise<Response> {
	// The server takes unsafe requests by cookie only as JSON from its own pages.
	if (request.method !== 'GET') request.headers.set('Content-Type', 'application/json');
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
	const problem = problemOf(response, error);
	const path = new URL(response.url).pathname;
	if (problem.status === 401 && !/^\/api\/v1\/(auth|setup)\//.test(path)) signedOut.handler?.();
	throw problem;
}
