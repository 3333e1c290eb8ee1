import type { Why } from './api/client';

/** Whether somebody is being asked who they are: the dialog is drawn once, requests that need the answer wait for it together. */
class ProofStore {
	why = $state<Why>();
	#answer: ((given: boolean) => void) | undefined;
	#waiting: Promise<boolean> | undefined;

	ask(why: Why): Promise<boolean> {
		this.#waiting ??= new Promise<boolean>((resolve) => {
			this.#answer = resolve;
			this.why = why;
		});
		return this.#waiting;
	}

	/** Ends the question: true when the server has taken the proof. */
	done(given: boolean) {
		this.why = undefined;
		this.#answer?.(given);
		this.#answer = this.#waiting = undefined;
	}
}

export const proof = new ProofStore();
