/** One subtitle. Text is plain: markup of the file is dropped, line breaks stay. */
export interface Cue {
	start: number;
	end: number;
	text: string;
	/** The file asks for the upper half of the picture. */
	top: boolean;
	align: 'start' | 'center' | 'end';
}

const timing = /^\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})\s+-->\s+((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})(.*)$/;

function seconds(text: string): number {
	const parts = text.replace(',', '.').split(':').map(Number);
	return parts.reduce((sum, part) => sum * 60 + part, 0);
}

const entities: Record<string, string> = {
	'&amp;': '&', '&lt;': '<', '&gt;': '>', '&nbsp;': '\u00a0', '&lrm;': '\u200e', '&rlm;': '\u200f'
}; // prettier-ignore

/** Removes WebVTT's tags and resolves its entities; the result is only ever set as text (S25). */
const plain = (text: string) =>
	text
		.replace(/<[^>\n]*>/g, '')
		.replace(/&(?:amp|lt|gt|nbsp|lrm|rlm);/g, (entity) => entities[entity] ?? entity)
		.trim();

/** Reads a WebVTT file (W3C WebVTT, 4) into cues by start; what is no cue is passed over. */
export function parseVtt(file: string): Cue[] {
	const cues: Cue[] = [];
	for (const block of file
		.replace(/^\uFEFF/, '')
		.replace(/\r\n?/g, '\n')
		.split(/\n{2,}/)) {
		const lines = block.split('\n');
		const at = lines.findIndex((line) => timing.test(line));
		const match = at >= 0 ? timing.exec(lines[at]!) : null;
		if (!match) continue;
		const [start, end] = [seconds(match[1]!), seconds(match[2]!)];
		const text = plain(lines.slice(at + 1).join('\n'));
		if (!text || !(end > start)) continue;
		const settings = match[3] ?? '';
		const line = /\bline:(-?\d+(?:\.\d+)?)(%?)/.exec(settings);
		const align = /\balign:(start|left|end|right)/.exec(settings)?.[1];
		cues.push({
			start,
			end,
			text,
			// A percentage is from the top; a line number counts from the top, negative ones from the foot.
			top: !!line && (line[2] ? Number(line[1]) < 50 : Number(line[1]) >= 0 && Number(line[1]) < 6),
			align: align === 'start' || align === 'left' ? 'start' : align ? 'end' : 'center'
		});
	}
	return cues.sort((a, b) => a.start - b.start || a.end - b.end);
}

/** The cues that are shown at a time, in the file's order. */
export function cuesAt(cues: readonly Cue[], time: number): Cue[] {
	// Cues are by start: nothing after the first later start can be shown. Long cues make a pure bisection wrong.
	let high = cues.length;
	let low = 0;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (cues[middle]!.start <= time) low = middle + 1;
		else high = middle;
	}
	return cues.slice(Math.max(0, low - 50), low).filter((cue) => cue.end > time);
}
