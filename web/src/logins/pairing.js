/** The code by which a browser extension is paired. */
import { post } from "../api.js";
import { note, show } from "../dialogs.js";
import { h } from "../dom.js";
import { clockTime } from "../format.js";

/** Show a new code until the dialog is closed. */
export async function showCode() {
  let made;
  try {
    made = await post("/api/auth/code");
  } catch (error) {
    note(error.message, { error: true });
    return;
  }
  await show("Pair an extension", (close) => [
    h("p.dialog-text", {}, "Type this code in the extension. It works once, for one extension, which may then hand over logins and nothing else."),
    h("output.pair-code.mono", { "aria-label": "Code" }, made.code),
    h("p.dialog-text.quiet", {}, `It ends at ${clockTime(made.expires_at).slice(0, 8)}, or after five wrong tries.`),
    h("footer.dialog-foot", {}, h("button.button.is-primary", { type: "button", "data-first": true, on: { click: () => close() } }, "Done")),
  ]);
}
