/** What is done to definitions and their schedules from any page; each says what it did. */
import { api, get, post } from "../api.js";
import { confirm, note } from "../dialogs.js";
import { clean } from "../format.js";
import { go } from "../router.js";
import { single } from "../single.js";
import { askParameters } from "./run_dialog.js";

const base = (id) => `/api/definitions/${id}`;
const key = () => crypto.randomUUID?.() ?? String(Math.random());

/** Begin a run, after asking for its parameters; then show it. */
export const run = single(async ({ id, name }) => {
  const asked = location.href;
  let value;
  try {
    ({ value } = await get(base(id)));
    if (location.href !== asked) return; // who went elsewhere is not asked there
  } catch (error) {
    note(error.message, { error: true });
    return;
  }
  const headers = { "Idempotency-Key": key() };
  const begin = async (parameters) => {
    try {
      return await post(`${base(id)}/execute`, { parameters }, { headers });
    } catch (error) {
      headers["Idempotency-Key"] = key();
      throw error;
    }
  };
  const job = await askParameters(`Run ${clean(name, 60)}`, value.parameters, begin);
  if (job) go(`/jobs/${job.id}`);
});

/** Let runs begin, or not; the definition as it is now, or null. */
export async function enable({ id, name, rev }, enabled) {
  try {
    const found = await api(base(id), { method: "PATCH", body: { enabled }, headers: { "If-Match": `"${rev}"` } });
    note(`${enabled ? "Enabled" : "Disabled"}: ${clean(name, 80)}`);
    return found;
  } catch (error) {
    note(error.message, { error: true });
    return null;
  }
}

export async function remove({ id, name }) {
  const sentence = `${clean(name, 80)} is removed with its schedule. Its runs stay. This cannot be undone.`;
  if (!(await confirm("Delete the workflow?", sentence, { button: "Delete", danger: true }))) return false;
  try {
    await api(base(id), { method: "DELETE" });
    note(`Deleted: ${clean(name, 80)}`);
    return true;
  } catch (error) {
    note(error.message, { error: true });
    return false;
  }
}

/** `pause`, `resume` or `trigger` a schedule; what is answered, or null. */
export async function steer(action, { definition_id: id, name }) {
  try {
    const found = await post(`/api/schedules/${id}/${action}`);
    const said = { pause: "Paused", resume: "Resumed", trigger: "Begun now" }[action];
    const link = action === "trigger" ? { href: `/jobs/${found.id}`, text: `Run ${found.id}` } : null;
    note(`${said}: ${clean(name, 80)}`, { link });
    return found;
  } catch (error) {
    note(error.message, { error: true });
    return null;
  }
}

/** Store a file as a definition; asks before one that is there is replaced. */
export async function upload(file) {
  const kind = file.name.endsWith(".json") ? "application/json" : "application/toml";
  const text = await file.text();
  const send = (replace) => api(`/api/definitions/upload${replace ? "?replace=true" : ""}`, { method: "POST", text, headers: { "Content-Type": kind } });
  try {
    return await send(false);
  } catch (error) {
    if (error.status !== 409) {
      note(error.message.slice(0, 400), { error: true });
      return null;
    }
    const yes = await confirm("Replace the workflow?", clean(error.message, 300), { button: "Replace", danger: true });
    return yes ? send(true).catch((again) => (note(again.message, { error: true }), null)) : null;
  }
}

/** Have the browser keep the text of a definition. */
export function download(id, format) {
  const link = document.createElement("a");
  link.href = `${base(id)}/export?format=${format}`;
  link.download = `${id}.${format}`;
  link.click();
}
