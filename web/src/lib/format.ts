import { m } from './paraglide/messages';
import { getLocale } from './paraglide/runtime';

/** The reader's own form of the language of the pages, as the browser tells it (en-GB for en); else that language. */
function locale(): string {
	const language = getLocale();
	return navigator.languages.find((tag) => tag === language || tag.startsWith(`${language}-`)) ?? language;
}

/** "1 h 12 min", "52 min", "40 s". */
export function duration(seconds: number): string {
	if (seconds < 59.5) return m.time_seconds({ n: Math.max(0, Math.round(seconds)) });
	const minutes = Math.round(seconds / 60);
	const hours = Math.floor(minutes / 60);
	if (!hours) return m.time_minutes({ n: minutes });
	return minutes % 60 ? m.time_hours_minutes({ h: hours, n: minutes % 60 }) : m.time_hours({ h: hours });
}

/** "1:18:52" or "28:47". */
export function clock(seconds: number): string {
	const s = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
	const pad = (n: number) => String(n).padStart(2, '0');
	const hours = Math.floor(s / 3600);
	const minutes = Math.floor((s % 3600) / 60);
	return hours ? `${hours}:${pad(minutes)}:${pad(s % 60)}` : `${minutes}:${pad(s % 60)}`;
}

/** Seconds as a screen reader should say them: "1 hour, 18 minutes, 52 seconds". */
export function spokenTime(seconds: number): string {
	const s = Math.max(0, Math.floor(seconds));
	const parts = [
		[Math.floor(s / 3600), 'hour'],
		[Math.floor((s % 3600) / 60), 'minute'],
		[s % 60, 'second']
	] as const;
	const shown = parts.filter(([n, unit]) => n > 0 || (unit === 'second' && s < 60));
	return shown
		.map(([n, unit]) =>
			new Intl.NumberFormat(locale(), { style: 'unit', unit, unitDisplay: 'long' }).format(n)
		)
		.join(', ');
}

/** The time of day so many seconds from now: "22:48". */
export const timeOfDay = (inSeconds: number, now = Date.now()) =>
	new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(
		now + inSeconds * 1000
	);

/** "18.2 GB", decimal units as disks are sold. */
export function bytes(size: number): string {
	const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
	const power = size < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(size) / 3));
	const value = size / 1000 ** power;
	return new Intl.NumberFormat(locale(), {
		style: 'unit',
		unit: units[power],
		unitDisplay: power ? 'short' : 'long',
		maximumFractionDigits: power < 2 || value >= 100 ? 0 : 1
	}).format(value);
}

/** "3,180". */
export const number = (n: number) => new Intl.NumberFormat(locale()).format(n);
/** "7.8". */
export const rating = (n: number) =>
	new Intl.NumberFormat(locale(), { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(n);
/** "52 %". */
export const percent = (share: number) =>
	new Intl.NumberFormat(locale(), { style: 'percent', maximumFractionDigits: 0 }).format(share);
/** "22 November 2026". */
export const date = (at: string | Date) =>
	new Intl.DateTimeFormat(locale(), { dateStyle: 'long' }).format(new Date(at));

/** "22 November 2026 at 14:07". */
export const dateTime = (at: string | Date) =>
	new Intl.DateTimeFormat(locale(), { dateStyle: 'long', timeStyle: 'short' }).format(new Date(at));

/** "14 seconds ago". */
export function ago(at: string | Date, now = Date.now()): string {
	const seconds = (new Date(at).getTime() - now) / 1000;
	const steps: [number, Intl.RelativeTimeFormatUnit][] = [
		[60, 'second'],
		[3600, 'minute'],
		[86_400, 'hour'],
		[2_592_000, 'day'],
		[31_536_000, 'month'],
		[Infinity, 'year']
	];
	let unit = 1;
	for (const [limit, name] of steps) {
		if (Math.abs(seconds) < limit)
			return new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' }).format(
				Math.trunc(Math.min(0, seconds) / unit),
				name
			);
		unit = limit;
	}
	return '';
}

const codecs: Record<string, string> = {
	h264: 'H.264', hevc: 'HEVC', vp8: 'VP8', vp9: 'VP9', av1: 'AV1', mpeg4: 'MPEG-4', mpeg2video: 'MPEG-2', vc1: 'VC-1',
	aac: 'AAC', ac3: 'Dolby Digital', eac3: 'Dolby Digital Plus', dts: 'DTS', truehd: 'Dolby TrueHD', flac: 'FLAC',
	opus: 'Opus', mp3: 'MP3', vorbis: 'Vorbis', subrip: 'SubRip', srt: 'SubRip', ass: 'ASS', ssa: 'SSA',
	webvtt: 'WebVTT', vtt: 'WebVTT', mov_text: 'MP4 text', hdmv_pgs_subtitle: 'PGS', dvd_subtitle: 'VobSub',
	matroska: 'Matroska', mp4: 'MP4', webm: 'WebM', mpegts: 'MPEG-TS', avi: 'AVI'
}; // prettier-ignore

/** A codec or container as people write it. */
export const codecName = (codec: string) =>
	codecs[codec] ?? (codec.startsWith('pcm_') ? 'PCM' : codec.toUpperCase());

/** "Stereo", "5.1". */
export function channels(n: number): string {
	if (n === 1) return m.sound_mono();
	if (n === 2) return m.sound_stereo();
	return n === 6 ? '5.1' : n === 8 ? '7.1' : n === 7 ? '6.1' : m.sound_channels({ n });
}

/** What the picture is called on a tag: "4K HDR", "4K", "" for the common sizes. */
export function pictureTag(resolution: string | undefined, hdr: boolean): string {
	const size = resolution === '2160p' ? '4K' : resolution === '4320p' ? '8K' : '';
	return [size, hdr ? 'HDR' : ''].filter(Boolean).join(' ');
}

/** Steps down the film title by its length: 0 up to 22 characters, 1 up to 40, 2 beyond. */
export const titleStep = (title: string) => (title.length > 40 ? 2 : title.length > 22 ? 1 : 0);
