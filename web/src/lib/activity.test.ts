import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { actionText, activityAreas } from './activity';

test('every action that the server records has words and an area to filter by', () => {
	const source = readFileSync(new URL('../../../core/domain/activity.go', import.meta.url), 'utf8');
	const actions = [...source.matchAll(/Activity\w+\s*=\s*"([a-z]+\.[a-z_]+)"/g)].map(
		(match) => match[1] ?? ''
	);
	expect(actions.length).toBeGreaterThan(40);
	expect(actions.filter((action) => actionText(action) === action)).toEqual([]);
	const areas = new Set(Object.keys(activityAreas));
	expect(actions.map((action) => action.split('.')[0] ?? '').filter((area) => !areas.has(area))).toEqual([]);
});
