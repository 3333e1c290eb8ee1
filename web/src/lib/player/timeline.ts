import type { Chapter } from '$lib/api/types';

/** One file of a film that may have several. Seconds. */
export interface Part {
	start: number;
	duration: number;
	chapters: Chapter[];
}

/** A film's parts as one axis from 0 to the sum of all. */
export class Timeline<P extends Part = Part> {
	readonly parts: readonly P[];
	readonly duration: number;
	readonly chapters: readonly Chapter[];

	constructor(parts: readonly P[]) {
		this.parts = parts;
		this.duration = parts.reduce((end, p) => Math.max(end, p.start + p.duration), 0);
		this.chapters = parts.flatMap((p) => p.chapters).sort((a, b) => a.start - b.start);
	}

	/** The part that plays at a position of the film, and the time within it. */
	at(position: number): { index: number; time: number } {
		const inside = Math.min(Math.max(0, position), Math.max(0, this.duration - 0.25));
		let index = this.parts.findLastIndex((p) => p.start <= inside + 1e-6);
		if (index < 0) index = 0;
		return { index, time: Math.max(0, inside - (this.parts[index]?.start ?? 0)) };
	}

	/** The film's position for a time within a part. */
	position(index: number, time: number): number {
		return Math.min(this.duration, (this.parts[index]?.start ?? 0) + Math.max(0, time));
	}

	/** Whether a part is followed by another. */
	hasNext = (index: number) => index + 1 < this.parts.length;

	/** The chapter at a position. */
	chapter(position: number): { number: number; chapter: Chapter } | undefined {
		const index = this.chapters.findLastIndex((c) => c.start <= position + 0.05);
		const chapter = this.chapters[index];
		return chapter && { number: index + 1, chapter };
	}

	/** Start of the chapter after a position. */
	nextChapter = (position: number) => this.chapters.find((c) => c.start > position + 0.5)?.start;

	/** Start of this chapter, or of the one before when this one has just begun. */
	previousChapter = (position: number) => this.chapters.findLast((c) => c.start < position - 3)?.start ?? 0;

	/**
	 * The stretches that the scrubber is drawn in: chapters, or parts where there are none. They cover the axis
	 * without holes.
	 */
	segments(): { start: number; end: number }[] {
		const cuts = new Set<number>([0]);
		for (const c of this.chapters) cuts.add(c.start);
		for (const p of this.parts) cuts.add(p.start);
		const starts = [...cuts].filter((t) => t >= 0 && t < this.duration - 0.5).sort((a, b) => a - b);
		const apart = starts.filter((t, i) => i === 0 || t - starts[i - 1]! > 0.5);
		return apart.map((start, i) => ({ start, end: apart[i + 1] ?? this.duration }));
	}
}

/** How much of [start, end) lies before a position, 0–1. */
export const filled = (start: number, end: number, position: number) =>
	end <= start ? 0 : Math.min(1, Math.max(0, (position - start) / (end - start)));
