export function reference() { return {}; }
