/** At most two letters for somebody: of the first and the last word of their name. */
export function initialsOf(name: string): string {
	const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
	const first = words[0] ?? name.trim();
	const last = words.length > 1 ? words.at(-1) : undefined;
	const letter = (word: string | undefined) => [...(word ?? '')][0] ?? '';
	return (letter(first) + letter(last)).toLocaleUpperCase();
}
