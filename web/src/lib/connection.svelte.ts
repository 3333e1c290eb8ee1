/** Whether the server answers. While it does not, a bar says so and a light request asks every few seconds. */
class Connection {
	online = $state(true);
	#timer: ReturnType<typeof setTimeout> | undefined;
	#waiting = new Set<() => void>();

	/** Called by every request that did not reach the server. */
	lost() {
		this.online = false;
		this.#timer ??= setTimeout(() => this.#probe(), 2000);
	}

	/** Called by every request that did. */
	found() {
		if (this.online) return;
		this.online = true;
		clearTimeout(this.#timer);
		this.#timer = undefined;
		for (const resume of this.#waiting) resume();
		this.#waiting.clear();
	}

	/** Resolves when the server answers again; asks for it first. */
	back(): Promise<void> {
		this.lost();
		return new Promise((resolve) => this.#waiting.add(resolve));
	}

	async #probe() {
		this.#timer = undefined;
		try {
			await fetch('/healthz', { cache: 'no-store' });
			this.found();
		} catch {
			this.lost();
		}
	}
}

export const connection = new Connection();
