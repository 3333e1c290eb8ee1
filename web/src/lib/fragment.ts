/** What a link carries behind its "#", which no server sees. It does not stay in the address, nor in the history. */
export function takeFragment(): URLSearchParams {
	const values = new URLSearchParams(location.hash.slice(1));
	if (location.hash) history.replaceState(history.state, '', location.pathname + location.search);
	return values;
}
