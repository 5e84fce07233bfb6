/** Chooses light or dark before the page is drawn, so that it never flashes. */
import "./locale.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

function stored() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}

document.documentElement.dataset.theme = stored() || (dark.matches ? "dark" : "light");
dark.addEventListener("change", () => {
  if (!stored()) document.documentElement.dataset.theme = dark.matches ? "dark" : "light";
});
