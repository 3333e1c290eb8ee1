/** The digits of what was typed or pasted ("407 123", "407-123", digits of other scripts), at most so many. */
export const digitsOf = (text: string, length: number) =>
	text.normalize('NFKC').replace(/\D/g, '').slice(0, length);
