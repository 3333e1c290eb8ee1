/**
 * The film whose poster grows into its place on its page, or back. Set before a view transition, so that exactly
 * one poster of each page carries the name.
 */
export const travelling = $state<{ film?: string }>({});

/** The film of a route, if it has one. */
export const filmOf = (path: string | undefined) => /^\/movies\/([^/]+)$/.exec(path ?? '')?.[1];
