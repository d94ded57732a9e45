/** Whose data it is. Every key and every query carries one; until tokens name others there is this one. */
export const DEFAULT_TENANT = 'default';
