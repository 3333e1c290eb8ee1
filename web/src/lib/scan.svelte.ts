import type { Scan } from '$lib/api';
import { listen } from '$lib/api/events';

const ranks = { queued: 0, running: 1, done: 2, cancelled: 2, failed: 2 };

/** Tells whether a scan that came in is older than what is known: the answer to a request and an event overtake each other. */
export function outdated(known: Scan | undefined, scan: Scan): boolean {
	if (!known) return false;
	// Ids are UUIDv7: they sort by creation.
	return known.id === scan.id ? ranks[scan.state] < ranks[known.state] : scan.id < known.id;
}

/** A library's scan as it goes on. The server tells where it stands whenever the connection starts, then all that happens. */
export class LiveScan {
	scan = $state<Scan>();
	/** Grows when films of the library have changed. */
	films = $state(0);
	/** Things a second in the current stage; 0 until known. */
	rate = $state(0);
	#last: { at: number; stage: string; done: number } | undefined;
	active = $derived(this.scan?.state === 'queued' || this.scan?.state === 'running');

	/** Follows a library until the returned function is called. */
	follow(libraryId: string): () => void {
		this.scan = undefined;
		let missed = false;
		return listen({
			opened: () => (missed = true),
			scan: (scan) => {
				if (scan.libraryId !== libraryId) return;
				this.take(scan);
				// Nobody told of the films that changed before the connection stood.
				if (missed) this.films++;
				missed = false;
			},
			movies: (event) => {
				if (event.libraryId === libraryId) this.films++;
			}
		});
	}

	/** Takes what an event or the answer to a request says, unless something newer is known. */
	take(scan: Scan) {
		if (outdated(this.scan, scan)) return;
		const ended =
			this.active && (scan.state === 'done' || scan.state === 'cancelled' || scan.state === 'failed');
		const done = { find: scan.found, read: scan.read, match: scan.matched, artwork: scan.artwork }[
			scan.stage
		];
		const now = Date.now();
		if (this.#last && this.#last.stage === scan.stage && this.scan?.id === scan.id) {
			const seconds = (now - this.#last.at) / 1000;
			if (seconds >= 1) {
				this.rate = Math.max(0, (done - this.#last.done) / seconds);
				this.#last = { at: now, stage: scan.stage, done };
			}
		} else {
			this.rate = 0;
			this.#last = { at: now, stage: scan.stage, done };
		}
		this.scan = scan;
		if (ended) this.films++;
	}
}

/** How far a stage is, 0–1, and its figures. */
export function stagesOf(scan: Scan) {
	const order = ['find', 'read', 'match', 'artwork'];
	const now = scan.state === 'done' ? order.length : order.indexOf(scan.stage);
	const share = (done: number, total: number, at: number) =>
		now > at ? 1 : total > 0 ? Math.min(1, done / total) : 0;
	return [
		{
			stage: 'find' as const,
			done: scan.found,
			total: scan.found,
			share: now > 0 ? 1 : scan.found ? 0.5 : 0
		},
		{
			stage: 'read' as const,
			done: scan.read,
			total: scan.readTotal,
			share: share(scan.read, scan.readTotal, 1)
		},
		{
			stage: 'match' as const,
			done: scan.matched,
			total: scan.matchTotal,
			share: share(scan.matched, scan.matchTotal, 2)
		},
		{
			stage: 'artwork' as const,
			done: scan.artwork,
			total: scan.artworkTotal,
			share: share(scan.artwork, scan.artworkTotal, 3)
		}
	];
}
