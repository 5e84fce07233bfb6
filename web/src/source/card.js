/** The card of one source: how it is, what is going on, what can be done. Changed in place. */
import { post } from "../api.js";
import { now } from "../clock.js";
import { menu, note } from "../dialogs.js";
import { bdi, h, icon, iconButton, once, say } from "../dom.js";
import { ago, clean, duration, number, plural } from "../format.js";
import { ended } from "../job/ended.js";
import { progressOf, runTime, stateText } from "../job_row.js";
import { go } from "../router.js";
import { checkList } from "./checks.js";
import { HEALTH, healthOf } from "./health.js";

const ENDED = { completed: "Collected", failed: "Failed", cancelled: "Cancelled" };

export class SourceCard {
  constructor(source, page) {
    this.page = page;
    this.name = h("h2.source-name", { id: `source-${source.id}` });
    this.address = h("p.source-address");
    this.mark = h("span.status");
    this.tags = h("p.chips");
    this.documents = h("a.link");
    this.about = h("span");
    this.facts = h("p.source-facts", {}, this.documents, this.about);
    this.ranBefore = h("span");
    this.job = h("a.link");
    this.ranAfter = h("span");
    this.ran = h("p.source-facts", {}, this.ranBefore, this.job, this.ranAfter);
    this.bar = h("span.bar", { "aria-hidden": "true" }, h("span.bar-done"), h("span.bar-failed"));
    this.barWords = h("span.source-progress-words");
    this.progress = h("div.source-progress", {}, this.bar, this.barWords);
    this.trouble = h("div.source-trouble");
    this.checks = h("div.source-checks", { "aria-live": "polite" });
    this.button = h("button.button.is-small", { type: "button", on: { click: once(() => this.main()) } });
    this.check = h("button.button.is-small", { type: "button", on: { click: () => this.validate() } }, "Check");
    this.more = iconButton("more", `More for ${source.name}`, () => this.menu());
    this.element = h(
      "article.card.source-card",
      { tabindex: "-1", "aria-labelledby": `source-${source.id}` },
      h("header.source-head", {}, h("div.source-title", {}, this.name, this.address), this.mark),
      this.progress,
      this.trouble,
      this.facts,
      this.ran,
      this.tags,
      this.checks,
      h("footer.source-foot", {}, this.button, this.check, h("span.spacer"), this.more),
    );
  }

  update(source) {
    this.source = source;
    if (source.run) source.run.seenAt ??= now();
    const health = HEALTH[healthOf(source)];
    say(this.name, source.name);
    this.address.replaceChildren(bdi(source.base_url, 300));
    this.mark.className = `status is-${source.active ? "running" : health.tone}`;
    this.mark.replaceChildren(icon(source.active ? "run" : health.icon), source.active ? "Collecting" : health.label);
    this.showTrouble(source);
    this.tags.replaceChildren(...source.tags.map((tag) => h("span.chip", {}, clean(tag, 60))));
    this.tags.hidden = !source.tags.length;
    const does = source.active ? "Cancel" : "Collect now";
    say(this.button, does);
    this.button.setAttribute("aria-label", `${does}: ${source.name}`);
    this.check.setAttribute("aria-label", `Check: ${source.name}`);
    this.button.disabled = !source.active && !source.enabled;
    this.check.hidden = source.active;
    this.showFacts(source);
    this.tick();
  }

  showFacts(source) {
    this.documents.href = `/documents?q=source:${source.name}`;
    say(this.documents, plural(source.documents, "document"));
    const parts = [source.gone ? `, ${number(source.gone)} gone` : "", ` · ${source.kind}`];
    const { settings } = source;
    const patterns = (settings.include?.length ?? 0) + (settings.exclude?.length ?? 0);
    if (patterns) parts.push(` · ${plural(patterns, "pattern")}`);
    if (settings.max_pages) parts.push(` · at most ${plural(settings.max_pages, "page")}`);
    if (source.credential) parts.push(` · login ${source.credential}`);
    say(this.about, parts.join(""));
  }

