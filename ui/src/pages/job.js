export function job() { return {}; }
