/** The steps of a run: a graph that follows them live, and the same as a table. */
import { get, latest, post } from "../api.js";
import { now, paced } from "../clock.js";
import { note } from "../dialogs.js";
import { bdi, h, icon, say, swap } from "../dom.js";
import { StepGraph } from "../flow/graph.js";
import { askParameters } from "../flow/run_dialog.js";
import { clean, duration } from "../format.js";
import { errorText, progressOf, runTime, statusMark, stateText, stateWord } from "../job_row.js";
import { go } from "../router.js";

const SOON = 200;

export function steps(id) {
  const ask = latest();
  let graph = null;
  let soon = null;
  let shown = [];

  return {
    stepCount: 0,
    definitionId: "",

    get isRun() {
      return this.job?.type === "workflow";
    },
    get definitionHref() {
      return `/workflows/${this.definitionId}`;
    },

    openSteps() {
      if (!this.isRun) return;
      graph ??= new StepGraph(this.refs.graph);
      this.loadSteps();
    },

    /** Something below has changed: look again, but not for each single change. */
    stepsChanged() {
      if (!graph) return;
      soon ??= paced(() => this.loadSteps(), SOON, SOON);
      soon();
    },

    async loadSteps() {
      const found = await ask((signal) => get(`/api/jobs/${id}/steps`, {}, { signal })).catch(() => null);
      if (!found || !graph) return;
      this.stepCount = found.items.length;
      this.definitionId = found.definition_id;
      graph.draw(found.items.map(drawn));
      shown = found.items;
      swap(this.refs.steps, shown.map(row));
    },

    /** What runs has run longer. */
    growSteps() {
      [...this.refs.steps.children].forEach((each, at) => say(each.lastChild, runFor(shown[at])));
    },

    /** Run the same definition, as it was, with other parameters. */
    async rerunWith() {
      const found = await get(`/api/jobs/${id}`).catch((error) => note(error.message, { error: true }));
      if (!found) return;
      const { payload } = found;
      const begin = (parameters) => post(`/api/jobs/${id}/rerun`, { payload: { ...payload, parameters } });
      const made = await askParameters("Run again with other parameters", payload.definition.parameters, begin, { given: payload.parameters, always: true });
      if (made) go(`/jobs/${made.id}`);
    },

    stop() {
      soon?.stop();
      ask.stop();
      graph?.destroy();
      graph = null;
    },
  };
}

/** The word for the state of a step, and what it waits for or how far it is. */
function told({ job, outcome, waiting_for: waits }) {
  if (waits.length && (!job || job.status === "pending")) return ["pending", `waits for ${waits.join(", ")}`];
  if (!job) return ["pending", ""];
  if (outcome === "skipped" && job.status === "completed") return ["skipped", "skipped"];
  if (job.error && job.status === "failed") return ["failed", ""];
  const many = job.counts.total > 1 && job.status === "running" ? ` ${job.counts.done}/${job.counts.total}` : "";
  return [stateWord(job), many ? `${stateWord(job)}${many}` : ""];
}

function drawn(step) {
  const [word, note] = told(step);
  return { name: step.name, phase: step.phase, needs: step.needs, action: step.action, word, note, href: step.job ? `/jobs/${step.job.id}` : undefined };
}

const runFor = ({ job }) => (job ? duration(runTime(job)) : "–");

function row(step) {
  const [word, note] = told(step);
  const { job } = step;
  if (job) job.seenAt = now();
  const mark = word === "skipped" || !job ? h(`span.status.is-${word === "skipped" ? "cancelled" : "pending"}`, {}, icon(word === "skipped" ? "ban" : "clock"), word) : statusMark(job);
  const name = job ? h("a.job-name", { href: `/jobs/${job.id}` }, bdi(step.name, 80)) : h("span.job-name", {}, bdi(step.name, 80));
  const parts = [h("span.mono", {}, step.action)];
  if (step.phase !== "core") parts.push(h(`span.phase.is-${step.phase}`, {}, step.phase));
  if (step.each) parts.push(h("span", {}, "once for each"));
  if (step.condition) parts.push(h("span.mono", { title: clean(step.condition, 400) }, `if ${clean(step.condition, 60)}`));
  const about = job?.error ? h("span.is-bad", { title: clean(errorText(job), 1000) }, bdi(errorText(job), 200)) : note && note !== word && !note.startsWith(stateText(job ?? {})) ? h("span.quiet", {}, clean(note, 200)) : null;
  const progress = job && progressOf(job);
  return h(
    "tr",
    { "data-step": step.name },
    h("td.flow-name", {}, name, h("span.flow-about", {}, parts)),
    h("td.flow-state", { "data-label": "Status" }, mark, about),
    h("td.is-number", { "data-label": "Jobs" }, progress?.words ?? "–"),
    h("td.is-number", { "data-label": "Duration" }, runFor(step)),
  );
}
