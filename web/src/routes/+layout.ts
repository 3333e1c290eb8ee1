// One page application: the server only hands out files, everything is drawn in the browser.
export const ssr = false;
export const prerender = false;
