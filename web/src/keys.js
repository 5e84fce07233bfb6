/** Keys of the page that is shown: the last handler that was put in place is asked first. */
const handlers = [];

/** `handler(event)` says whether the key meant something. The answer takes it away again. */
export function onKey(handler) {
  handlers.unshift(handler);
  return () => handlers.splice(handlers.indexOf(handler), 1);
}

export const press = (event) => handlers.some((handler) => handler(event));
