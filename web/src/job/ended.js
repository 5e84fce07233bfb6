/** Wait for the end of a job, as the live connection tells of it. */
import { get } from "../api.js";
import { live } from "../live.js";

const OPEN = new Set(["pending", "running"]);

/** `job` resolves to the job when it has ended, or to null after `stop()`. */
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
    forget = live.subscribe(`job:${id}`, { message: look, reload: look });
    look();
  });
  return { job, stop };
}
