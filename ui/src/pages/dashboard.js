export function dashboard() { return {}; }
