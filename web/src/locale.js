/** A browser whose language is no valid tag (`en-US@posix`, under LANG=C) gets a valid one, because
 * Intl and whatever uses it throws on others. */
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en-US", configurable: true });
}
