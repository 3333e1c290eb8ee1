import type { MediaFile, PlaybackVersion, Reason } from '$lib/api/types';
import { channels, codecName } from '$lib/format';
import { m } from '$lib/paraglide/messages';

/** "HEVC in Matroska, AAC 5.1, 4 subtitles": what a version is made of. */
export function describeFile(file: MediaFile): string {
	const media = file.media;
	if (!media) return '';
	const picture = media.video.find((v) => !v.attachedPicture);
	const sound = media.audio.find((a) => a.default) ?? media.audio[0];
	const subtitles = media.subtitles.length + (file.sidecars?.length ?? 0);
	return [
		picture && m.codec_in({ codec: codecName(picture.codec), container: codecName(media.container) }),
		sound && `${codecName(sound.codec)} ${channels(sound.channels)}`,
		media.audio.length > 1 && m.sound_tracks({ n: media.audio.length }),
		subtitles && (subtitles === 1 ? m.subtitle_one() : m.subtitle_count({ n: subtitles }))
	]
		.filter(Boolean)
		.join(', ');
}

/** How a version reaches this browser, in a sentence. */
export function describeMethod(version: Pick<PlaybackVersion, 'method' | 'reasons'>): string {
	switch (version.method) {
		case 'direct':
			return m.method_direct();
		case 'remux':
			return m.method_remux();
		case 'audio-encode':
			return m.method_audio();
		case 'unplayable':
			return version.reasons.map(describeReason).join(' ') || m.method_unplayable();
	}
}

/** A reason in the language of the interface where its code is known, else as the server says it. */
export function describeReason({ code, message }: Reason): string {
	if (code === 'playback.transcode_required') {
		const codec = /codec (\S+)/.exec(message)?.[1];
		if (codec) return m.reason_transcode({ codec: codecName(codec.replace(/[.,;:]$/, '')) });
	}
	return message;
}

/** The name of a version; the picture's size where it has none of its own. */
export const versionName = (version: { label: string }, file?: MediaFile) =>
	pictureName(version.label) || file?.version || pictureName(file?.resolution) || m.version_only();

/** "4K", "1080p", "SD"; any other name as it is. */
export const pictureName = (resolution: string | undefined) =>
	resolution === '2160p' ? '4K' : resolution === '4320p' ? '8K' : (resolution ?? '').replace(/^sd$/, 'SD');
