import { toast } from 'svelte-sonner';
import { asProblem } from './api/problem';
import { problemText } from './problems';

/** Does one thing at the press of a button and says how it went; true when it was done. A question that was waved away says nothing. */
export async function attempt(work: () => Promise<unknown>, said?: string): Promise<boolean> {
	try {
		await work();
		if (said) toast(said);
		return true;
	} catch (error) {
		const problem = asProblem(error);
		if (!['auth.reauthentication_required', 'mfa.second_factor_required'].includes(problem.code))
			toast.error(problemText(problem));
		return false;
	}
}
