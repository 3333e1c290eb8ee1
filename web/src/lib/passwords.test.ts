import { expect, test } from 'vitest';
import { hintsFor, lengthOf, mostlyNames } from './passwords';

test('characters are counted as the server counts them', () => {
	expect(lengthOf('a\u0308bc')).toBe(3); // the umlaut is one in the form that is hashed
	expect(lengthOf('🎬🎬')).toBe(2);
});

test.each([
	['annaanna', ['anna'], true],
	['revenge-anna-123', ['anna'], true],
	['anna@example.org', ['anna@example.org'], true],
	['three blind mice for anna', ['anna'], false],
	['correct horse battery', [], false],
	['a long walk home', ['a'], false] // names of one letter are in every password
])('%j of %j is mostly names: %j', (password, names, mostly) =>
	expect(mostlyNames(password, names as string[])).toBe(mostly)
);

test('the rules are met one by one', () => {
	const met = (password: string) => hintsFor(password, 15, ['anna']).map((hint) => hint.met);
	expect(met('short')).toEqual([false, true]);
	expect(met('annaannaannaanna')).toEqual([true, false]);
	expect(met('fifteen letters')).toEqual([true, true]);
});
