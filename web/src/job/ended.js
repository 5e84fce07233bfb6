/** Wait for the end of a job, as the live connection tells of it. */
import { get } from "../api.js";
import { live } from "../live.js";

const OPEN = new Set(["pending", "running"]);

/** `job` resolves to the job when it has ended, or to null after `stop()`; one that is deleted meanwhile
 * is an error.
 */
export function ended(id) {
  let forget = () => {};
  let stop;
  const job = new Promise((resolve, reject) => {
    stop = () => (forget(), resolve(null));
    const look = async () => {
      try {
        const found = await get(`/api/jobs/${id}`);
        if (!OPEN.has(found.status)) forget(), resolve(found);
      } catch (error) {
        if (error.status && error.status < 500) forget(), reject(error); // else the server is gone, and comes back
      }
    };
    const hear = (message) => {
      if (message.type === "deleted" && message.id === id) forget(), reject(new Error(`Job ${id} was deleted.`));
      if (message.job?.id !== id || OPEN.has(message.job.status)) return;
      if (message.job.status === "cancelled") forget(), resolve(message.job); // it has no result to be asked for
      else look();
    };
    forget = live.subscribe(`job:${id}`, { message: hear, reload: look });
    look();
  });
  return { job, stop };
}
