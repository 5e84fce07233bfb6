/** What pages, search and references say of documents, as elements and words of the query.
 *
 * The text of a document is HTML that the server made from Markdown by an allow-list. It is parsed
 * by the browser apart from the page, and only known elements are taken over, by name, without
 * attributes but the address of a link.
 */
import { bdi, h } from "../dom.js";
import { ago, clean, cleanLines, number } from "../format.js";

const ELEMENTS = new Set(
  "P BR HR H1 H2 H3 H4 H5 H6 UL OL LI DL DT DD BLOCKQUOTE PRE CODE EM STRONG B I S DEL INS SUB SUP KBD TABLE THEAD TBODY TR TH TD A DIV SPAN".split(" "),
);

export function toDocument({ id, title, url }) {
  return h("a", { href: `/documents/${id}` }, bdi(title || url, 200));
}

/** A reference: where its document is here a link to that, else one to its address. */
export function reference({ kind, key, url, documents: known }) {
  const about = h("span.quiet", {}, kind.replace("_", " "));
  if (known.length) return [about, " ", ...known.flatMap((each, at) => [at ? ", " : "", toDocument(each)])];
  const href = url && safeAddress(url);
  return [about, " ", href ? h("a", { href, target: "_blank", rel: "noopener noreferrer" }, bdi(key, 200)) : bdi(key, 200)];
}

/** What made a note, when, and whether the page has changed since. */
export function made(what, note) {
  if (!note) return "";
  const by = note.maker === "extractive" ? "its own sentences (extractive)" : clean(note.maker, 80);
  return `${what} by ${by} · ${ago(note.made_at)}${note.current ? "" : " · of an earlier text"}`;
}

/** Only what can be followed safely is a link. */
export function safeAddress(text, base) {
  try {
    const address = new URL(text, base);
    return ["http:", "https:"].includes(address.protocol) ? address.href : null;
  } catch {
    return null;
  }
}

/** The children of a parsed element, made anew of what is known; of the rest only the text. */
export function taken(parent, base) {
  return [...parent.childNodes].flatMap((node) => {
    if (node.nodeType === Node.TEXT_NODE) return [cleanLines(node.data)];
    if (node.nodeType !== Node.ELEMENT_NODE) return [];
    const children = taken(node, base);
    if (!ELEMENTS.has(node.tagName)) return children;
    if (node.tagName !== "A") return [h(node.tagName.toLowerCase(), {}, children)];
    const href = safeAddress(node.getAttribute("href") ?? "", base);
    return href ? [h("a", { href, target: "_blank", rel: "noopener noreferrer" }, children)] : children;
  });
}

/** A snippet as text and marks; it comes as pieces, as text with places, or as text alone. */
export function pieces(snippet) {
  if (typeof snippet === "string") return snippet ? [clean(snippet, 300)] : [];
  const list = Array.isArray(snippet) ? snippet : (snippet.pieces ?? cut(snippet));
  return list.map((piece) => {
    const [text, hit] = Array.isArray(piece) ? piece : [piece.text, piece.hit ?? piece.marked ?? piece.mark];
    return hit ? h("mark", {}, clean(text)) : clean(text);
  });
}

/** The server counts characters; a string here counts a character beyond the first 65,536 twice. */
function cut({ text, marks = [] }) {
  const characters = [...text];
  const part = (start, end) => characters.slice(start, end).join("");
  const found = [];
  let place = 0;
  for (const [start, end] of marks) {
    found.push([part(place, start), false], [part(start, end), true]);
    place = end;
  }
  return [...found, [part(place), false]].filter(([piece]) => piece);
}

/** The crawl whose documents alone are listed, as the address says; 0 for all. */
export const rootOf = (words) => Number(words.get("root")) || 0;

const FACETS = { source: "source", sources: "source", type: "type", types: "type", site: "site", sites: "site", tag: "tag", tags: "tag" };

/** The words of a query; what is quoted is one word. */
export const wordsOf = (text) => text.match(/[^\s"]*"[^"]*"|\S+/g) ?? [];

/** Text as one word of a query. */
export const phrase = (text) => (/\s/.test(text) ? `"${text}"` : text);

/** Facets as words of the query; with `capped` there may be more than were counted. */
export function facetWords(facets, capped) {
  return Object.entries(facets).flatMap(([kind, values]) => {
    const list = Array.isArray(values) ? values : Object.entries(values).map(([value, count]) => ({ value, count }));
    return list.slice(0, 6).map(({ value, name, count }) => {
      const text = String(value ?? name);
      const word = `${FACETS[kind] ?? kind}:${phrase(text)}`;
      return { word, label: clean(text, 40), count: `${number(count)}${capped ? "+" : ""}` };
    });
  });
}
