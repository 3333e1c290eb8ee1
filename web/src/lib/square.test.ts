import { expect, test } from 'vitest';
import { cut } from './square';

test.each([
	[1600, 900, 1, { x: 0.5, y: 0.5 }, { x: 350, y: 0, side: 900 }],
	[900, 1600, 1, { x: 0.5, y: 0 }, { x: 0, y: 0, side: 900 }],
	[1600, 900, 2, { x: 1, y: 1 }, { x: 1150, y: 450, side: 450 }],
	[100, 100, 0.5, { x: 0.5, y: 0.5 }, { x: 0, y: 0, side: 100 }]
])('%d x %d at %d keeps the frame full', (width, height, zoom, centre, square) =>
	expect(cut(width, height, zoom, centre)).toEqual(square)
);
