import type { Capabilities } from '$lib/api/types';

/** The parts of the browser that are asked; tests give their own. */
export interface Asked {
	/** HTMLMediaElement.canPlayType */
	canPlay: (type: string) => string;
	/** MediaSource.isTypeSupported; undefined where there is no Media Source. */
	source?: (type: string) => boolean;
}

/** Codec strings by codec, weakest first: the last that plays says how far the browser goes. RFC 6381. */
const video: Record<string, { string: string; maxWidth: number; maxHeight: number }[]> = {
	h264: [
		{ string: 'avc1.42E01E', maxWidth: 720, maxHeight: 576 }, // Constrained Baseline 3.0
		{ string: 'avc1.4D4028', maxWidth: 1920, maxHeight: 1088 }, // Main 4.0
		{ string: 'avc1.640028', maxWidth: 1920, maxHeight: 1088 }, // High 4.0
		{ string: 'avc1.640033', maxWidth: 4096, maxHeight: 2304 }, // High 5.1
		{ string: 'avc1.6E0033', maxWidth: 4096, maxHeight: 2304 } // High 10
	],
	hevc: [
		{ string: 'hvc1.1.6.L120.90', maxWidth: 1920, maxHeight: 1088 }, // Main
		{ string: 'hvc1.1.6.L153.90', maxWidth: 4096, maxHeight: 2304 },
		{ string: 'hvc1.2.4.L153.90', maxWidth: 4096, maxHeight: 2304 } // Main 10
	],
	vp8: [{ string: 'vp8', maxWidth: 1920, maxHeight: 1088 }],
	vp9: [
		{ string: 'vp09.00.41.08', maxWidth: 2048, maxHeight: 1152 },
		{ string: 'vp09.00.51.08', maxWidth: 4096, maxHeight: 2304 },
		{ string: 'vp09.02.51.10', maxWidth: 4096, maxHeight: 2304 } // Profile 2, 10 bits
	],
	av1: [
		{ string: 'av01.0.08M.08', maxWidth: 2048, maxHeight: 1152 },
		{ string: 'av01.0.13M.08', maxWidth: 4096, maxHeight: 2304 },
		{ string: 'av01.0.13M.10', maxWidth: 4096, maxHeight: 2304 }
	]
};

const audio: Record<string, string[]> = {
	aac: ['audio/mp4; codecs="mp4a.40.2"'],
	mp3: ['audio/mpeg'],
	opus: ['audio/mp4; codecs="opus"', 'audio/webm; codecs="opus"'],
	vorbis: ['audio/webm; codecs="vorbis"'],
	flac: ['audio/mp4; codecs="flac"'],
	ac3: ['audio/mp4; codecs="ac-3"'],
	eac3: ['audio/mp4; codecs="ec-3"']
};

const containers: Record<string, string> = {
	mp4: 'video/mp4; codecs="avc1.42E01E"',
	webm: 'video/webm; codecs="vp8"',
	mp3: 'audio/mpeg'
};

/** What a browser can play, from what it says itself. Asked once: the answer does not change while it runs. */
export function capabilitiesOf({ canPlay, source }: Asked): Capabilities {
	const plays = (type: string) => canPlay(type) !== '' || (source?.(type) ?? false);
	const nativeHls = canPlay('application/vnd.apple.mpegurl') !== '';
	return {
		containers: Object.entries(containers)
			.filter(([, type]) => canPlay(type) !== '')
			.map(([name]) => name),
		video: Object.entries(video).flatMap(([codec, levels]) =>
			levels
				.filter(({ string }) =>
					plays(`${codec.startsWith('vp') ? 'video/webm' : 'video/mp4'}; codecs="${string}"`)
				)
				.map(({ string, maxWidth, maxHeight }) => ({ codec, codecString: string, maxWidth, maxHeight }))
		),
		audio: Object.entries(audio)
			.filter(([, types]) => types.some(plays))
			.map(([codec]) => codec),
		hls: nativeHls || source !== undefined,
		// Browsers mix down by themselves what the device cannot put out.
		maxAudioChannels: 8
	};
}

let known: Capabilities | undefined;

/** What this browser can play. */
export function capabilities(): Capabilities {
	if (known) return known;
	const probe = document.createElement('video');
	const Source =
		window.MediaSource ?? (window as { ManagedMediaSource?: typeof MediaSource }).ManagedMediaSource;
	return (known = capabilitiesOf({
		canPlay: (type) => probe.canPlayType(type),
		source: Source ? (type) => Source.isTypeSupported(type) : undefined
	}));
}
