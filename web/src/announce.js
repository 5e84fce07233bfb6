/** Tells who hears the page, and does not see it, what has changed: the last of it, and not too often. */
import { paced } from "./clock.js";
import { say } from "./dom.js";

const EVERY_MS = 10_000;

let text = "";
const tell = paced(() => say(document.getElementById("announcer"), text), EVERY_MS, 500);

export function announce(news) {
  if (news.trim() === text) return;
  text = news.trim();
  tell();
}
