/** The test box: some addresses, and for each whether the settings as typed let it in, and why. */
import { latest, post } from "../api.js";
import { bdi, h, icon } from "../dom.js";
import { clean, plural } from "../format.js";

const PAUSE_MS = 300;
const MOST = 100;

export class TestBox {
  /** `draft()` gives the settings, `wrong(errors)` hears of what cannot be used in them. */
  constructor(draft, wrong) {
    this.draft = draft;
    this.wrong = wrong;
    this.ask = latest();
    this.area = h("textarea.textarea.mono", { id: "test-urls", rows: 3, spellcheck: "false", on: { input: () => this.later() } });
    this.about = h("p.help", { id: "test-about" }, "");
    this.area.setAttribute("aria-describedby", "test-about");
    this.results = h("ul.decisions");
    this.summary = h("p.help", { role: "status" });
    this.element = h(
      "section.test-box",
      { "aria-label": "Try addresses" },
      h("label.label", { for: "test-urls" }, "Try some addresses"),
      this.area,
      this.about,
      this.summary,
      this.results,
    );
  }

  forKind(folder) {
    this.area.placeholder = folder ? "/guide/start.md\n/drafts/idea.md" : "https://docs.example.org/guide/\n/drafts/idea";
    this.about.textContent = folder ? "One path below the folder a line." : "One a line; each says at once whether it would be collected, and what decides.";
    this.later();
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), PAUSE_MS);
  }

  async now() {
    const urls = this.area.value.split("\n").map((each) => each.trim()).filter(Boolean).slice(0, MOST);
    const draft = this.draft();
    if (!urls.length || !draft.base_url) {
      this.ask.drop();
      this.results.replaceChildren();
      this.summary.textContent = urls.length ? "Name the address of the source first." : "";
      return;
    }
    try {
      const answer = await this.ask((signal) => post("/api/sources/test", { ...draft, urls }, { signal }));
      if (!answer) return;
      this.wrong([]);
      const inside = answer.items.filter((each) => each.admitted).length;
      this.summary.textContent = `${plural(inside, "address", "addresses")} of ${urls.length} let in.`;
      this.results.replaceChildren(...answer.items.map(decision));
    } catch (error) {
      this.wrong(error.errors ?? []);
      this.results.replaceChildren();
      this.summary.textContent = clean(error.message, 400);
    }
  }
}

function decision(each) {
  const [symbol, kind, word] = each.admitted ? ["check", "is-completed", "let in"] : ["ban", "is-failed", "refused"];
  return h(
    `li.decision.${kind}`,
    {},
    h("span.status", {}, icon(symbol), word),
    h("span.decision-address", {}, bdi(each.address, 300)),
    h("span.decision-rule", {}, bdi(each.rule, 400)),
  );
}
