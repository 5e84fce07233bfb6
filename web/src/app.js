/** Puts the page together: components, the outlet of pages, the router, the live connection. */
import Alpine from "@alpinejs/csp";
import "./styles.js";
import { rooted } from "./component.js";
import { ago, bytes, clean, counted, duration, moment, number } from "./format.js";
import { live } from "./live.js";
import { PAGES, templates } from "./pages/index.js";
import { onRoute, startRouter } from "./router.js";
import { shell } from "./shell.js";

for (const [name, made] of Object.entries({ ago, bytes, clean, counted, duration, moment, number })) {
  Alpine.magic(name, () => made);
}
Alpine.data("shell", shell);
for (const [name, component] of Object.entries(PAGES)) Alpine.data(name, () => rooted(component()));

const outlet = document.getElementById("main");
let shown = null;

/** A new page takes the place of the old one; the same page hears of its new query by itself. */
function outletShows({ page, id, name }) {
  const wanted = page === "job" ? `job ${id}` : name ? `${page} ${name}` : page;
  if (shown === wanted) return;
  const first = shown === null;
  shown = wanted;
  outlet.innerHTML = templates[page];
  document.title = [outlet.querySelector("h1")?.textContent, "Quaero"].filter(Boolean).join(" · ");
  if (!first) {
    scrollTo(0, 0);
    outlet.focus({ preventScroll: true });
  }
}

onRoute(outletShows);
startRouter();
Alpine.start();
live.connect();
document.documentElement.dataset.ready = "true";
