/** Keys of the page that is shown: the last handler that was put in place is asked first. */
const handlers = [];

/** `handler(event)` says whether the key meant something. The answer takes it away again. */
export function onKey(handler) {
  handlers.unshift(handler);
  return () => handlers.splice(handlers.indexOf(handler), 1);
}

export const press = (event) => handlers.some((handler) => handler(event));

const LISTED = "main table tbody tr, main .tree-row, main ul[x-ref] > li, main ol[x-ref] > li";
const TAKES_FOCUS = "a[href], summary, button, input";

/** In lists that have no keys of their own, to the next or the previous row: to its link, or else to
 * the first thing in it that takes the focus.
 */
export function stepRows(by) {
  const rows = [...document.querySelectorAll(LISTED)].filter((row) => row.checkVisibility() && row.querySelector(TAKES_FOCUS));
  if (!rows.length) return false;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[at < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, at + by))];
  const goal = row.querySelector("a[href]") ?? row.querySelector(TAKES_FOCUS);
  goal.focus();
  row.scrollIntoView({ block: "nearest" });
  return true;
}

/** To the search of the page: that of a log, where one is open; the search of documents elsewhere. */
export function toSearch(elsewhere) {
  const fields = [...document.querySelectorAll("[data-search], .log-search input")];
  const field = fields.filter((each) => each.checkVisibility()).at(-1);
  if (field) field.focus();
  else elsewhere();
}
