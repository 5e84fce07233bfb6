/** The HTTP interface: JSON in, JSON out, and every failure as a `Problem` (RFC 9457). */
import { learn } from "./clock.js";

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `The server answered ${status}.`);
    this.status = status;
    this.title = body.title || "The request failed";
    this.errors = body.errors || [];
    this.body = body;
  }
}

const LARGEST_PAGE = 200;

const UNREACHABLE = {
  title: "The server does not answer",
  detail: "It may be restarting; this page tries again by itself.",
};

/** What was asked to be done and not only to be told is not asked again by itself. */
const UNANSWERED = {
  title: "The server does not answer",
  detail: "The server does not answer. Before you do this again, look whether it was done.",
};

/** Numbers that JavaScript would round stay what they were, wherever they are shown again. */
function exact(key, value, context) {
  if (typeof value !== "number" || !context || !JSON.rawJSON) return value;
  const rounded = Number.isInteger(value) && !Number.isSafeInteger(value);
  return rounded ? JSON.rawJSON(context.source) : value;
}

/** `?a=1&b=2&b=3` of an object; empty values are left out, lists are repeated. */
export function query(values) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== "" && each != null) words.append(name, each);
    }
  }
  const text = words.toString();
  return text ? `?${text}` : "";
}

async function ask(path, { method = "GET", body, text, headers = {}, signal, ...options } = {}) {
  const sent = { Accept: "application/json", ...headers };
  if (body !== undefined) {
    sent["Content-Type"] ??=
      method === "PATCH" ? "application/merge-patch+json" : "application/json";
  }
  const init = { method, headers: sent, signal, ...options };
  if (body !== undefined) init.body = JSON.stringify(body);
  if (text !== undefined) init.body = text;
  let answer;
  try {
    answer = await fetch(path, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, method === "GET" ? UNREACHABLE : UNANSWERED);
  }
  learn(answer.headers.get("Date"));
  if (answer.ok) return answer;
  throw new Problem(answer.status, await answer.json().catch(() => ({})));
}

/** The answer's JSON, or null where it has none. */
export async function api(path, options = {}) {
  const answer = await ask(path, options);
  if (answer.status === 204) return null;
  if (!options.exact) return answer.json();
  return JSON.parse(await answer.text(), exact);
}

/** The answer's JSON, with the `ETag` that stands for what was read: `{value, etag}`. */
export async function versioned(path, options = {}) {
  const answer = await ask(path, options);
  return { value: await answer.json(), etag: answer.headers.get("ETag") };
}

export const get = (path, values = {}, options = {}) => api(path + query(values), options);
export const post = (path, body, options = {}) => api(path, { ...options, method: "POST", body });

/** The first `count` items of a list as one answer, though it takes several pages. What stands beside the
 * items is that of the first page, which alone may have it; how it goes on, that of the last.
 */
export async function first(path, values, count, options = {}) {
  const items = [];
  let answer = null;
  let full;
  do {
    const limit = Math.min(LARGEST_PAGE, count - items.length);
    const more = await get(path, { ...values, limit, cursor: answer?.next_cursor }, options);
    items.push(...more.items);
    full = more.items.length === limit;
    answer = { ...more, ...answer, items, next_cursor: more.next_cursor, searched: more.searched };
  } while (answer.next_cursor && items.length < count && full);
  return answer;
}

/** Runs one request at a time: a newer one ends the older, whose caller gets `undefined`. `drop()` ends
 * what is under way; after `stop()`, when a page has been left, nothing is asked any more.
 */
export function latest() {
  let controller = null;
  let stopped = false;
  const run = async (request) => {
    run.drop();
    if (stopped) return undefined;
    const own = new AbortController();
    controller = own;
    try {
      const value = await request(own.signal);
      return controller === own ? value : undefined;
    } catch (error) {
      if (own.signal.aborted) return undefined;
      throw error;
    }
  };
  run.drop = () => controller?.abort();
  run.stop = () => {
    stopped = true;
    run.drop();
  };
  return run;
}

/** The `curl` command for a path of this server. */
export function curl(path, method = "GET", body = null) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const words = ["curl", "-s"];
  if (method !== "GET") words.push("-X", method);
  if (body) words.push("-H", quoted("Content-Type: application/json"), "-d", quoted(JSON.stringify(body)));
  return [...words, quoted(location.origin + path)].join(" ");
}
