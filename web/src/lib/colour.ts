import { thumbHashToRGBA } from 'thumbhash';

/** A colour as OKLab polar coordinates: lightness 0–1, chroma, hue in degrees. */
export interface Oklch {
	l: number;
	c: number;
	h: number;
}
/** sRGB, each channel 0–1. */
export type Rgb = readonly [number, number, number];

/** What artwork may set: the hue (degrees) and the strength (0–1) of the ground. */
export interface Ambient {
	h: number;
	k: number;
}

/** The ambient of pages that belong to no film: grid, settings, administration. */
export const neutral: Ambient = { h: 270, k: 0.2 };

const linear = (v: number) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const gamma = (v: number) => (v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055);

/** Converts sRGB to OKLCH (Ottosson's OKLab matrices). */
export function toOklch([r, g, b]: Rgb): Oklch {
	const [lr, lg, lb] = [linear(r), linear(g), linear(b)];
	const l = Math.cbrt(0.4122214708 * lr + 0.5363325363 * lg + 0.0514459929 * lb);
	const m = Math.cbrt(0.2119034982 * lr + 0.6806995451 * lg + 0.1073969566 * lb);
	const s = Math.cbrt(0.0883024619 * lr + 0.2817188376 * lg + 0.6299787005 * lb);
	const A = 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s;
	const B = 0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s;
	return {
		l: 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
		c: Math.hypot(A, B),
		h: ((Math.atan2(B, A) * 180) / Math.PI + 360) % 360
	};
}

/** Converts OKLCH to sRGB, clipped to the gamut. */
export function toRgb({ l, c, h }: Oklch): Rgb {
	const a = c * Math.cos((h * Math.PI) / 180);
	const b = c * Math.sin((h * Math.PI) / 180);
	const L = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
	const M = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
	const S = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
	const clip = (v: number) => Math.min(1, Math.max(0, gamma(Math.max(0, v))));
	return [
		clip(4.0767416621 * L - 3.3077115913 * M + 0.2309699292 * S),
		clip(-1.2684380046 * L + 2.6097574011 * M - 0.3413193965 * S),
		clip(-0.0041960863 * L - 0.7034186147 * M + 1.707614701 * S)
	];
}

/** Relative luminance (WCAG 2.2). */
export const luminance = ([r, g, b]: Rgb) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);

