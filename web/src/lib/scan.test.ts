import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Scan } from '$lib/api';
import { LiveScan, outdated } from './scan.svelte';

const scan = (id: string, state: Scan['state'], more: Partial<Scan> = {}) =>
	({ id, libraryId: 'films', state, stage: 'find', found: 0, ...more }) as Scan;

describe('what is known of a scan', () => {
	test('is not undone by the answer to a request that an event overtook', () => {
		expect(outdated(undefined, scan('1', 'queued'))).toBe(false);
		expect(outdated(scan('1', 'running'), scan('1', 'running'))).toBe(false);
		expect(outdated(scan('1', 'running'), scan('1', 'done'))).toBe(false);
		for (const end of ['done', 'failed', 'cancelled'] as const) {
			expect(outdated(scan('1', end), scan('1', 'queued'))).toBe(true);
			expect(outdated(scan('1', end), scan('1', 'running'))).toBe(true);
			expect(outdated(scan('1', end), scan('2', 'queued'))).toBe(false);
			expect(outdated(scan('2', 'running'), scan('1', end))).toBe(true);
		}
	});
});

describe('a live scan', () => {
	class Source extends EventTarget {
		static last: Source;
		closed = false;
		constructor() {
			super();
			Source.last = this;
		}
		close() {
			this.closed = true;
		}
		say(name: string, data: unknown) {
			this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
		}
	}
	afterEach(() => vi.unstubAllGlobals());

	test('ends as the server says, whatever comes late', () => {
		vi.stubGlobal('EventSource', Source);
		const live = new LiveScan();
		const leave = live.follow('films');
		Source.last.say('scan', scan('2', 'done', { libraryId: 'another' }));
		expect(live.scan).toBeUndefined();
		Source.last.say('scan', scan('1', 'running'));
		expect(live.active).toBe(true);
		Source.last.say('scan', scan('1', 'done'));
		live.take(scan('1', 'queued'));
		expect(live.scan?.state).toBe('done');
		expect(live.active).toBe(false);
		leave();
		expect(Source.last.closed).toBe(true);
	});

	test('loads the films again after each connection, once it is known where the scan stands', () => {
		vi.stubGlobal('EventSource', Source);
		const live = new LiveScan();
		live.follow('films');
		Source.last.dispatchEvent(new Event('open'));
		expect(live.films).toBe(0);
		Source.last.say('scan', scan('1', 'done'));
		expect(live.films).toBe(1);
		Source.last.say('scan', scan('1', 'done'));
		expect(live.films).toBe(1);
		Source.last.say('movies', { libraryId: 'films' });
		expect(live.films).toBe(2);
	});
});
