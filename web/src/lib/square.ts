/** A square cut out of a picture, in the picture's pixels. */
export interface Square {
	x: number;
	y: number;
	side: number;
}

/**
 * The square that is seen when a picture fills a frame, is enlarged `zoom` times (1 or more) and moved.
 * @param centre what lies in the middle of the frame, in fractions of the picture; kept so that the frame stays full
 */
export function cut(width: number, height: number, zoom: number, centre: { x: number; y: number }): Square {
	const side = Math.min(width, height) / Math.max(1, zoom);
	const within = (at: number, size: number) => Math.min(size - side, Math.max(0, at * size - side / 2));
	return { x: within(centre.x, width), y: within(centre.y, height), side };
}
