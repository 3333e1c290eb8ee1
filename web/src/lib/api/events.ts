import type { Scan } from './types';

interface Events {
	scan: Scan;
	movies: { libraryId: string };
}

/**
 * Listens to the server's events. EventSource connects again by itself; `opened` runs each time it has, because
 * events that happened in between are not repeated. Returns what ends it.
 */
export function listen(
	handlers: { [K in keyof Events]?: (data: Events[K]) => void } & { opened?: () => void }
): () => void {
	const source = new EventSource('/api/v1/admin/events');
	source.addEventListener('open', () => handlers.opened?.());
	for (const name of ['scan', 'movies'] as const)
		source.addEventListener(name, (event) => {
			const handler = handlers[name] as ((data: unknown) => void) | undefined;
			handler?.(JSON.parse((event as MessageEvent<string>).data));
		});
	return () => source.close();
}
