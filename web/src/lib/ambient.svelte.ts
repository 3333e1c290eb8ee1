import { ambientOf, nearestHue, neutral, type Ambient } from './colour';

/** The hue of the film that is shown: one at a time, faded by the registered properties --h and --k. */
class AmbientStore {
	now = $state<Ambient>(neutral);
	#hue = neutral.h;

	/** Takes the ground's hue from a picture; without one the ground is neutral. */
	film(thumbhash: string | undefined) {
		this.#apply(ambientOf(thumbhash));
	}

	neutral() {
		this.#apply(neutral);
	}

	#apply(to: Ambient) {
		this.now = to;
		this.#hue = nearestHue(this.#hue, to.h);
		const style = document.documentElement.style;
		style.setProperty('--h', this.#hue.toFixed(1));
		style.setProperty('--k', to.k.toFixed(3));
	}
}

export const ambient = new AmbientStore();
