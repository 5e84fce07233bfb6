/** What can be done to jobs: each asks where it must, says what it did, and what went wrong. */
import { post } from "./api.js";
import { askText, confirm, note } from "./dialogs.js";
import { clean, number, plural } from "./format.js";
import { go } from "./router.js";
import { removeSoon, UNDO_SENTENCE } from "./undo.js";

export const LABELS = {
  cancel: "Cancel",
  fail: "Mark as failed",
  retry: "Retry",
  rerun: "Run again",
  copy: "Copy",
  start: "Start",
  delete: "Delete",
};

export const ICONS = {
  cancel: "ban",
  fail: "cross",
  retry: "retry",
  rerun: "run",
  copy: "copy",
  start: "run",
  delete: "trash",
};

const DONE = {
  cancel: "Cancelled",
  fail: "Marked as failed",
  retry: "Will be tried again",
  rerun: "Started again",
  start: "Started",
};

const unfinished = (job) => (job.counts ? job.counts.pending + job.counts.running : 0);
const named = (job) => clean(job.name || job.type, 80);

/** Say that something cannot be done to a job as it is. */
export function refuse(action, job) {
  note(`Job ${job.id} is ${job.status}: ${LABELS[action].toLowerCase()} is not possible.`);
}

const underWay = new Set();

/** Do it, after asking where it cannot be undone; the job of the answer, or null if nothing was, as when
 * it is being done already.
 */
export async function perform(action, job, before) {
  const what = `${action} ${job.id}`;
  if (underWay.has(what)) return null;
  underWay.add(what);
  try {
    return await performed(action, job, before);
  } finally {
    underWay.delete(what);
  }
}

async function performed(action, job, before = () => {}) {
  const body = await asked(action, job);
  if (body === undefined) return null;
  before();
  try {
    if (action === "delete") return await remove(job);
    const answer = await request(action, job, body);
    if (action === "copy") go(`/jobs/${answer.id}?tab=data`);
    else said(action, job, answer);
    return answer ?? job;
  } catch (error) {
    note(error.message, { error: true });
    return null;
  }
}

function request(action, job, body) {
  return post(`/api/jobs/${job.id}/${action}`, body ?? undefined);
}

function remove(job) {
  const body = { ids: [job.id], expected_count: 1 };
  return removeSoon("/api/jobs/bulk", body, `Deleted in a moment: ${named(job)}`, [`job:${job.id}`]);
}

function said(action, job, answer) {
  const other = answer?.id && answer.id !== job.id;
  const link = other ? { href: `/jobs/${answer.id}`, text: `Job ${answer.id}` } : null;
  note(`${DONE[action]}: ${named(job)}`, { link });
}

/** The body to send, null for none, undefined if it shall not be done. */
async function asked(action, job) {
  if (action === "cancel" && unfinished(job) > 0) {
    const many = plural(unfinished(job), "unfinished child", "unfinished children");
    const sentence = `This cancels ${named(job)} and its ${many}.`;
    const options = { button: "Cancel the job", danger: true };
    return (await confirm(`Cancel job ${job.id}?`, sentence, options)) ? null : undefined;
  }
  if (action === "delete") {
    const total = job.counts?.total ?? 0;
    const below = total ? ` and ${plural(total, "job")} below it` : "";
    const sentence = `${named(job)}${below} are removed with their logs. ${UNDO_SENTENCE}`;
    const singular = `${named(job)} is removed with its log. ${UNDO_SENTENCE}`;
    const options = { button: total ? `Delete ${number(total + 1)} jobs` : "Delete", danger: true };
    const yes = await confirm(`Delete job ${job.id}?`, total ? sentence : singular, options);
    return yes ? null : undefined;
  }
  if (action === "fail") {
    const reason = await askText(`End job ${job.id} as failed?`, "Reason", { button: "Mark as failed" });
    return reason === undefined ? undefined : { reason };
  }
  return null;
}

const BULK = {
  retry: ["Retry", "tried again", false],
  cancel: ["Cancel", "cancelled, with all that is unfinished below", true],
  delete: ["Delete", "removed, with all that is below and every log", true],
  priority: ["Change the priority of", "given another priority", false],
};

/** Do it to many: `ids`, or all that fit `filter`, of which the page said there are `count`; `shown`
 * are those of them that are in sight.
 */
export async function performAll(action, { ids, filter, count, capped, shown = ids ?? [] }) {
  const [verb, outcome, danger] = BULK[action];
  const body = { action, expected_count: capped ? null : count, ...(ids ? { ids } : { filter }) };
  if (action === "priority") {
    const given = await askText("Change the priority", "Priority; higher goes first", {
      button: `Change ${plural(count, "job")}`,
      value: "0",
    });
    if (given === undefined) return null;
    body.priority = Number(given);
  } else {
    const many = capped ? `${number(count)} or more jobs` : plural(count, "job");
    const everything = action === "delete" && !ids && !Object.keys(filter).some((k) => k !== "parent");
    const options = { button: `${verb} ${many}`, danger, typed: everything ? "delete all" : null };
    const undo = action === "delete" ? ` ${UNDO_SENTENCE}` : "";
    const sentence = `${many} ${ids ? "" : "that match the filter "}${count === 1 ? "is" : "are"} ${outcome}.${undo}`;
    if (!(await confirm(`${verb} ${many}?`, sentence, options))) return null;
  }
  return send(action, body, { ids, filter, count, shown });
}

async function send(action, body, what) {
  try {
    if (action === "delete") {
      const many = plural(body.expected_count ?? what.count, "job");
      return await removeSoon("/api/jobs/bulk", body, `${many}: deleted in a moment`, what.shown.map((id) => `job:${id}`));
    }
    const job = await post("/api/jobs/bulk", body);
    note(`${BULK[action][0]}: under way`, { link: { href: `/jobs/${job.id}`, text: `Job ${job.id}` } });
    return job;
  } catch (error) {
    const { count, count_capped: capped } = error.body;
    if (error.status === 409 && count !== undefined) {
      const many = `${capped ? "at least " : ""}${plural(count, "job")}`;
      note(`By now ${many} match; nothing was done yet.`, { error: true });
      return performAll(action, { ...what, count, capped });
    }
    note(error.message, { error: true });
    return null;
  }
}
