/** A refused or failed request, as RFC 9457 problem+json says it. Its message is meant for the person in front. */
export class Problem extends Error {
	readonly status: number;
	/** Stable, e.g. "auth.invalid_credentials"; "network" when the server was not reached. */
	readonly code: string;
	/** Finds the request in the server's log. */
	readonly requestId?: string;
	readonly title?: string;
	/** What is wrong with which field of the request. */
	readonly fields: Record<string, string>;
	/** Seconds to wait before the next try, where the server says so. */
	readonly retryAfter?: number;

	constructor(init: {
		status: number;
		code: string;
		message: string;
		title?: string;
		requestId?: string;
		fields?: Record<string, string>;
		retryAfter?: number;
	}) {
		super(init.message);
		this.name = 'Problem';
		this.status = init.status;
		this.code = init.code;
		this.title = init.title;
		this.requestId = init.requestId;
		this.fields = init.fields ?? {};
		this.retryAfter = init.retryAfter;
	}

	/** The server was not reached at all. */
	get offline() {
		return this.status === 0;
	}
}

/** Reads the body of a failed answer; anything that is no problem+json still becomes a Problem. */
export function problemOf(response: Response, body: unknown): Problem {
	const b = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
	const text = (key: string) => (typeof b[key] === 'string' ? (b[key] as string) : undefined);
	const fields: Record<string, string> = {};
	for (const error of Array.isArray(b.errors) ? (b.errors as Record<string, unknown>[]) : []) {
		const at = String(error.path ?? error.location ?? '').replace(/^body\./, '');
		if (at) fields[at] = String(error.message ?? '');
	}
	const retry = Number(response.headers.get('Retry-After'));
	return new Problem({
		status: response.status,
		code: text('code') ?? `http.${response.status}`,
		message: text('detail') ?? text('title') ?? `${response.status} ${response.statusText}`.trim(),
		title: text('title'),
		requestId: text('requestId') ?? response.headers.get('X-Request-Id') ?? undefined,
		fields,
		retryAfter: retry > 0 ? retry : undefined
	});
}

/** Anything thrown, as a Problem. */
export function asProblem(error: unknown): Problem {
	if (error instanceof Problem) return error;
	const message = error instanceof Error ? error.message : String(error);
	const network = error instanceof TypeError;
	return new Problem({ status: 0, code: network ? 'network' : 'client', message });
}
