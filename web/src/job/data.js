/** What a job was given and what it gave, as text, and the commands that ask for it. */
import { LABELS } from "../actions.js";
import { curl } from "../api.js";
import { copy } from "../dialogs.js";
import { cleanLines } from "../format.js";

export function data(id) {
  let raw = null;

  return {
    /** Keep the payload and the result apart from what is watched; the rest of the job. */
    withoutData({ payload, result, ...rest }) {
      raw = { payload, result };
      return { ...rest, hasResult: result != null };
    },
    get input() {
      return this.job && raw ? cleanLines(JSON.stringify(raw.payload, null, 2)) : "";
    },
    get payload() {
      return JSON.parse(JSON.stringify(raw.payload));
    },
    get output() {
      if (!this.job || !raw || raw.result == null) return "Nothing yet.";
      return cleanLines(JSON.stringify(raw.result, null, 2));
    },
    get hasOutput() {
      return Boolean(this.job?.hasResult);
    },
    get canRerun() {
      return this.job?.actions.includes("rerun");
    },
    copyInput() {
      copy(JSON.stringify(raw.payload, null, 2));
    },
    copyOutput() {
      copy(JSON.stringify(raw.result, null, 2));
    },
    get commands() {
      const base = `/api/jobs/${id}`;
      const all = [
        ["This job", curl(base)],
        ["Its children", curl(`${base}/children?limit=50`)],
        ["Its log, with all below it", curl(`${base}/logs?order=asc`)],
        ["Wait for new lines", curl(`${base}/logs?order=asc&follow=true`)],
        ...(this.job?.actions ?? []).filter((each) => LABELS[each] && each !== "delete").map((each) => [LABELS[each], curl(`${base}/${each}`, "POST")]),
      ];
      return all.map(([label, command]) => ({ label, command, copyLabel: `Copy: ${label}` }));
    },
    copyCommand(command) {
      copy(command, "curl command copied");
    },
  };
}
