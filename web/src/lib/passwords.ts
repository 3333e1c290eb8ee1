/** What a password must be, as it can be told while one types: the server has the last word (it knows the common ones). */
export interface Hint {
	code: 'length' | 'names';
	met: boolean;
}

/** Characters as the server counts them: code points of the form in which the password is hashed. */
export const lengthOf = (password: string) => [...password.normalize('NFC')].length;

/** Whether hardly anything is left of a password without the names of its account and of the product. */
export function mostlyNames(password: string, names: readonly string[]): boolean {
	const folded = password.toLowerCase();
	const words = ['revenge', ...names.flatMap((name) => {
		const whole = name.trim().toLowerCase();
		const local = whole.split('@')[0] ?? '';
		return [whole, local, ...local.split(/[^\p{L}\p{N}]+/u)];
	})]; // prettier-ignore
	let rest = folded;
	for (const word of words.sort((a, b) => b.length - a.length))
		if ([...word].length >= 3) rest = rest.replaceAll(word, '');
	return rest.length < folded.length && [...rest].length < 8;
}

export const hintsFor = (password: string, least: number, names: readonly string[]): Hint[] => [
	{ code: 'length', met: lengthOf(password) >= least },
	{ code: 'names', met: !mostlyNames(password, names) }
];
