/** What the queue page lists: the filter and order that its address says, and other such addresses. */
import { withQuery } from "../router.js";

export const STATES = ["pending", "running", "completed", "failed", "cancelled"];
export const WORDS = ["status", "type", "source_type", "entity_type", "source", "parent", "created_after", "created_before", "completed_after", "completed_before"];
const SHORT = { entity: "entity_type", after: "created_after", before: "created_before", ended_after: "completed_after", ended_before: "completed_before" };

/** The filter that an address says, in the API's words. */
export function filterOf(words) {
  const filter = { status: words.getAll("status") };
  for (const name of WORDS.slice(1)) filter[name] = words.get(name) ?? "";
  filter.text = words.get("text") ?? "";
  return filter;
}

/** `error type:crawler status:failed` as words of the address: what is no known word is text. */
export function parsed(text) {
  const found = {};
  const rest = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const [, name, value] = /^([a-z_]+):(.+)$/.exec(word) ?? [];
    const known = SHORT[name] ?? name;
    if (WORDS.includes(known)) found[known] = [...(found[known] ?? []), value];
    else rest.push(word);
  }
  return { found, rest: rest.join(" ") };
}

const ORDERS = [
  ["-created", "Newest first"],
  ["created", "Oldest first"],
  ["-started", "Last started"],
  ["-finished", "Last ended"],
  ["-duration", "Longest"],
];

/** The orders that have an index: all of them for top-level jobs, by creation for others. */
export const offered = (parent) => (parent && parent !== "root" ? ORDERS.slice(0, 2) : ORDERS);

/** The address with another filter; what is open or logged beside the list goes with the old one. */
export const filtered = (changes) => withQuery({ open: "", logs: "", level: "", find: "", ...changes });
