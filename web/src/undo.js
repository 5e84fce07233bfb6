/** Deletions that can be taken back. Each is a job of the server that begins in ten seconds, so what
 * is said here is true also when the tab is closed or the server is killed meanwhile: the deletion
 * happens, unless it was taken back, which cancels that job before it begins.
 */
import { api, post } from "./api.js";
import { note } from "./dialogs.js";

export const UNDO_SECONDS = 10;
export const UNDO_SENTENCE = `You can take this back for ${UNDO_SECONDS} seconds.`;

const MARKED = (UNDO_SECONDS + 3) * 1000;
const going = new Set();
const watchers = new Set();

/** Whether something, such as `job:7`, is about to be deleted. */
export const isGoing = (what) => going.has(what);

/** Be told when what is about to be deleted changes. */
export function onGoing(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

function mark(all, on) {
  for (const what of all) {
    if (on) going.add(what);
    else going.delete(what);
  }
  watchers.forEach((watcher) => watcher());
}

/** Have something deleted soon: `body` says which, `marked` names what is shown of it. The answer is
 * the job that will do it.
 */
export async function removeSoon(path, body, said, marked = []) {
  const job = await post(path, { ...body, action: "delete", delay: UNDO_SECONDS });
  mark(marked, true);
  const timer = setTimeout(() => mark(marked, false), MARKED);
  const undo = { text: "Undo", run: () => takeBack(job, marked, timer, undo) };
  note(said, { seconds: UNDO_SECONDS, act: undo });
  return job;
}

async function takeBack(job, marked, timer, undo) {
  const path = `/api/jobs/${job.id}`;
  const link = { href: `/jobs/${job.id}`, text: `Job ${job.id}` };
  try {
    const { status, started_at: began } = await post(`${path}/cancel`);
    clearTimeout(timer);
    mark(marked, false);
    if (began) {
      const text = status === "cancelled" ? "It had begun: a part is deleted, the rest stays." : "Too late: it is deleted already.";
      note(text, { error: true, link });
      return;
    }
    note("Taken back: nothing was deleted.");
  } catch (error) {
    note(`It could not be taken back: ${error.message}`, { error: true, link, act: undo });
    return;
  }
  await api(path, { method: "DELETE" }).catch(() => null); // else it stays in the list, as cancelled
}
