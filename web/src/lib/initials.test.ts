import { expect, test } from 'vitest';
import { initialsOf } from './initials';

test.each([
	['Anna Karenina', 'AK'],
	['anna', 'A'],
	['Jean-Luc van der Berg', 'JB'],
	['Öl', 'Ö'],
	['<img src=x>', 'IX'],
	['🎬', '🎬'],
	['', '']
])('%j is %j', (name, letters) => expect(initialsOf(name)).toBe(letters));
