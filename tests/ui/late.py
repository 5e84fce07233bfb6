"""Pages whose answers come late, and not in the order in which they were asked for.

Under a soak all pages of all tests are such; the suite has some.
"""

from __future__ import annotations

SCRIPT = """
(() => {
  let seed = SEED;
  const random = () => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed / 2147483648;
  };
  const real = window.fetch.bind(window);
  const pause = (most) => new Promise((end) => setTimeout(end, random() < 0.4 ? 0 : random() ** 2 * most));
  window.fetch = async (what, init = {}) => {
    await pause(400);
    init.signal?.throwIfAborted();
    const answer = await real(what, init);
    await pause(1_500);
    init.signal?.throwIfAborted();
    return answer;
  };
})();
"""


def late_answers(seed: int) -> str:
    """A script for a page: its answers take up to two seconds more, by a seed."""
    return SCRIPT.replace("SEED", str(seed))
