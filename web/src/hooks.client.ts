import type { HandleClientError } from '@sveltejs/kit';
import { asProblem } from '$lib/api/problem';
import { m } from '$lib/paraglide/messages';

/** Errors of loading a page say what the server said, not "Internal Error". */
export const handleError: HandleClientError = ({ error, status, message }) => {
	if (status === 404) return { message };
	const problem = asProblem(error);
	return { message: problem.offline ? m.error_offline() : problem.message };
};
