import type { IndexEntry, Page } from '$lib/api/types';

/** Fetches the page that starts at a cursor; "" is the beginning. */
export type FetchPage<T> = (cursor: string) => Promise<Page<T>>;

/**
 * A list of any length of which only the parts in view are fetched. The server has cursors, not offsets: the index
 * gives a cursor for each letter or decade, every page gives the next one, and a position is reached from the
 * nearest known cursor before it. One walk runs at a time; a new wish turns it round at the next page.
 */
export class KeysetList<T> {
	/** Rows by position; holes have not been fetched. */
	readonly rows = new Map<number, T>();
	total: number;
	/** Starts of the index's entries, ascending. */
	readonly starts: readonly { label: string; offset: number; count: number }[];
	/** Runs after every page. */
	changed: () => void = () => {};

	#fetch: FetchPage<T>;
	#fresh = new Set<number>();
	#cursors = new Map<number, string>([[0, '']]);
	#wanted: readonly [number, number] = [0, 0];
	#walk: Promise<void> | undefined;

	constructor(fetch: FetchPage<T>, total: number, index: readonly IndexEntry[] = []) {
		this.#fetch = fetch;
		this.total = total;
		let offset = 0;
		this.starts = index.map(({ label, count, cursor }) => {
			const start = { label, offset, count };
			this.#cursors.set(offset, offset === 0 ? '' : cursor);
			offset += count;
			return start;
		});
	}

	/** Puts a page where it belongs; the first page can be given before any walk. */
	put(offset: number, page: Page<T>) {
		page.items.forEach((item, i) => {
			this.rows.set(offset + i, item);
			this.#fresh.add(offset + i);
		});
		const end = offset + page.items.length;
		if (page.nextCursor) this.#cursors.set(end, page.nextCursor);
		// Fewer or more rows than were counted: what the walk met is the truth.
		else this.total = end;
		if (end > this.total) this.total = end;
		this.changed();
	}

	/** What is here may be out of date: it is shown until it has been fetched again. */
	renew() {
		this.#fresh.clear();
	}

	/** Resolves when every row of [from, to) that exists is here, or another wish took its place. */
	async want(from: number, to: number): Promise<void> {
		this.#wanted = [from, to];
		this.#walk ??= this.#run().finally(() => (this.#walk = undefined));
		await this.#walk;
	}

	async #run() {
		for (;;) {
			const missing = this.#firstMissing();
			if (missing === undefined) return;
			const at = this.#nearest(missing);
			const page = await this.#fetch(this.#cursors.get(at) ?? '');
			this.put(at, page);
			if (page.items.length === 0) return;
		}
	}

	#firstMissing(): number | undefined {
		const [from, to] = this.#wanted;
		for (let i = Math.max(0, from); i < Math.min(to, this.total); i++) if (!this.#fresh.has(i)) return i;
		return undefined;
	}

	#nearest(position: number): number {
		let best = 0;
		for (const offset of this.#cursors.keys()) if (offset <= position && offset > best) best = offset;
		return best;
	}

	/** The index entry in which a position lies. */
	startOf(position: number) {
		return this.starts.findLast(({ offset, count }) => offset <= position && count > 0);
	}
}

/** How a wall of posters is laid out. */
export interface Grid {
	columns: number;
	gap: number;
	gutter: number;
}

const breakpoints: readonly (readonly [number, number, number, number])[] = [
	[2880, 12, 36, 128],
	[2200, 10, 28, 96],
	[1600, 8, 24, 72],
	[1200, 7, 22, 64],
	[840, 5, 18, 32],
	[600, 4, 16, 24],
	[0, 3, 12, 20]
];

/**
 * The wall for a window's width. When something stands beside it, fewer columns keep the posters' size.
 * @param available pixels that the wall itself has; the whole window less gutters when undefined
 * @param density +1 for one more column, -1 for one fewer
 */
export function gridFor(width: number, available?: number, density = 0): Grid {
	const [, columns, gap, gutter] = breakpoints.find(([from]) => width >= from) ?? breakpoints[6]!;
	const full = width - 2 * gutter;
	const share = available === undefined ? 1 : Math.min(1, (available + gap) / (full + gap));
	return { columns: Math.max(2, Math.round((columns + density) * share)), gap, gutter };
}

/** The rows that are drawn: those in view and so many around them. */
export function rowsInView(scroll: number, height: number, rowHeight: number, rows: number, around = 2) {
	if (rowHeight <= 0 || rows <= 0) return { first: 0, last: -1 };
	const first = Math.max(0, Math.floor(scroll / rowHeight) - around);
	const last = Math.min(rows - 1, Math.ceil((scroll + height) / rowHeight) + around - 1);
	return { first: Math.min(first, rows - 1), last: Math.max(last, 0) };
}

/** Where an arrow key leads from a position; undefined when it leads nowhere or is no arrow. */
export function moveBy(
	key: string,
	at: number,
	columns: number,
	total: number,
	page: number
): number | undefined {
	const to = {
		ArrowLeft: at - 1,
		ArrowRight: at + 1,
		ArrowUp: at - columns,
		ArrowDown: at + columns,
		PageUp: Math.max(at % columns, at - page * columns),
		PageDown: Math.min(total - 1, at + page * columns),
		Home: 0,
		End: total - 1
	}[key];
	if (to === undefined || to < 0) return undefined;
	// Down from the last full row reaches the last film, even where the last row is shorter.
	if (to >= total)
		return key === 'ArrowDown' && Math.floor(at / columns) < Math.floor((total - 1) / columns)
			? total - 1
			: undefined;
	return to;
}
