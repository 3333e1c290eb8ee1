import { describe, expect, test } from 'vitest';
import { capabilitiesOf } from './capabilities';
import { cuesAt, parseVtt } from './cues';
import { actionOf, stepSpeed } from './keymap';
import { filled, Timeline } from './timeline';

const two = new Timeline([
	{
		start: 0,
		duration: 60,
		chapters: [
			{ start: 0, end: 40, title: 'One' },
			{ start: 40, end: 60, title: 'Two' }
		]
	},
	{ start: 60, duration: 30, chapters: [{ start: 60, end: 90, title: 'Three' }] }
]);

describe('a film of two parts', () => {
	test('is one axis', () => {
		expect(two.duration).toBe(90);
		expect(two.at(10)).toEqual({ index: 0, time: 10 });
		expect(two.at(60)).toEqual({ index: 1, time: 0 });
		expect(two.at(75.5)).toEqual({ index: 1, time: 15.5 });
		expect(two.position(1, 15.5)).toBe(75.5);
	});
	test('positions outside lead to its ends', () => {
		expect(two.at(-5)).toEqual({ index: 0, time: 0 });
		expect(two.at(500).index).toBe(1);
		expect(two.at(500).time).toBeLessThan(30);
	});
	test('going there and reading it again is the same position, everywhere', () => {
		for (let p = 0; p < 89; p += 0.37) {
			const { index, time } = two.at(p);
			expect(two.position(index, time)).toBeCloseTo(p, 6);
		}
	});
	test('knows its chapters across the parts', () => {
		expect(two.chapter(45)).toMatchObject({ number: 2, chapter: { title: 'Two' } });
		expect(two.nextChapter(45)).toBe(60);
		expect(two.nextChapter(70)).toBeUndefined();
		expect(two.previousChapter(61)).toBe(40);
		expect(two.previousChapter(50)).toBe(40);
		expect(two.previousChapter(1)).toBe(0);
	});
	test('is drawn in segments that cover the axis', () => {
		const segments = two.segments();
		expect(segments.map((s) => s.start)).toEqual([0, 40, 60]);
		expect(segments.at(-1)?.end).toBe(90);
	});
	test('an empty film does not break it', () => {
		const none = new Timeline([]);
		expect(none.duration).toBe(0);
		expect(none.at(5)).toEqual({ index: 0, time: 0 });
	});
	test('a segment fills as the film passes through it', () => {
		expect(filled(40, 60, 30)).toBe(0);
		expect(filled(40, 60, 50)).toBe(0.5);
		expect(filled(40, 60, 80)).toBe(1);
		expect(filled(5, 5, 9)).toBe(0);
	});
});

describe('subtitles', () => {
	const file = `\uFEFFWEBVTT - a title

NOTE nothing to see

STYLE
::cue { color: red }

1
00:01.000 --> 00:03.500 line:10% align:start
<v Knock>The <i>bridge</i> &amp; the order</v>
will hold

00:00:02.000 --> 00:00:04.000
Second

broken --> 00:05.000
No cue

01:00:00.000 --> 01:00:01.000
<script>alert(1)</script>late &lt;b&gt;
`;
	const cues = parseVtt(file.replaceAll('\n', '\r\n'));
	test('are read as plain text, in order', () => {
		expect(cues.map((c) => c.text)).toEqual([
			'The bridge & the order\nwill hold',
			'Second',
			'alert(1)late <b>'
		]);
		expect(cues[0]).toMatchObject({ start: 1, end: 3.5, top: true, align: 'start' });
		expect(cues[2]!.start).toBe(3600);
	});
	test('are shown while they last, together where they overlap', () => {
		expect(cuesAt(cues, 0.5)).toHaveLength(0);
		expect(cuesAt(cues, 2.5).map((c) => c.start)).toEqual([1, 2]);
		expect(cuesAt(cues, 3.5).map((c) => c.start)).toEqual([2]);
		expect(cuesAt(cues, 4)).toHaveLength(0);
	});
	test('a file that is none has no cues', () => {
		expect(parseVtt('')).toEqual([]);
		expect(parseVtt('<html>')).toEqual([]);
	});
});

describe('keys', () => {
	test('follow the map', () => {
		expect(actionOf({ key: 'k' })).toEqual({ do: 'toggle' });
		expect(actionOf({ key: 'L' })).toEqual({ do: 'seek', by: 10 });
		expect(actionOf({ key: '7' })).toEqual({ do: 'tenth', to: 7 });
		expect(actionOf({ key: 'ArrowUp' })).toEqual({ do: 'volume', by: 0.05 });
		expect(actionOf({ key: 'Enter' })).toBeUndefined();
	});
	test('leave the browser’s shortcuts alone', () => {
		expect(actionOf({ key: 'f', ctrlKey: true })).toBeUndefined();
		expect(actionOf({ key: 'a', metaKey: true })).toBeUndefined();
	});
	test('leave Space and arrows to a focused control, letters work everywhere', () => {
		expect(actionOf({ key: ' ', onControl: true })).toBeUndefined();
		expect(actionOf({ key: 'ArrowLeft', onControl: true })).toBeUndefined();
		expect(actionOf({ key: 'm', onControl: true })).toEqual({ do: 'mute' });
	});
	test('letters can be off, Space and arrows stay', () => {
		expect(actionOf({ key: 'k' }, false)).toBeUndefined();
		expect(actionOf({ key: '5' }, false)).toBeUndefined();
		expect(actionOf({ key: ' ' }, false)).toEqual({ do: 'toggle' });
	});
	test('speeds step to the next and stop at the ends', () => {
		expect(stepSpeed(1, 1)).toBe(1.25);
		expect(stepSpeed(1.1, -1)).toBe(1);
		expect(stepSpeed(2, 1)).toBe(2);
		expect(stepSpeed(0.5, -1)).toBe(0.5);
	});
});

describe('what a browser can play', () => {
	test('is what it says, by element and by Media Source', () => {
		const chromium = capabilitiesOf({
			canPlay: (type) =>
				/avc1|mp4a|webm|mpeg$/.test(type) && !/hvc1|ac-3|ec-3/.test(type) ? 'probably' : '',
			source: (type) => /avc1|vp09|av01|mp4a|opus|flac/.test(type)
		});
		expect(chromium.hls).toBe(true);
		expect(chromium.containers).toContain('mp4');
		expect(new Set(chromium.video?.map((v) => v.codec))).toEqual(new Set(['h264', 'vp8', 'vp9', 'av1']));
		expect(chromium.audio).toEqual(expect.arrayContaining(['aac', 'opus', 'flac', 'mp3']));
		expect(chromium.audio).not.toContain('ac3');
	});
	test('without Media Source and native HLS nothing is repackaged', () => {
		expect(capabilitiesOf({ canPlay: () => '' }).hls).toBe(false);
		expect(capabilitiesOf({ canPlay: (t) => (t.includes('mpegurl') ? 'maybe' : '') }).hls).toBe(true);
	});
});
