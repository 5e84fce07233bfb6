/** The versions of the document that is read: the list of them, the text of one, and what has changed
 * from one to another. A part of the page of documents, whose `id`, `view` and `document` it uses.
 */
import { get, latest } from "../api.js";
import { h, swap } from "../dom.js";
import { clean, cleanLines, moment, number, plural } from "../format.js";
import { here, withQuery } from "../router.js";

const SIGNS = { same: "", removed: "−", added: "+" };
const ELEMENTS = { same: "div", removed: "del", added: "ins" };

export function history() {
  const ask = latest();

  return {
    stop() {
      ask.stop();
    },

    async loadVersions() {
      const { id } = this;
      if (this.document?.id !== id) return; // comes again when that has been read
      const chosen = named(here().query);
      const path = `/api/documents/${id}`;
      try {
        const found = await ask((signal) =>
          Promise.all([get(`${path}/versions`, {}, { signal }), asked(path, chosen, signal)]),
        );
        if (!found || this.id !== id) return;
        const [list, shown] = found;
        swap(this.refs.versions, rows(list, this.document, chosen));
        this.refs.version.replaceChildren(...(chosen.version ? oldText(shown) : shown ? changes(shown) : []));
      } catch (error) {
        this.refs.versions.replaceChildren();
        this.refs.version.replaceChildren(h("p", { role: "alert" }, error.message));
      }
    },

    /** Another view begins without what was chosen among the versions. */
    viewHref(name) {
      return this.id ? withQuery({ view: name, ...NOTHING }) : "/documents";
    },
  };
}

const NOTHING = { version: "", from: "", to: "" };

function named(words) {
  return Object.fromEntries(Object.keys(NOTHING).map((name) => [name, Number(words.get(name)) || null]));
}

function asked(path, { version, from, to }, signal) {
  if (version) return get(`${path}/versions/${version}`, {}, { signal });
  if (from || to) return get(`${path}/changes`, { from_version: from, to_version: to }, { signal });
  return null;
}

/** One row a version, the present first, with what can be seen of it. */
function rows({ items, current }, present, chosen) {
  const now = { number: current, since: items[0]?.until ?? present.first_seen, words: present.words };
  return [now, ...items].map((each, at, all) => {
    const ways = [];
    if (at > 0) ways.push(["Text", `Text of version ${each.number}`, { version: each.number }]);
    if (at < all.length - 1) ways.push(["Changes", `What version ${each.number} changed`, { from: all[at + 1].number, to: each.number }]);
    if (at > 1) ways.push(["Since then", `What has changed since version ${each.number}`, { from: each.number, to: current }]);
    return h(
      "tr",
      {},
      h("td", {}, at ? number(each.number) : `${number(each.number)} (now)`),
      h("td", {}, moment(each.since)),
      h("td.is-number", {}, number(each.words)),
      h("td.version-ways", {}, ways.map(([word, label, words]) => way(word, label, words, chosen))),
    );
  });
}

function way(word, label, words, chosen) {
  const all = { ...NOTHING, ...words };
  const isChosen = Object.entries(all).every(([name, value]) => (chosen[name] || "") === value);
  return h("a", { href: withQuery({ view: "versions", ...all }), "aria-label": label, "aria-current": isChosen && "true" }, word);
}

function oldText({ number: which, text }) {
  return [h("h3", {}, `Version ${which}`), h("pre.raw", { tabindex: 0 }, cleanLines(text))];
}

function changes({ from_version: from, to_version: to, from_title: before, to_title: after, exact, removed, added, hunks, more }) {
  const parts = [h("h3", {}, `From version ${from} to version ${to}`)];
  const said = [`${plural(removed, "line")} removed`, `${plural(added, "line")} added`];
  parts.push(h("p.quiet", {}, removed + added ? said.join(", ") : "Not a line of the text differs."));
  if (before !== after) {
    parts.push(h("p.hunk-at", {}, "Title"), h("div.hunk", {}, line("removed", before), line("added", after)));
  }
  for (const { new: first, lines } of hunks) {
    parts.push(h("p.hunk-at", {}, `Line ${number(first)}`), h("div.hunk", {}, lines.map((each) => line(each.kind, ...each.parts))));
  }
  if (more) parts.push(h("p.quiet", {}, "There are more; `quaero documents changes` shows all."));
  if (!exact) parts.push(h("p.quiet", {}, "The lines were not compared one by one: too many of them occur again and again."));
  return parts;
}

function line(kind, ...parts) {
  const texts = parts.map((part) => {
    if (typeof part === "string") return clean(part, 2_000);
    return part.marked ? h("mark", {}, cleanLines(part.text)) : cleanLines(part.text);
  });
  return h(`${ELEMENTS[kind]}.change`, {}, h("span.change-sign", {}, SIGNS[kind]), h("bdi", { dir: "auto" }, texts));
}
