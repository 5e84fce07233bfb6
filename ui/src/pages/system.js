export function system() { return {}; }
