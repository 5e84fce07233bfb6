/** The server's clock, as far as its answers tell it, so that no age is ever negative. */
let offset = 0;

/** Learn from the Date header of an answer, which is exact to a second. */
export function learn(header) {
  const told = Date.parse(header ?? "");
  if (Number.isNaN(told)) return;
  const difference = told + 500 - Date.now();
  offset = Math.abs(difference) > 2000 ? difference : 0;
}

export const now = () => Date.now() + offset;

const listeners = new Set();
let timer = null;

/** Call `each` every second while the page can be seen; the answer ends that. */
export function everySecond(each) {
  listeners.add(each);
  run();
  return () => {
    listeners.delete(each);
    run();
  };
}

function run() {
  const wanted = listeners.size > 0 && !document.hidden;
  if (wanted && timer === null) timer = setInterval(() => listeners.forEach((each) => each()), 1000);
  if (!wanted && timer !== null) {
    clearInterval(timer);
    timer = null;
  }
}

document.addEventListener("visibilitychange", run);

/** `run`, soon after it is asked for, then at most once in so many milliseconds, and never while the
 * run before is under way; `stop()` ends it.
 */
export function paced(run, every = 1000, soon = 150) {
  let timer = null;
  let last = -Infinity;
  let running = false;
  let wanted = false;
  let stopped = false;
  const due = async () => {
    timer = null;
    last = performance.now();
    running = true;
    wanted = false;
    try {
      await run();
    } finally {
      running = false;
      if (wanted) ask();
    }
  };
  const ask = () => {
    if (stopped) return;
    if (running) wanted = true;
    else timer ??= setTimeout(due, Math.max(soon, last + every - performance.now()));
  };
  ask.stop = () => {
    stopped = true;
    clearTimeout(timer);
  };
  return ask;
}
