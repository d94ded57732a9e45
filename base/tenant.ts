/** Whose data it is. Every key and every query carries one; tokens name them, and where there are no tokens there is this one. */
export const DEFAULT_TENANT = 'default';

/** What a tenant may be called: a name that is the same in a path, an object key, a Redis key and a URL. */
export const TENANT = /^[a-z0-9][a-z0-9_-]{0,62}$/;
