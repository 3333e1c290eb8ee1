import { describe, expect, test } from 'vitest';
import type { IndexEntry, Page } from '$lib/api/types';
import { gridFor, KeysetList, moveBy, rowsInView } from './keyset';

/** A server with so many rows, in pages of 100, that counts what is asked. */
function server(rows: number, size = 100) {
	const asked: string[] = [];
	const fetch = async (cursor: string): Promise<Page<number>> => {
		asked.push(cursor);
		const from = cursor === '' ? 0 : Number(cursor);
		const items = Array.from({ length: Math.max(0, Math.min(size, rows - from)) }, (_, i) => from + i);
		return { items, nextCursor: from + size < rows ? String(from + size) : undefined };
	};
	return { asked, fetch };
}
const index = (...entries: [string, number][]): IndexEntry[] => {
	let offset = 0;
	return entries.map(([label, count]) => {
		const entry = { label, count, cursor: String(offset) };
		offset += count;
		return entry;
	});
};

describe('a windowed list', () => {
	test('fetches only the pages of the rows in view', async () => {
		const { asked, fetch } = server(100_000);
		const list = new KeysetList(fetch, 100_000, index(['A', 40_000], ['B', 59_900], ['Z', 100]));
		await list.want(40_000, 40_050);
		expect(asked).toEqual(['40000']);
		expect(list.rows.get(40_049)).toBe(40_049);
		expect(list.rows.has(0)).toBe(false);
	});
	test('walks on from the nearest page it knows', async () => {
		const { asked, fetch } = server(1000);
		const list = new KeysetList(fetch, 1000);
		await list.want(250, 260);
		expect(asked).toEqual(['', '100', '200']);
		await list.want(300, 310);
		expect(asked).toEqual(['', '100', '200', '300']);
	});
	test('turns to the latest wish instead of walking on', async () => {
		const { asked, fetch } = server(10_000);
		const list = new KeysetList(fetch, 10_000, index(['A', 5000], ['B', 5000]));
		const first = list.want(4000, 4010);
		const second = list.want(5000, 5010);
		await Promise.all([first, second]);
		expect(asked.length).toBeLessThan(4);
		expect(list.rows.get(5005)).toBe(5005);
	});
	test('believes the rows, not the count, when they differ', async () => {
		const { fetch } = server(120);
		const list = new KeysetList(fetch, 500);
		await list.want(0, 500);
		expect(list.total).toBe(120);
		expect(list.rows.size).toBe(120);
	});
	test('ends when the server has nothing at a cursor', async () => {
		const list = new KeysetList(async () => ({ items: [] as number[] }), 10);
		await list.want(0, 10);
		expect(list.total).toBe(0);
	});
	test('shows what it has while it is fetched again', async () => {
		const { asked, fetch } = server(50);
		const list = new KeysetList(fetch, 50);
		await list.want(0, 10);
		list.renew();
		expect(list.rows.get(5)).toBe(5);
		await list.want(0, 10);
		expect(asked).toEqual(['', '']);
	});
	test('can be wished from again after a failure', async () => {
		const { fetch } = server(50);
		let down = true;
		const list = new KeysetList(async (c) => (down ? Promise.reject(new Error('down')) : fetch(c)), 50);
		await expect(list.want(0, 10)).rejects.toThrow('down');
		down = false;
		await list.want(0, 10);
		expect(list.rows.get(9)).toBe(9);
	});
	test('knows in which letter a position lies', () => {
		const list = new KeysetList(server(10).fetch, 10, index(['A', 4], ['C', 6]));
		expect(list.startOf(3)?.label).toBe('A');
		expect(list.startOf(4)?.label).toBe('C');
	});
});

describe('the wall', () => {
	test.each([
		[360, 3],
		[600, 4],
		[840, 5],
		[1200, 7],
		[1440, 7],
		[1600, 8],
		[2200, 10],
		[2880, 12],
		[3840, 12]
	])('%i px wide has %i columns', (width, columns) => expect(gridFor(width).columns).toBe(columns));
	test('keeps the posters’ size beside a sheet', () => {
		expect(gridFor(1440, 1440 - 64 - 452).columns).toBe(5);
	});
	test('is denser or looser by one column', () => {
		expect(gridFor(1440, undefined, 1).columns).toBe(8);
		expect(gridFor(1440, undefined, -1).columns).toBe(6);
	});
	test('draws the rows in view and two around', () => {
		expect(rowsInView(1000, 900, 300, 1000)).toEqual({ first: 1, last: 8 });
		expect(rowsInView(0, 900, 300, 2)).toEqual({ first: 0, last: 1 });
		expect(rowsInView(0, 900, 300, 0)).toEqual({ first: 0, last: -1 });
	});
	test('arrows move between films and stop at the edges', () => {
		expect(moveBy('ArrowRight', 0, 7, 20, 2)).toBe(1);
		expect(moveBy('ArrowLeft', 0, 7, 20, 2)).toBeUndefined();
		expect(moveBy('ArrowDown', 3, 7, 20, 2)).toBe(10);
		expect(moveBy('ArrowUp', 3, 7, 20, 2)).toBeUndefined();
		expect(moveBy('ArrowDown', 13, 7, 20, 2)).toBe(19);
		expect(moveBy('ArrowDown', 19, 7, 20, 2)).toBeUndefined();
		expect(moveBy('End', 3, 7, 20, 2)).toBe(19);
		expect(moveBy('PageDown', 3, 7, 200, 2)).toBe(17);
		expect(moveBy('x', 3, 7, 20, 2)).toBeUndefined();
	});
});
