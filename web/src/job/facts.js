/** What is known of a job, as elements: its attempts with their errors, and its details. */
import { since } from "../ages.js";
import { bdi, h, icon, STATUS_ICONS } from "../dom.js";
import { clean, cleanLines, duration, moment, number, plural } from "../format.js";

/** The attempts that did not end well, and the one that did or still runs; newest first. */
export function attemptsOf(found) {
  const failed = (found.attempts ?? []).toReversed();
  if (!found.started_at || (found.status === "failed" && failed.length)) return failed;
  if (found.status === "pending" || failed.some((each) => each.attempt === found.attempt && each.round === found.round)) return failed;
  const { attempt, round, started_at, completed_at, status, error } = found;
  const began = failed.length ? null : started_at; // which says when the first attempt began
  return [{ attempt, round, started_at: began, ended_at: completed_at, outcome: status, error: failed.length ? null : error }, ...failed];
}

export function attempt(each) {
  const seconds = each.ended_at && each.started_at ? (Date.parse(each.ended_at) - Date.parse(each.started_at)) / 1000 : null;
  const outcome = each.outcome ?? "running";
  const known = STATUS_ICONS[outcome] ? outcome : "failed";
  const head = h(
    "div.attempt-head",
    {},
    h("strong", {}, `Attempt ${each.attempt}${each.round > 1 ? ` of round ${each.round}` : ""}`),
    h(`span.status.is-${known}`, {}, icon(STATUS_ICONS[known]), clean(outcome, 40)),
    each.started_at && h("span.quiet", {}, since(each.started_at), seconds == null ? "" : `, took ${duration(Math.max(0, seconds))}`),
  );
  const error = each.error && h("pre.raw", { tabindex: 0 }, h("bdi", { dir: "auto" }, cleanLines(each.error).slice(0, 20_000)));
  return h(`li.is-${known}`, {}, head, error);
}

/** How many a job has collected; that of a whole crawl leads to them. */
function documents({ id, parent_id: parent, documents: count, documents_capped: capped }) {
  const many = `${number(count)}${capped ? "+" : ""}`;
  return parent ? many : h("a.link", { href: `/documents?root=${id}` }, many);
}

export function facts(found) {
  const link = (id) => h("a.link", { href: `/jobs/${id}` }, `#${id}`);
  const rows = [
    ["Created", moment(found.created_at)],
    ["Due", found.run_at && moment(found.run_at)],
    ["Started", found.started_at && moment(found.started_at)],
    ["Ended", found.completed_at && moment(found.completed_at)],
    ["Waited", found.started_at && found.wait != null && duration(found.wait)],
    ["Phase", found.phase],
    ["Needs", found.needs?.length > 0 && found.needs.map((each) => h("div", {}, h("a.link", { href: `/jobs/${each.id}` }, clean(each.name || `#${each.id}`, 80)), h("span.quiet", {}, each.met ? `, ${each.status}` : `, waits for it: ${each.status}`)))],
    ["Priority", found.priority],
    ["Round", found.round > 1 && found.round],
    ["Parent", found.parent_id && link(found.parent_id)],
    ["Root", found.root_id !== found.id && link(found.root_id)],
    ["Run again of", found.rerun_of && link(found.rerun_of)],
    ["Warnings", found.warnings > 0 && plural(found.warnings, "child failed", "children failed")],
    ["Failures allowed", found.max_child_failures > 0 && `${number(found.max_child_failures)}, then ${clean(found.failure_action).replaceAll("_", " ")}`],
    ["Documents", found.documents > 0 && documents(found)],
    ["Description", found.description && bdi(found.description, 2000)],
  ];
  return rows
    .filter(([, value]) => value != null && value !== false && value !== "")
    .flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "number" ? number(value) : value)]);
}
