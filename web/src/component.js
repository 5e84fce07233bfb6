/** Components of pages: how they find their elements, and put together from parts. */

/** A component with `refs`, the elements that its template names. `$refs` are looked for from the element
 * that was clicked, which may have gone by the time of an answer; these are the same from `init` on.
 */
export function rooted(component) {
  const { init } = component;
  let refs = null;
  component.init = function begin() {
    refs = this.$refs;
    return init?.call(this);
  };
  return Object.defineProperty(component, "refs", { get: () => refs });
}

/** An object with all fields, getters and methods of the parts; they see one another by `this`.
 * What the parts have to end is ended by `stopParts()`, which calls the `stop()` of each.
 */
export function together(...parts) {
  const whole = {};
  for (const part of parts) {
    const { stop, ...own } = Object.getOwnPropertyDescriptors(part);
    Object.defineProperties(whole, own);
  }
  whole.stopParts = function stopParts() {
    for (const part of parts) part.stop?.call(this);
  };
  return whole;
}
