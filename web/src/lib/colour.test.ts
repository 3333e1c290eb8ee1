import { rgbaToThumbHash } from 'thumbhash';
import { describe, expect, test } from 'vitest';
import {
	ambientOf,
	contrast,
	hashBytes,
	mix,
	nearestHue,
	neutral,
	scrimFor,
	titleHash,
	toOklch,
	tokens,
	toRgb,
	type Rgb
} from './colour';

/** A thumbhash of a picture whose left and right halves have one colour each. */
function hashOf(left: Rgb, right: Rgb = left): string {
	const [w, h] = [32, 18];
	const rgba = new Uint8Array(w * h * 4);
	for (let i = 0; i < w * h; i++) {
		const colour = i % w < w / 2 ? left : right;
		rgba.set([...colour.map((v) => Math.round(v * 255)), 255], i * 4);
	}
	return btoa(String.fromCharCode(...rgbaToThumbHash(w, h, rgba)));
}

describe('colour', () => {
	test('OKLCH and sRGB are each other’s inverse', () => {
		for (const rgb of [
			[1, 0, 0],
			[0.2, 0.6, 0.4],
			[0.9, 0.9, 0.1],
			[0.5, 0.5, 0.5]
		] as Rgb[])
			toRgb(toOklch(rgb)).forEach((v, i) => expect(v).toBeCloseTo(rgb[i]!, 3));
	});
	test('white on black has the greatest contrast there is', () => {
		expect(contrast([1, 1, 1], [0, 0, 0])).toBeCloseTo(21, 5);
	});
	test.each(['dark', 'light'] as const)('text is readable on every ground of the %s theme', (theme) => {
		const t = tokens[theme];
		for (let h = 0; h < 360; h += 5)
			for (const k of [0, 0.15, 0.5, 1])
				for (const ground of [t.ground({ h, k }), t.raise2({ h, k })]) {
					const under = toRgb(ground);
					expect(contrast(toRgb(t.ink({ h, k })), under)).toBeGreaterThan(12);
					expect(contrast(toRgb(t.ink2({ h, k })), under)).toBeGreaterThan(6.5);
					expect(contrast(toRgb(t.ink3({ h, k })), under)).toBeGreaterThan(4.5);
					expect(contrast(toRgb(t.accent({ h, k })), under)).toBeGreaterThan(4.5);
				}
	});
});

describe('ambient', () => {
	test('takes the hue of the artwork', () => {
		const blue: Rgb = [0.1, 0.2, 0.7];
		const { h, k } = ambientOf(hashOf(blue));
		expect(Math.abs(h - toOklch(blue).h)).toBeLessThan(15);
		expect(k).toBeGreaterThan(0.7);
	});
	test('stays strong where two colours would cancel each other out', () => {
		expect(ambientOf(hashOf([0.1, 0.15, 0.6], [0.6, 0.45, 0.1])).k).toBeGreaterThan(0.4);
	});
	test('gives black and white films a trace of colour only', () => {
		expect(ambientOf(hashOf([0.2, 0.2, 0.2], [0.8, 0.8, 0.8])).k).toBe(0.15);
	});
	test('is neutral without a picture, or with nonsense for one', () => {
		expect(ambientOf(undefined)).toEqual(neutral);
		expect(ambientOf('!')).toEqual(neutral);
	});
	test('fades the short way round the circle of hues', () => {
		expect(nearestHue(350, 10)).toBe(370);
		expect(nearestHue(10, 350)).toBe(-10);
		expect(nearestHue(370, 350)).toBe(350);
	});
	test('thumbhashes are read in both alphabets, padded or not', () => {
		const bytes = [251, 255, 190, 7, 8, 9];
		const standard = btoa(String.fromCharCode(...bytes));
		expect([...hashBytes(standard.replaceAll('=', ''))!]).toEqual(bytes);
		expect([...hashBytes(standard.replaceAll('+', '-').replaceAll('/', '_'))!]).toEqual(bytes);
	});
});

describe('scrim', () => {
	const box = { x: 0.2, y: 0.3, width: 0.5, height: 0.5 };
	const dark = { h: 270, k: 0.5 };
	const text = toRgb(tokens.dark.ink2(dark));
	const ground = toRgb(tokens.dark.ground(dark));
	test('is weak over dark pictures and strong over bright ones', () => {
		expect(scrimFor(hashOf([0.05, 0.05, 0.05]), box, text, ground, 4.5)).toBe(0.56);
		expect(scrimFor(hashOf([1, 1, 1]), box, text, ground, 4.5)).toBeGreaterThan(0.7);
	});
	test('gives text its contrast over any picture', () => {
		for (const colour of [
			[1, 1, 1],
			[1, 1, 0],
			[0.5, 0.5, 0.5],
			[1, 0.2, 0.2]
		] as Rgb[]) {
			const alpha = scrimFor(hashOf(colour), box, text, ground, 4.5);
			expect(contrast(text, mix(ground, alpha, colour))).toBeGreaterThan(4.3);
		}
	});
});

test('a title always gets the same card', () => {
	expect(titleHash('Häxan')).toBe(titleHash('Häxan'));
	expect(titleHash('Häxan')).not.toBe(titleHash('Haxan'));
});
