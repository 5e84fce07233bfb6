/** What is done one at a time. */

/** `run`, which gives `undefined` at once while it is under way already. */
export function single(run) {
  let underWay = false;
  return async (...given) => {
    if (underWay) return undefined;
    underWay = true;
    try {
      return await run(...given);
    } finally {
      underWay = false;
    }
  };
}
