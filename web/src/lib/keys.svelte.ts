import { recall, remember } from './stored';

/** The list of keys. */
export const help = $state({ open: false });

/** Whether single letters are shortcuts: they can be off (WCAG 2.2, 2.1.4). */
export const letters = (() => {
	let on = $state(recall('letters', true));
	return {
		get on() {
			return on;
		},
		set on(to: boolean) {
			on = to;
			remember('letters', to);
		}
	};
})();

/** Whether a key press goes to something that takes text or has keys of its own. */
export function typing(event: KeyboardEvent): boolean {
	const target = event.target as HTMLElement | null;
	return (
		!!target?.closest(
			'input:not([type=checkbox],[type=radio],[type=range]), textarea, select, [contenteditable]'
		) || !!document.querySelector('[role=menu][data-state=open]')
	);
}
