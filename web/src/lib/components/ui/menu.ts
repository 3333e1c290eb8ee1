/** The look of every menu: a floating panel with 44 px rows. */
export const menuPanel =
	'panel z-50 min-w-56 rounded-panel bg-raise1 p-2 outline-none [box-shadow:var(--float)]';
export const menuItem =
	'flex min-h-11 cursor-pointer items-center gap-3 rounded-field px-3 text-[.9375rem] font-medium outline-none select-none data-highlighted:bg-fill data-highlighted:outline-2 data-highlighted:outline-ink';
