/** A path of this site from an address parameter; anything else becomes the home page (S14). */
export const localPath = (next: string | null) => (next && /^\/(?![/\\])/.test(next) ? next : '/');
