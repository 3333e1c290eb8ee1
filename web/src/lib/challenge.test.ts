import { expect, test } from 'vitest';
import { challengeFrom } from './challenge';

test('a challenge is read out of a fragment, and nothing that it does not know', () => {
	const values = new URLSearchParams('challenge=t0k%2Fen&methods=totp,evil,webauthn&expires=1700000000');
	expect(challengeFrom(values)).toEqual({
		token: 't0k/en',
		methods: ['totp', 'webauthn'],
		expiresAt: '2023-11-14T22:13:20.000Z'
	});
	expect(challengeFrom(new URLSearchParams('challenge=a&expires=soon')).methods).toEqual([]);
});