  /** What was wrong in the last run, as long as no other one is under way. */
  showTrouble(source) {
    const bad = !source.active && source.detail && source.enabled;
    this.trouble.hidden = !bad;
    if (!bad) return;
    const kind = source.health === "warnings" ? "is-warning" : "is-error";
    const text = clean(source.detail, 1_200).replace(/^a pre job did not end well: /, "");
    const problems = text.includes(" | ") ? text.replace(/^\d+ problems: /, "").split(" | ") : [text];
    const words = problems.length > 1 ? h("ul", {}, problems.map((each) => h("li", {}, each))) : h("span", {}, text);
    this.trouble.className = `source-trouble ${kind}`;
    this.trouble.replaceChildren(icon("warn"), h("div", {}, words));
  }

  /** What changes with time alone. */
  tick() {
    const { run, active } = this.source;
    this.progress.hidden = !active;
    this.job.hidden = !run;
    if (run) this.job.href = `/jobs/${run.id}`;
    say(this.job, run ? `Job ${run.id}` : "");
    if (active) this.showProgress(run);
    else this.showRun(run);
  }

  showProgress(run) {
    const found = progressOf(run);
    this.bar.classList.toggle("is-moving", run.status === "running");
    this.bar.children[0].style.transform = `scaleX(${Math.min(1, found?.done ?? 0)})`;
    this.bar.children[1].style.transform = `translateX(${(found?.done ?? 0) * 100}%) scaleX(${found?.failed ?? 0})`;
    const words = found?.words ? `${found.words} done` : stateText(run);
    say(this.barWords, [words, found?.note].filter(Boolean).join(", "));
    const time = runTime(run);
    say(this.ranBefore, "");
    say(this.ranAfter, time == null ? "" : `, for ${duration(time)}`);
  }

  showRun(run) {
    say(this.ranAfter, "");
    if (!run) return say(this.ranBefore, "Not collected yet");
    const word = ENDED[run.status] ?? "Ended";
    say(this.ranBefore, `${word} ${ago(run.completed_at)} in ${duration(run.duration)}, `);
  }

  // -- what can be done

  main() {
    if (this.source.active) this.page.cancel(this.source);
    else this.page.collect(this.source);
  }

  menu() {
    const { source, page } = this;
    menu(this.more, [
      { label: "Edit", icon: "code", act: () => page.openEditor(source) },
      { label: "Runs", icon: "tree", act: () => go(`/queue?source=${source.name}`) },
      { label: "Documents", icon: "search", act: () => go(`/documents?q=source:${source.name}`) },
      { label: source.enabled ? "Disable" : "Enable", icon: source.enabled ? "pause" : "run", act: () => page.enable(source) },
      { label: "Delete", icon: "trash", act: () => page.remove(source), danger: true },
    ]);
  }

  /** Check without collecting, and show every check. */
  async validate() {
    if (this.source.active || this.check.classList.contains("is-loading")) return;
    this.check.classList.add("is-loading");
    this.checks.replaceChildren(h("p.quiet", {}, "Checking…"));
    try {
      const begun = await post(`/api/sources/${this.source.id}/validate`);
      this.waiting = ended(begun.id);
      const job = await this.waiting.job;
      if (!job) return;
      const close = iconButton("cross", "Hide the checks", () => this.checks.replaceChildren());
      this.checks.replaceChildren(checkList(job, close));
    } catch (error) {
      this.checks.replaceChildren();
      note(error.message, { error: true });
    } finally {
      this.check.classList.remove("is-loading");
    }
  }

  destroy() {
    this.waiting?.stop();
    this.element.remove();
  }

  key(key) {
    const does = {
      Enter: () => this.page.openEditor(this.source),
      e: () => this.page.openEditor(this.source),
      r: () => !this.source.active && this.page.collect(this.source),
      c: () => this.source.active && this.page.cancel(this.source),
      v: () => this.validate(),
    };
    if (key === "Enter" && document.activeElement !== this.element) return false;
    does[key]?.();
    return key in does;
  }
}
