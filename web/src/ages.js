/** Ages on a page: each is an element that says anew, every second, how long ago a moment was. */
import { everySecond } from "./clock.js";
import { h, say } from "./dom.js";
import { ago, moment } from "./format.js";

/** How long ago a moment of the server was; the moment itself is shown on pointing at it. */
export const since = (at, kind = "") => h(`span.age${kind}`, { "data-ago": at, title: at ? moment(at) : null }, ago(at));

/** Have all ages of the document grow, as long as it is open. */
export function keepAges() {
  everySecond(() => {
    for (const element of document.querySelectorAll("[data-ago]")) say(element, ago(element.dataset.ago));
  });
}
