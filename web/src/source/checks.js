/** The checks of a source, each with what was found and what to do about it. */
import { bdi, h, icon } from "../dom.js";
import { clean } from "../format.js";

const NAMES = {
  source: "Alone",
  settings: "Settings",
  patterns: "Patterns",
  seeds: "Addresses to begin at",
  reachable: "Reachable",
  robots: "robots.txt",
  login: "Login",
  folder: "Folder",
  files: "Files",
};
const MARKS = { true: ["check", "is-completed", "well"], false: ["cross", "is-failed", "problem"], null: ["dot", "is-pending", "not looked at"] };

/** A list of what a job of checks found; where it found nothing, its error. */
export function checkList(job, close) {
  const checks = job.result?.checks ?? [];
  const bad = checks.filter((each) => each.ok === false).length;
  const words = !checks.length ? "The check could not be done" : bad ? `${bad} of ${checks.length} checks found a problem` : "All is well";
  return h(
    "section",
    { "aria-label": "Checks" },
    h("header.checks-head", {}, h("h3", {}, words), close),
    !checks.length && h("p.quiet", {}, clean(job.error ?? "It has not ended yet; look at it under Queue.", 500)),
    h("ul.checks", {}, checks.map(line)),
  );
}

function line(each) {
  const [symbol, kind, word] = MARKS[each.ok];
  return h(
    `li.check.${kind}`,
    {},
    h("span.check-mark", {}, icon(symbol), h("span.only-heard", {}, word)),
    h("div", {}, h("strong", {}, NAMES[each.name] ?? each.name), " ", h("span.check-detail", {}, bdi(each.detail, 1_000)), each.ok === false && each.todo && h("p.check-todo", {}, bdi(each.todo, 500))),
  );
}
