import { expect, test } from 'vitest';
import { localPath } from './local';

test.each([
	['/movies?q=a#b', '/movies?q=a#b'],
	['/', '/'],
	[null, '/'],
	['', '/'],
	['movies', '/'],
	['//evil.example', '/'],
	['/\\evil.example', '/'],
	['/\t/evil.example', '/'],
	['/\n\\evil.example', '/'],
	['https://evil.example', '/'],
	['javascript:alert(1)', '/'],
	[' /movies', '/']
])('%j leads to %j', (next, path) => {
	expect(localPath(next)).toBe(path);
	expect(new URL(localPath(next), 'https://here.example').origin).toBe('https://here.example');
});
