export function workers() { return {}; }
