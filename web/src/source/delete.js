/** The question before a source is deleted: what becomes of its documents. */
import { api, query } from "../api.js";
import { note, show } from "../dialogs.js";
import { h } from "../dom.js";
import { plural } from "../format.js";

/** Ask, and delete; true where the source is gone. */
export async function askDelete(source) {
  const choice = await show(`Delete source ${source.name}?`, (close) => form(source, close));
  if (!choice) return false;
  try {
    const words = query({ documents: choice.documents, cancel: source.active ? "true" : "" });
    const job = await api(`/api/sources/${source.id}${words}`, { method: "DELETE" });
    note(`Deleted: ${source.name}`, { link: job ? { href: `/jobs/${job.id}`, text: "Its documents" } : null });
    return true;
  } catch (error) {
    note(error.message, { error: true });
    return false;
  }
}

function form(source, close) {
  const total = source.documents + source.gone;
  const option = (value, label, about, checked) =>
    h("label.choice", {}, h("input", { type: "radio", name: "documents", value, required: true, checked }), h("span", {}, h("strong", {}, label), h("span.help", {}, about)));
  const submit = (event) => {
    event.preventDefault();
    const documents = new FormData(event.target).get("documents");
    if (documents) close({ documents });
  };
  return h(
    "form",
    { on: { submit } },
    source.active && h("p.dialog-text", {}, "It is being collected; that run is cancelled."),
    h(
      "fieldset",
      {},
      h("legend.label", {}, "Its documents"),
      option("keep", `Keep ${plural(total, "document")}`, "They can still be found and read.", !total),
      option("delete", `Delete ${plural(total, "document")}`, "With their versions and tags. This cannot be undone.", false),
    ),
    h(
      "footer.dialog-foot",
      {},
      h("button.button", { type: "button", on: { click: () => close() } }, "Not now"),
      h("button.button.is-danger", { type: "submit" }, "Delete the source"),
    ),
  );
}
