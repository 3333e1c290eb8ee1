import { tick } from 'svelte';
import { asProblem, type Problem } from './api/problem';

/**
 * A form under way: one request at a time, its errors at the fields that they are about (errors[].path), and the focus on the first of them.
 * @param paths the fields that the form shows errors at; what is wrong elsewhere stands at its foot
 */
export class Form {
	busy = $state(false);
	problem = $state<Problem>();
	/** What the form itself found, by field. */
	found = $state<Record<string, string>>({});
	/** When the next try is allowed, in milliseconds since 1970; 0 for at once. */
	until = $state(0);

	constructor(private readonly paths: readonly string[] = []) {}

	/** What is wrong with a field, in words. */
	at = (path: string): string | undefined => this.found[path] ?? this.problem?.fields[path];

	/** What is wrong with none of the form's fields. */
	get rest(): Problem | undefined {
		return this.problem && !this.paths.some((path) => this.problem?.fields[path]) ? this.problem : undefined;
	}

	clear() {
		this.problem = undefined;
		this.found = {};
	}

	/** Runs `work` unless one runs; true when it was done. `check` returns what is wrong before anything is sent. */
	async run(work: () => unknown, check?: () => Record<string, string | undefined | false>): Promise<boolean> {
		if (this.busy) return false;
		this.clear();
		this.found = Object.fromEntries(
			Object.entries(check?.() ?? {}).filter((e): e is [string, string] => !!e[1])
		);
		if (Object.keys(this.found).length) return false;
		this.busy = true;
		try {
			await work();
			return true;
		} catch (error) {
			this.problem = asProblem(error);
			if (this.problem.status === 429) this.until = Date.now() + (this.problem.retryAfter ?? 30) * 1000;
			return false;
		} finally {
			this.busy = false;
		}
	}

	/** For onsubmit. */
	submit =
		(work: () => unknown, check?: () => Record<string, string | undefined | false>) =>
		async (event: SubmitEvent) => {
			event.preventDefault();
			const form = event.currentTarget as HTMLFormElement;
			if (await this.run(work, check)) return;
			await tick();
			const first =
				form.querySelector<HTMLElement>('[aria-invalid=true]') ??
				form.querySelector<HTMLElement>('[data-first]');
			first?.focus();
		};
}
