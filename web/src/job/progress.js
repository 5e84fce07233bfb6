/** How far a job is: the bar, its words, the counts below it, and how long it may still take. */
import { STATUS_ICONS } from "../dom.js";
import { clean, duration, number, plural } from "../format.js";
import { progressOf } from "../job_row.js";
import { STATES } from "../queue/filter.js";

export function progress(id) {
  let samples = [];

  return {
    get progress() {
      return this.job ? progressOf(this.job) : null;
    },
    get hasProgress() {
      return Boolean(this.progress);
    },
    get progressWords() {
      return this.progress?.words ? `${this.progress.words} done` : "";
    },
    get progressNote() {
      return clean(this.progress?.note ?? "", 120);
    },
    get barClass() {
      return this.job?.status === "running" ? "is-moving" : "";
    },
    get doneStyle() {
      return { transform: `scaleX(${Math.min(1, this.progress?.done ?? 0)})` };
    },
    get failedStyle() {
      const { done = 0, failed = 0 } = this.progress ?? {};
      return { transform: `translateX(${done * 100}%) scaleX(${failed})` };
    },
    get legend() {
      const { counts } = this.job ?? {};
      if (!counts?.total) return [];
      return STATES.filter((word) => counts[word]).map((word) => ({
        word,
        text: `${number(counts[word])} ${word}`,
        icon: `#i-${STATUS_ICONS[word]}`,
        kind: `is-${word}`,
        href: `/jobs/${id}?tab=children&status=${word}`,
      }));
    },

    /** Remember how far it was, for the rate of the last half minute. */
    sample({ counts, status }) {
      if (!counts?.total || status !== "running") samples = [];
      else samples.push([Date.now(), counts.done]);
      samples = samples.filter(([at]) => at > Date.now() - 30_000);
    },
    get eta() {
      const { counts, status } = this.job ?? {};
      if (status !== "running" || !counts?.total || samples.length < 2 || this.tick < 0) return "";
      const [[at, done]] = samples;
      const rate = (counts.done - done) / ((Date.now() - at) / 1000);
      if (rate <= 0) return "";
      const left = counts.total - counts.done;
      return `${rate.toFixed(1)}/s, about ${duration(left / rate)} for the ${plural(left, "job")} known now`;
    },
  };
}
