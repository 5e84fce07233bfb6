/** Where a page is scrolled to is kept with its address, so that Back, Forward and a reload come to the
 * same place. What a page shows is asked for first: it is scrolled as soon as it is long enough.
 */
const SETTLED_MS = 100;
const PATIENCE_MS = 5_000;
const BY_HAND = ["wheel", "touchstart", "pointerdown", "keydown"];

let timer = null;
let coming = null;

/** Keep facts with this address, for who comes back to it. */
export const remember = (facts) => history.replaceState({ ...history.state, ...facts }, "");
export const remembered = (name) => history.state?.[name];

/** Keep how far the page is scrolled, now: it is about to be left. */
export function keepPlace() {
  clearTimeout(timer);
  if (!coming) remember({ y: scrollY });
}

/** Scroll to where this address was left, unless somebody scrolls before it is long enough. */
export function comeBack() {
  clearTimeout(timer);
  coming?.();
  const y = remembered("y");
  if (y === undefined) return;
  const sizes = new ResizeObserver(() => {
    scrollTo({ top: y, behavior: "instant" });
    if (Math.abs(scrollY - y) < 2) end();
  });
  const end = () => {
    coming = null;
    sizes.disconnect();
    clearTimeout(late);
    BY_HAND.forEach((event) => removeEventListener(event, end));
  };
  const late = setTimeout(end, PATIENCE_MS);
  BY_HAND.forEach((event) => addEventListener(event, end, { passive: true }));
  coming = end;
  sizes.observe(document.body);
}

export function startScroll() {
  history.scrollRestoration = "manual";
  addEventListener(
    "scroll",
    () => {
      clearTimeout(timer);
      timer = setTimeout(keepPlace, SETTLED_MS);
    },
    { passive: true },
  );
  addEventListener("pagehide", keepPlace);
}
