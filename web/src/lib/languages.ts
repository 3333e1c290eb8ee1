import { getLocale } from './paraglide/runtime';

/** Bibliographic ISO 639-2 codes that differ from the terminology codes which BCP 47 knows. */
const bibliographic: Record<string, string> = {
	alb: 'sqi', arm: 'hye', baq: 'eus', bur: 'mya', chi: 'zho', cze: 'ces', dut: 'nld', fre: 'fra', geo: 'kat',
	ger: 'deu', gre: 'ell', ice: 'isl', mac: 'mkd', mao: 'mri', may: 'msa', per: 'fas', rum: 'ron', slo: 'slk',
	tib: 'bod', wel: 'cym'
}; // prettier-ignore

function name(code: string, locale: string): string | undefined {
	try {
		const tag = bibliographic[code] ?? code;
		const found = new Intl.DisplayNames([locale], { type: 'language', fallback: 'none' }).of(tag);
		return found && found.charAt(0).toLocaleUpperCase(locale) + found.slice(1);
	} catch {
		return undefined;
	}
}

/** A language code's name in the language of the interface; the code itself when it is unknown. */
export const languageName = (code: string) => name(code, getLocale()) ?? code;

/** A language's name in that language, as track menus show it. */
export const nativeName = (code: string) => name(code, bibliographic[code] ?? code) ?? languageName(code);

/** BCP 47 tag for a lang attribute; undefined when the code is no language. */
export function languageTag(code: string | undefined): string | undefined {
	if (!code || code === 'und') return undefined;
	try {
		return Intl.getCanonicalLocales(bibliographic[code] ?? code)[0];
	} catch {
		return undefined;
	}
}

/** The languages offered for sound and subtitles, as the containers write them (ISO 639-2/B). */
export const commonLanguages = [
	'eng', 'ger', 'fre', 'spa', 'ita', 'por', 'dut', 'dan', 'swe', 'nor', 'fin', 'ice', 'pol', 'cze', 'slo', 'hun',
	'rum', 'bul', 'gre', 'tur', 'rus', 'ukr', 'hrv', 'srp', 'slv', 'heb', 'ara', 'per', 'hin', 'jpn', 'kor', 'chi',
	'tha', 'vie', 'ind'
]; // prettier-ignore
