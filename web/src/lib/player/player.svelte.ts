import type Hls from 'hls.js';
import {
	api,
	asProblem,
	Problem,
	type Playback,
	type PlaybackAudio,
	type PlaybackPart,
	type PlaybackSubtitle
} from '$lib/api';
import { connection } from '$lib/connection.svelte';
import { m } from '$lib/paraglide/messages';
import { recall, remember } from '$lib/stored';
import { capabilities } from './capabilities';
import { cuesAt, parseVtt, type Cue } from './cues';
import { Timeline } from './timeline';

/** How often the position is saved while the film runs, in milliseconds. */
const saveEvery = 10_000;
/** How long the picture may stand still before the server is asked whether it is there, in milliseconds. */
const patience = 4_000;

type Selected = NonNullable<Playback['selected']>;

/** The same track in another part of the film: by language and title, else by place. */
function counterpart<T extends { language?: string; title?: string }>(wanted: T, place: number, among: T[]) {
	return (
		among.find((t) => t.language === wanted.language && t.title === wanted.title) ??
		among.find((t) => t.language === wanted.language) ??
		among[place]
	);
}

/**
 * Plays one film: its parts as one axis, directly or by hls.js, with its own subtitles. Positions are seconds on the
 * whole film. All state is reactive; the element is given by `attach`.
 */
export class Player {
	readonly movieId: string;
	playback: Playback;
	#selected: Selected;
	timeline = $state.raw<Timeline<PlaybackPart>>(new Timeline([]));

	index = $state(0);
	part = $derived<PlaybackPart | undefined>(this.timeline.parts[this.index]);
	duration = $derived(this.timeline.duration);
	position = $state(0);
	paused = $state(true);
	waiting = $state(true);
	ended = $state(false);
	/** Where the loaded stretch around the position ends. */
	buffered = $state(0);
	volume = $state(recall('volume', 1));
	muted = $state(recall('muted', false));
	rate = $state(1);
	/** The server does not answer: the frame stays and playing goes on when it is back. */
	lost = $state(false);
	/** What ended playing for good. */
	failed = $state<Problem>();
	/** The browser wants a press before it plays sound. */
	blocked = $state(false);

	audio = $state<PlaybackAudio>();
	subtitle = $state<PlaybackSubtitle>();
	cues = $state.raw<Cue[]>([]);
	showing = $derived(cuesAt(this.cues, this.position - (this.part?.start ?? 0)));

	#video: HTMLVideoElement | undefined;
	#hls: Hls | undefined;
	/** Grows with every load, so that what an older one awaited does nothing. */
	#load = 0;
	#seeking: number | undefined;
	#recovered = 0;
	#forceHls = false;
	#renewed = 0;
	#kept: boolean;
	#lastSaved = -1;
	#savedAt = 0;
	#stall: ReturnType<typeof setTimeout> | undefined;
	#frame = 0;
	#lastSubtitle: PlaybackSubtitle | undefined;
	#wake: WakeLockSentinel | undefined;
	#gone = new AbortController();

	/** @param kept whether the account remembers the position: not of extras */
	constructor(playback: Playback, selected: Selected, kept = true) {
		this.movieId = playback.movieId;
		this.#kept = kept;
		this.playback = playback;
		this.#selected = selected;
		this.timeline = new Timeline(selected.parts);
		const first = selected.parts[0];
		this.audio = first?.audio.find((a) => a.selected) ?? first?.audio[0];
		this.subtitle = first?.subtitles.find((s) => s.selected);
	}

