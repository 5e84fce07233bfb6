export function dead() { return {}; }
