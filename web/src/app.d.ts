declare global {
	namespace App {
		interface PageState {
			/** The film that a navigation comes from or goes to, so that its poster can grow into place. */
			film?: string;
		}
	}
}

export {};
