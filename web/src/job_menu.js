/** What the menu of a job's row offers. */
import { ICONS, LABELS } from "./actions.js";
import { curl } from "./api.js";
import { copy } from "./dialogs.js";
import { go } from "./router.js";

const DANGERS = ["cancel", "delete", "fail"];

/** `openLog(job)` shows the log, `act(action)` does what was chosen. */
export function entriesOf(job, { openLog, act }) {
  const actions = job.actions.filter((each) => LABELS[each]);
  return [
    { label: "Open", icon: "open", act: () => go(`/jobs/${job.id}`) },
    { label: "Log", icon: "log", act: () => openLog(job) },
    ...actions.map((each) => ({ label: LABELS[each], icon: ICONS[each], danger: DANGERS.includes(each), act: () => act(each) })),
    { label: "Copy curl", icon: "code", act: () => copy(curl(`/api/jobs/${job.id}`), "curl command copied") },
  ];
}
