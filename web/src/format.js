/** Values as people read them. All functions are pure; times are given in milliseconds. */
import { now } from "./clock.js";

const NUMBER = new Intl.NumberFormat("en");
const MOMENT = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "medium",
  timeStyle: "medium",
});

// Control characters, and the marks that turn the direction of text around.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

// A text of nothing but marks that take no ink would be an empty line, and a link that cannot be seen.
const NO_INK = /^[\p{C}\p{Z}\p{M}\u115f\u1160\u2800\u3164\uffa0]+$/u;
const ANY_BUT_BLANK = /[^ ]/gu;

function escaped(character) {
  if (SHORT[character]) return SHORT[character];
  const code = character.codePointAt(0);
  const hex = code.toString(16);
  if (code > 0xffff) return `\\u{${hex}}`;
  return code < 256 ? `\\x${hex.padStart(2, "0")}` : `\\u${hex.padStart(4, "0")}`;
}

/** Text of unknown origin on one line: what cannot be seen is written out, what is long is cut. */
export function clean(text, most = 400) {
  const whole = String(text ?? "");
  const cut = whole.length > most ? `${whole.slice(0, most)}…` : whole;
  return cut.replace(NO_INK.test(cut) ? ANY_BUT_BLANK : HIDDEN, escaped);
}

/** The same for text that may have lines: they stay. */
export function cleanLines(text) {
  return String(text ?? "").replace(HIDDEN, (c) => (c === "\n" || c === "\t" ? c : escaped(c)));
}

export const number = (value) => (value == null ? "–" : NUMBER.format(value));

/** A count that the server may have stopped at its limit. */
export function counted(total) {
  if (total == null) return "–";
  return total.capped ? `${number(total.count)}+` : number(total.count);
}

/** Seconds as 0.8 s, 12 s, 3 m 05 s, 2 h 14 m, 3 d 4 h. */
export function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds < 0.0995) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (value) => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** Seconds as marks of an axis: no two that differ read the same. */
export function tickDuration(seconds) {
  if (seconds === 0) return "0";
  if (seconds < 1) return `${Number((seconds * 1000).toPrecision(3))} ms`;
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
  return duration(seconds);
}

/** How long ago a moment of the server was, or how long until it comes. */
export function ago(moment) {
  if (!moment) return "–";
  const seconds = (now() - Date.parse(moment)) / 1000;
  const away = Math.abs(seconds);
  if (away < 1.5) return "now";
  const words = brief(away);
  return seconds > 0 ? `${words} ago` : `in ${words}`;
}

function brief(seconds) {
  if (seconds < 59.5) return `${Math.round(seconds)}s`;
  if (seconds < 59.5 * 60) return `${Math.round(seconds / 60)}m`;
  if (seconds < 23.5 * 3600) return `${Math.round(seconds / 3600)}h`;
  return `${Math.round(seconds / 86400)}d`;
}

export const moment = (value) => (value ? MOMENT.format(new Date(value)) : "–");

/** The time of day with milliseconds, for log lines. */
export function clockTime(value) {
  const at = new Date(value);
  const two = (part) => String(part).padStart(2, "0");
  const thousandths = String(at.getMilliseconds()).padStart(3, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${thousandths}`;
}

export function bytes(value) {
  if (value == null) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let left = value;
  let unit = 0;
  while (left >= 999.5 && unit < units.length - 1) {
    left /= 1000;
    unit += 1;
  }
  return `${unit && left < 9.95 ? left.toFixed(1) : Math.round(left)} ${units[unit]}`;
}

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
