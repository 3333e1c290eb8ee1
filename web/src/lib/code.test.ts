import { expect, test } from 'vitest';
import { digitsOf } from './code';

test.each([
	['407123', '407123'],
	['407 123', '407123'],
	['Your code: 407-123.', '407123'],
	['４０７１２３', '407123'],
	['4071234567', '407123'],
	['', '']
])('a code is taken out of %j', (text, code) => expect(digitsOf(text, 6)).toBe(code));
