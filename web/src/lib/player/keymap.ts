/** What a key does in the player. */
export type Action =
	| { do: 'toggle' | 'mute' | 'fullscreen' | 'captions' | 'audio' | 'pip' | 'help' }
	| { do: 'seek'; by: number }
	| { do: 'frame'; by: 1 | -1 }
	| { do: 'volume'; by: number }
	| { do: 'speed'; by: 1 | -1 }
	| { do: 'tenth'; to: number }
	| { do: 'chapter'; by: 1 | -1 };

export interface KeyPress {
	key: string;
	ctrlKey?: boolean;
	metaKey?: boolean;
	altKey?: boolean;
	/** A control has the focus that uses arrows or Space itself (button, slider, menu). */
	onControl?: boolean;
}

const letters: Record<string, Action> = {
	k: { do: 'toggle' },
	j: { do: 'seek', by: -10 },
	l: { do: 'seek', by: 10 },
	',': { do: 'frame', by: -1 },
	'.': { do: 'frame', by: 1 },
	m: { do: 'mute' },
	f: { do: 'fullscreen' },
	c: { do: 'captions' },
	a: { do: 'audio' },
	i: { do: 'pip' },
	'<': { do: 'speed', by: -1 },
	'>': { do: 'speed', by: 1 },
	n: { do: 'chapter', by: 1 },
	b: { do: 'chapter', by: -1 },
	'?': { do: 'help' }
};

const plain: Record<string, Action> = {
	' ': { do: 'toggle' },
	MediaPlayPause: { do: 'toggle' },
	ArrowLeft: { do: 'seek', by: -10 },
	ArrowRight: { do: 'seek', by: 10 },
	ArrowUp: { do: 'volume', by: 0.05 },
	ArrowDown: { do: 'volume', by: -0.05 }
};

/** The action of a key; undefined leaves it to the browser. Single characters can be off (WCAG 2.2, 2.1.4). */
export function actionOf(press: KeyPress, lettersOn = true): Action | undefined {
	if (press.ctrlKey || press.metaKey || press.altKey) return undefined;
	if (!press.onControl && plain[press.key]) return plain[press.key];
	if (press.key === 'MediaPlayPause') return plain[press.key];
	if (!lettersOn || press.key.length !== 1) return undefined;
	if (press.key >= '0' && press.key <= '9') return { do: 'tenth', to: Number(press.key) };
	return letters[press.key.toLowerCase()];
}

/** The speeds that < and > step through. */
export const speeds = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2] as const;

/** The next speed up or down from any speed. */
export function stepSpeed(now: number, by: 1 | -1): number {
	const next = by > 0 ? speeds.find((s) => s > now + 0.01) : speeds.findLast((s) => s < now - 0.01);
	return next ?? now;
}
