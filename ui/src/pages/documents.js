export function documents() { return {}; }
