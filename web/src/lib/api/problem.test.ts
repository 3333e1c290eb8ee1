import { expect, test } from 'vitest';
import { localPath } from '$lib/local';
import { asProblem, problemOf } from './problem';

const answer = (status: number, headers: Record<string, string> = {}) =>
	new Response(null, { status, headers });

test('a refusal says what the server said, with the request’s id', () => {
	const problem = problemOf(answer(422), {
		title: 'Unprocessable',
		detail: 'The name is taken.',
		code: 'library.name_taken',
		requestId: 'r1',
		errors: [{ path: 'body.name', message: 'is taken' }]
	});
	expect(problem.message).toBe('The name is taken.');
	expect(problem.code).toBe('library.name_taken');
	expect(problem.requestId).toBe('r1');
	expect(problem.fields).toEqual({ name: 'is taken' });
	expect(problem.offline).toBe(false);
});
test('an answer that is no problem+json still says something', () => {
	const problem = problemOf(answer(502, { 'X-Request-Id': 'r2', 'Retry-After': '7' }), undefined);
	expect(problem.code).toBe('http.502');
	expect(problem.message).toContain('502');
	expect(problem.requestId).toBe('r2');
	expect(problem.retryAfter).toBe(7);
});
test('a server that is not there is told from a refusal', () => {
	expect(asProblem(new TypeError('Failed to fetch'))).toMatchObject({ offline: true, code: 'network' });
});
test('sign-in leads back to this site only', () => {
	expect(localPath('/movies?q=a')).toBe('/movies?q=a');
	for (const evil of [
		'//evil.example',
		'/\\evil.example',
		'/\t/evil.example',
		'/\n\\evil.example',
		'https://evil.example',
		'javascript:alert(1)',
		'',
		null
	])
		expect(localPath(evil)).toBe('/');
});