/** Contrast ratio of two colours, 1–21 (WCAG 2.2, 1.4.3). */
export function contrast(a: Rgb, b: Rgb): number {
	const [x, y] = [luminance(a), luminance(b)];
	return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

/** Lays `over` with the given alpha on `under`. */
export const mix = (over: Rgb, alpha: number, under: Rgb): Rgb => [
	over[0] * alpha + under[0] * (1 - alpha),
	over[1] * alpha + under[1] * (1 - alpha),
	over[2] * alpha + under[2] * (1 - alpha)
];

/** Reads base64 (with or without padding, either alphabet); undefined when it is none. */
export function hashBytes(base64: string | undefined): Uint8Array | undefined {
	if (!base64) return undefined;
	try {
		const text = atob(base64.replaceAll('-', '+').replaceAll('_', '/'));
		return text.length < 5 ? undefined : Uint8Array.from(text, (c) => c.charCodeAt(0));
	} catch {
		return undefined;
	}
}

/**
 * The hue and strength of a picture, over its thumbhash: the mean colour gives the hue, the mean chroma the strength,
 * so that a blue night with golden lights stays strong instead of greying out. Black and white films get a trace.
 */
export function ambientOf(thumbhash: string | undefined): Ambient {
	const picture = pixelsOf(thumbhash);
	if (!picture) return neutral;
	let [a, b, chroma, n] = [0, 0, 0, 0];
	for (let i = 0; i + 3 < picture.rgba.length; i += 4) {
		if ((picture.rgba[i + 3] ?? 0) < 128) continue;
		const { c, h } = toOklch([
			(picture.rgba[i] ?? 0) / 255,
			(picture.rgba[i + 1] ?? 0) / 255,
			(picture.rgba[i + 2] ?? 0) / 255
		]);
		a += c * Math.cos((h * Math.PI) / 180);
		b += c * Math.sin((h * Math.PI) / 180);
		chroma += c;
		n++;
	}
	if (!n) return neutral;
	const h = ((Math.atan2(b, a) * 180) / Math.PI + 360) % 360;
	const c = chroma / n;
	return { h, k: c < 0.02 ? 0.15 : Math.max(0.15, Math.min(1, c / 0.13)) };
}

/** A thumbhash as pixels, about 32 across. */
export function pixelsOf(thumbhash: string | undefined) {
	const bytes = hashBytes(thumbhash);
	if (!bytes) return undefined;
	try {
		return thumbHashToRGBA(bytes);
	} catch {
		return undefined;
	}
}

/** A part of a picture in fractions of its width and height. */
export interface Box {
	x: number;
	y: number;
	width: number;
	height: number;
}

const steps = [0.56, 0.66, 0.78, 0.88] as const;

/**
 * The weakest of four scrims in the ground's colour that gives text its contrast over a picture.
 * @param needed 4.5 for text, 3 from 24 px
 */
export function scrimFor(
	thumbhash: string | undefined,
	box: Box,
	text: Rgb,
	ground: Rgb,
	needed: number
): number {
	const picture = pixelsOf(thumbhash);
	if (!picture) return steps[1];
	const { w, h, rgba } = picture;
	const worst = (alpha: number) => {
		let low = 21;
		for (let y = Math.floor(box.y * h); y < Math.min(h, Math.ceil((box.y + box.height) * h)); y++)
			for (let x = Math.floor(box.x * w); x < Math.min(w, Math.ceil((box.x + box.width) * w)); x++) {
				const i = (y * w + x) * 4;
				const under: Rgb = [(rgba[i] ?? 0) / 255, (rgba[i + 1] ?? 0) / 255, (rgba[i + 2] ?? 0) / 255];
				low = Math.min(low, contrast(text, mix(ground, alpha, under)));
			}
		return low;
	};
	return steps.find((alpha) => worst(alpha) >= needed) ?? steps[3];
}

/** The tokens of UI text in both themes, for scrims and their tests. */
export const tokens = {
	dark: {
		ground: ({ h, k }: Ambient): Oklch => ({ l: 0.175, c: k * 0.045, h }),
		raise2: ({ h, k }: Ambient): Oklch => ({ l: 0.275, c: k * 0.045, h }),
		ink: ({ h }: Ambient): Oklch => ({ l: 0.965, c: 0.006, h }),
		ink2: ({ h, k }: Ambient): Oklch => ({ l: 0.8, c: 0.004 + k * 0.016, h }),
		ink3: ({ h, k }: Ambient): Oklch => ({ l: 0.68, c: 0.004 + k * 0.018, h }),
		accent: ({ h, k }: Ambient): Oklch => ({ l: 0.8, c: k * 0.13, h })
	},
	light: {
		ground: ({ h, k }: Ambient): Oklch => ({ l: 0.968, c: k * 0.02, h }),
		raise2: ({ h, k }: Ambient): Oklch => ({ l: 0.935, c: k * 0.025, h }),
		ink: ({ h }: Ambient): Oklch => ({ l: 0.2, c: 0.02, h }),
		ink2: ({ h }: Ambient): Oklch => ({ l: 0.4, c: 0.025, h }),
		ink3: ({ h }: Ambient): Oklch => ({ l: 0.49, c: 0.025, h }),
		accent: ({ h, k }: Ambient): Oklch => ({ l: 0.48, c: k * 0.15, h })
	}
} as const;

/** The equivalent of hue `to` that is nearest to `from`, so that a fade takes the short way round. */
export const nearestHue = (from: number, to: number) => from + ((((to - from) % 360) + 540) % 360) - 180;

/** A stable number from a title, for the two tones of its title card (FNV-1a). */
export function titleHash(title: string): number {
	let hash = 0x811c9dc5;
	for (const char of title) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
	return hash >>> 0;
}
