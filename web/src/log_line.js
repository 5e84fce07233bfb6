/** A line of a log: as a row, as plain text, and whole in a dialog. */
import { get } from "./api.js";
import { copy, show } from "./dialogs.js";
import { bdi, h, icon } from "./dom.js";
import { bytes, clean, cleanLines, clockTime, moment } from "./format.js";

const LONGEST = 2_000;

/** The row of a line; in the log of a job it has an address, and names the job below that wrote it. */
export function lineRow(line, jobId) {
  const long = line.cut || line.message.length > LONGEST;
  const parts = [
    h(jobId ? "a.log-at" : "span.log-at", { href: jobId && `#L${line.id}`, tabindex: jobId && -1, title: moment(line.at) }, h("time", { datetime: line.at }, clockTime(line.at))),
    h(`span.log-level.is-level-${line.level}`, {}, line.level),
  ];
  if (line.job_id && line.job_id !== jobId) {
    parts.push(h("a.log-job", { href: `/jobs/${line.job_id}`, title: clean(line.name, 300) }, `#${line.job_id}`));
  }
  if (line.logger) parts.push(h("span.log-job", {}, line.logger));
  const message = h("span.log-message", {}, bdi(line.message, LONGEST));
  const fields = Object.entries(line.fields ?? {}).slice(0, 12);
  for (const [name, value] of fields) message.append(" ", h("span.log-field", {}, `${clean(name, 60)}=`, bdi(plain(value), 300)));
  parts.push(message);
  const size = line.cut ? "" : ` (${bytes(line.message.length)})`;
  const label = long ? `Show all${size}` : "Show the whole line";
  parts.push(h("button.log-all", { type: "button", "aria-label": label, on: { click: () => whole(line) } }, long ? label : icon("more")));
  return h(`div.log-line.is-level-${line.level}`, { "data-id": line.id }, parts);
}

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** A line as text. */
export function plainLine(line) {
  const fields = Object.entries(line.fields ?? {}).map(([name, value]) => `${name}=${plain(value)}`);
  return [line.at, line.level, cleanLines(line.message), ...fields].join(" ");
}

const addressOf = (line) => `${location.origin}${location.pathname}${location.search}#L${line.id}`;

/** The entry as it is stored: what came over the live connection may have been cut. */
async function stored(line) {
  if (!line.cut) return line;
  const values = { tree: false, order: "asc", after: line.id - 1, limit: 1 };
  const { items } = await get(`/api/jobs/${line.job_id}/logs`, values);
  return items[0]?.id === line.id ? items[0] : line;
}

async function whole(shown) {
  const line = await stored(shown).catch(() => shown);
  const about = [moment(line.at), line.level, line.type, line.job_id && `job ${line.job_id}`, line.attempt && `attempt ${line.attempt}`];
  return show(
    "Log line",
    () => [
      h("p.dialog-text", {}, about.filter(Boolean).join(" · ")),
      h("pre.raw", { tabindex: 0, "data-first": true }, h("bdi", { dir: "auto" }, cleanLines(line.message))),
      Object.keys(line.fields ?? {}).length > 0 && h("pre.raw", { tabindex: 0 }, cleanLines(JSON.stringify(line.fields, null, 2))),
      h(
        "footer.dialog-foot",
        {},
        line.job_id && h("button.button", { type: "button", on: { click: () => copy(addressOf(line), "Link copied") } }, "Copy the link"),
        h("button.button", { type: "button", on: { click: () => copy(line.message) } }, "Copy"),
      ),
    ].filter(Boolean),
    { wide: true },
  );
}
