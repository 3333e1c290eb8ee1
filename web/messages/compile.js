// Compiles the message catalogues into src/lib/paraglide. The build does it by itself; the type check needs it before.
import { compile } from '@inlang/paraglide-js';
import { fileURLToPath } from 'node:url';

/** One place for the build and the check. The language is a preference of the account and, until then, of the browser. */
export const options = {
	project: './project.inlang',
	outdir: './src/lib/paraglide',
	strategy: ['localStorage', 'preferredLanguage', 'baseLocale'],
	localStorageKey: 'revenge.language'
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await compile(options);