	/** Takes the element and starts at a position. Returns what ends everything. */
	attach(video: HTMLVideoElement, position: number): () => void {
		this.#video = video;
		const on = (name: string, handle: () => void) =>
			video.addEventListener(name, handle, { signal: this.#gone.signal });
		on('play', () => {
			this.paused = false;
			this.ended = false;
			this.blocked = false;
			void this.#keepAwake();
			this.#tick();
		});
		on('pause', () => {
			this.paused = true;
			void this.#wake?.release();
			if (!video.ended) this.save(true);
		});
		on('timeupdate', () => this.#read());
		on('seeked', () => {
			this.#seeking = undefined;
			this.#read();
		});
		on('progress', () => this.#readBuffered());
		on('playing', () => this.#moving());
		on('canplay', () => this.#moving());
		for (const name of ['waiting', 'stalled', 'seeking']) on(name, () => this.#standing());
		on('ended', () => this.#finished());
		on('volumechange', () => {
			this.volume = video.volume;
			this.muted = video.muted;
			remember('volume', video.volume);
			remember('muted', video.muted);
		});
		on('ratechange', () => (this.rate = video.playbackRate));
		on('error', () => void this.#broken());
		video.volume = this.volume;
		video.muted = this.muted;
		const hide = () => document.visibilityState === 'hidden' && this.save(this.paused, true);
		document.addEventListener(
			'visibilitychange',
			() => {
				hide();
				if (document.visibilityState === 'visible' && !this.paused) void this.#keepAwake();
			},
			{ signal: this.#gone.signal }
		);
		addEventListener('pagehide', () => this.save(true, true), { signal: this.#gone.signal });
		void this.start(position, true);
		return () => this.destroy();
	}

	destroy() {
		this.save(true, true);
		this.#gone.abort();
		this.#load++;
		clearTimeout(this.#stall);
		cancelAnimationFrame(this.#frame);
		this.#hls?.destroy();
		void this.#wake?.release();
		this.#video?.removeAttribute('src');
		this.#video?.load();
	}

	/** Loads the part of a position and goes there. */
	async start(position: number, play: boolean) {
		const video = this.#video;
		if (!video) return;
		const load = ++this.#load;
		const { index, time } = this.timeline.at(position);
		const part = this.timeline.parts[index];
		const url = part?.url;
		if (!part || !url) return;
		this.failed = undefined;
		this.waiting = true;
		this.ended = false;
		this.index = index;
		this.position = this.timeline.position(index, time);
		this.#seeking = this.position;
		this.#hls?.destroy();
		this.#hls = undefined;
		this.#matchTracks(part);
		void this.#loadCues();

		const arrive = () => {
			if (load !== this.#load) return;
			if (time > 0 && Math.abs(video.currentTime - time) > 0.3) video.currentTime = time;
			else this.#seeking = undefined;
			video.playbackRate = this.rate;
			if (play)
				video.play().catch((error: DOMException) => {
					if (error.name === 'NotAllowedError') this.blocked = true;
				});
		};
		clearTimeout(this.#stall);
		this.#stall = undefined;
		this.#standing();
		if (part.method === 'direct') {
			video.src = url;
			video.addEventListener('loadedmetadata', arrive, { once: true, signal: this.#gone.signal });
			return;
		}
		const { default: HlsClass } = await import('hls.js');
		if (load !== this.#load) return;
		if (!HlsClass.isSupported()) {
			video.src = url;
			video.addEventListener('loadedmetadata', arrive, { once: true, signal: this.#gone.signal });
			return;
		}
		const hls = new HlsClass({
			startPosition: time,
			maxBufferLength: 60,
			backBufferLength: 90,
			// Our own text: cues rise above the controls and are styled by the page.
			renderTextTracksNatively: false,
			enableWebVTT: false,
			enableIMSC1: false,
			enableCEA708Captions: false
		});
		this.#hls = hls;
		hls.on(HlsClass.Events.ERROR, (_, data) => {
			if (!data.fatal || load !== this.#load) return;
			if (data.type === HlsClass.ErrorTypes.NETWORK_ERROR) void this.#network(data.response?.code ?? 0);
			else if (data.type === HlsClass.ErrorTypes.MEDIA_ERROR && this.#recovered++ < 3)
				hls.recoverMediaError();
			else this.#give(m.player_broken({ why: data.details }));
		});
		hls.on(HlsClass.Events.AUDIO_TRACKS_UPDATED, () => this.#applyAudio());
		hls.on(HlsClass.Events.MANIFEST_PARSED, arrive);
		hls.loadSource(url);
		hls.attachMedia(video);
	}

	play() {
		const video = this.#video;
		if (!video) return;
		if (this.ended) void this.start(0, true);
		else
			video.play().catch((error: DOMException) => {
				if (error.name === 'NotAllowedError') this.blocked = true;
			});
	}
	pause = () => this.#video?.pause();
	toggle() {
		// The element knows before its event has come.
		if (this.#video?.paused) this.play();
		else this.pause();
	}

	/** Goes to a position, in whatever part it lies. */
	seek(position: number) {
		const video = this.#video;
		if (!video) return;
		const to = Math.min(Math.max(0, position), Math.max(0, this.duration - 0.25));
		const { index, time } = this.timeline.at(to);
		if (index !== this.index || this.ended || this.failed) {
			void this.start(to, !this.paused || this.ended);
			return;
		}
		this.position = to;
		this.#seeking = to;
		video.currentTime = time;
	}
	/** Steps one frame of 24 a second: what the element cannot tell better. */
	step(by: 1 | -1) {
		this.pause();
		this.seek(this.position + by / 24);
	}
	setVolume(to: number) {
		if (!this.#video) return;
		this.#video.volume = Math.min(1, Math.max(0, to));
		this.#video.muted = this.#video.volume === 0;
	}
	toggleMute() {
		if (this.#video) this.#video.muted = !this.#video.muted;
	}
	setRate(to: number) {
		if (this.#video) this.#video.playbackRate = to;
		this.rate = to;
	}

	/** Chooses a sound track; the account remembers its language. */
	async chooseAudio(track: PlaybackAudio) {
		if (track.method === 'unplayable') return;
		this.audio = track;
		if (track.language) void api.preferences.set({ audioLanguage: track.language }).catch(() => {});
		if (this.#hls) {
			this.#applyAudio();
			return;
		}
		if (this.part && this.part.audio.length > 1) await this.#repackaged();
	}

	/** Chooses subtitles, or none; the account remembers it. */
	async chooseSubtitle(track: PlaybackSubtitle | undefined) {
		if (track && !track.text) return;
		if (this.subtitle) this.#lastSubtitle = this.subtitle;
		this.subtitle = track;
		void api.preferences
			.set(
				track
					? { subtitleMode: 'on', ...(track.language ? { subtitleLanguage: track.language } : {}) }
					: { subtitleMode: 'off' }
			)
			.catch(() => {});
		await this.#loadCues();
	}
	/** On with the last ones, or off. */
	toggleSubtitles() {
		const choices = this.part?.subtitles.filter((s) => s.text) ?? [];
		void this.chooseSubtitle(
			this.subtitle ? undefined : (choices.find((s) => s.id === this.#lastSubtitle?.id) ?? choices[0])
		);
	}
	/** The sound track after this one. */
	nextAudio(): PlaybackAudio | undefined {
		const tracks = this.part?.audio.filter((a) => a.method !== 'unplayable') ?? [];
		const next = tracks[(tracks.findIndex((a) => a.index === this.audio?.index) + 1) % tracks.length];
		if (next && tracks.length > 1) void this.chooseAudio(next);
		return next;
	}

	/** Tells the server where the film stands. */
	save(paused: boolean, keepalive = false) {
		const position = Math.round(this.position * 10) / 10;
		if (!this.#kept || !this.part || position === this.#lastSaved || (position < 1 && this.#lastSaved < 0))
			return;
		this.#lastSaved = position;
		this.#savedAt = Date.now();
		api.movies
			.saveProgress(
				this.movieId,
				{ position, duration: Math.round(this.duration * 10) / 10, fileId: this.part.fileId, paused },
				keepalive
			)
			.catch(() => (this.#lastSaved = -1));
	}

	#tick() {
		cancelAnimationFrame(this.#frame);
		const step = () => {
			if (this.paused || this.#gone.signal.aborted) return;
			this.#read();
			this.#frame = requestAnimationFrame(step);
		};
		this.#frame = requestAnimationFrame(step);
	}

	#read() {
		const video = this.#video;
		if (!video || this.#seeking !== undefined) return;
		const position = this.timeline.position(this.index, video.currentTime);
		if (Math.abs(position - this.position) > 0.04) this.position = position;
		if (!this.paused && Date.now() - this.#savedAt > saveEvery) {
			this.#savedAt ||= Date.now();
			this.save(false);
		}
		if (!video.seeking && video.readyState >= 3) this.#moving();
	}

	#readBuffered() {
		const video = this.#video;
		if (!video) return;
		for (let i = 0; i < video.buffered.length; i++)
			if (video.buffered.start(i) <= video.currentTime + 0.5 && video.buffered.end(i) >= video.currentTime)
				this.buffered = this.timeline.position(this.index, video.buffered.end(i));
	}

	#moving() {
		if (this.#stall === undefined && !this.waiting && !this.lost) return;
		clearTimeout(this.#stall);
		this.#stall = undefined;
		this.waiting = false;
		this.lost = false;
		this.#recovered = 0;
	}

	/** The picture stands still: after a while, find out whether the server is there at all. */
	#standing() {
		const video = this.#video;
		if (!video || (video.readyState >= 3 && !video.seeking && !this.waiting)) return;
		this.waiting = true;
		this.#stall ??= setTimeout(async () => {
			this.#stall = undefined;
			try {
				await fetch('/healthz', { cache: 'no-store', signal: AbortSignal.timeout(patience) });
			} catch {
				if (!this.#gone.signal.aborted && this.waiting) await this.#network(0);
			}
		}, patience);
	}

	async #finished() {
		if (this.timeline.hasNext(this.index)) {
			// A part may end a little before its stated duration; the next one starts at its own beginning.
			await this.start((this.timeline.parts[this.index + 1]?.start ?? 0) + 0.001, true);
			return;
		}
		this.position = this.duration;
		this.ended = true;
		this.waiting = false;
		this.save(true);
	}

	/** Something did not arrive: wait for the server, or for what changed there. */
	async #network(status: number) {
		const load = this.#load;
		if (status === 401) {
			await api.me().catch(() => {});
			return;
		}
		if (status === 404 || status === 410 || status === 409) {
			await this.#renew();
			return;
		}
		this.lost = true;
		if (status === 0) await connection.back();
		else await new Promise((resolve) => setTimeout(resolve, 3000));
		if (load !== this.#load || this.#gone.signal.aborted) return;
		this.lost = false;
		if (this.#hls) this.#hls.startLoad();
		else await this.start(this.position, !this.paused);
	}

	/** The element gave up on a file that it plays by itself. */
	async #broken() {
		const video = this.#video;
		const part = this.part;
		if (!video?.error || !part?.url || this.#hls) return;
		const status = await fetch(part.url, { headers: { Range: 'bytes=0-0' }, cache: 'no-store' }).then(
			(r) => r.status,
			() => 0
		);
		if (this.#gone.signal.aborted) return;
		if (status < 200 || status >= 300) await this.#network(status);
		else if (!this.#forceHls) await this.#repackaged();
		else this.#give(m.player_broken({ why: video.error.message || String(video.error.code) }));
	}

	/** Asks for the same film repackaged: for another sound track, or where the file itself does not play. */
	async #repackaged() {
		this.#forceHls = true;
		await this.#renew();
	}

	/** Asks again how the film plays, and goes on at the same place. */
	async #renew() {
		if (this.#renewed++ > 3) {
			this.#give(m.player_changed());
			return;
		}
		const could = capabilities();
		try {
			const answer = await api.movies.playback(this.movieId, {
				capabilities: this.#forceHls ? { ...could, containers: [] } : could,
				version: this.#selected.key
			});
			if (this.#gone.signal.aborted) return;
			if (!answer.selected) {
				this.#give(m.player_changed());
				return;
			}
			const before = this.audio;
			this.playback = answer;
			this.#selected = answer.selected;
			this.timeline = new Timeline(answer.selected.parts);
			const part = this.timeline.parts[this.timeline.at(this.position).index];
			this.audio = part?.audio.find((a) => a.index === before?.index) ?? part?.audio.find((a) => a.selected);
			await this.start(this.position, !this.paused);
		} catch (error) {
			this.#give(asProblem(error).message);
		}
	}

	#give(message: string) {
		this.failed = new Problem({ status: 0, code: 'player.failed', message });
		this.waiting = false;
		this.#hls?.destroy();
		this.#hls = undefined;
	}

	#matchTracks(part: PlaybackPart) {
		const audio = this.audio;
		if (audio && !part.audio.includes(audio)) {
			const place = part.audio.findIndex((a) => a.index === audio.index);
			this.audio = counterpart(audio, place, part.audio) ?? part.audio[0];
		}
		const subtitle = this.subtitle;
		if (subtitle && !part.subtitles.includes(subtitle)) {
			const found = part.subtitles.filter((s) => s.forced === subtitle.forced);
			this.subtitle = counterpart(subtitle, -1, found);
		}
	}

	#applyAudio() {
		const hls = this.#hls;
		const wanted = this.audio;
		if (!hls || !wanted) return;
		const track =
			hls.audioTracks.find((t) => t.name === wanted.name) ??
			hls.audioTracks[this.part?.audio.filter((a) => a.method !== 'unplayable').indexOf(wanted) ?? -1];
		if (track && hls.audioTrack !== track.id) hls.audioTrack = track.id;
	}

	async #loadCues() {
		const wanted = this.subtitle;
		this.cues = [];
		if (!wanted?.url) return;
		try {
			const answer = await fetch(wanted.url, { credentials: 'same-origin', signal: this.#gone.signal });
			if (!answer.ok) throw new Error(`${answer.status}`);
			const cues = parseVtt(await answer.text());
			if (this.subtitle === wanted) this.cues = cues;
		} catch {
			if (!this.#gone.signal.aborted && this.subtitle === wanted) this.subtitle = undefined;
		}
	}

	async #keepAwake() {
		try {
			if (!this.#wake || this.#wake.released) this.#wake = await navigator.wakeLock?.request('screen');
		} catch {
			// Refused, for instance on low battery: the film plays all the same.
		}
	}
}
