/** One component of a page, put together from parts that hold one idea each. */

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
