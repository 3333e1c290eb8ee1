import { expect, test } from 'vitest';
import { cleared, queryOf, readFilter, restricts, writeFilter } from './filter';

const read = (text: string) => readFilter(new URLSearchParams(text));

test('an address is read and written without loss', () => {
	const text =
		'?q=sher&library=1&genre=Drama&genre=Film+noir&from=1920&to=1969&watched=unwatched&picture=hd&hdr=1&audio=ger&subtitles=eng&person=Keaton&sort=-year';
	expect(writeFilter(read(text))).toBe(text);
});
test('nothing restricted is a bare address', () => {
	expect(writeFilter(read(''))).toBe('');
	expect(restricts(read('sort=-added'))).toBe(false);
	expect(restricts(read('genre=Drama'))).toBe(true);
});
test('nonsense in an address is left out', () => {
	expect(writeFilter(read('watched=perhaps&from=abc&sort=%3Cscript%3E&picture=9k'))).toBe('');
	expect(writeFilter(read('genre=Drama&genre=&genre=Drama'))).toBe('?genre=Drama');
});
test('the server is asked in its own terms', () => {
	expect(queryOf(read('watched=unwatched&picture=4k'))).toMatchObject({
		watched: false,
		inProgress: undefined,
		resolution: ['2160p', '4320p']
	});
	expect(queryOf(read('watched=started'))).toMatchObject({ watched: undefined, inProgress: true });
});
test('a random order keeps its seed, others drop it', () => {
	expect(writeFilter(read('sort=random&seed=7'))).toBe('?sort=random&seed=7');
	expect(writeFilter(read('sort=year&seed=7'))).toBe('?sort=year');
});
test('clearing keeps the order', () => {
	expect(writeFilter(cleared(read('q=x&genre=Drama&sort=-added')))).toBe('?sort=-added');
});
