/** The live connection: one socket a tab, which comes back by itself and misses nothing.
 *
 * Pages subscribe to topics. What arrives is coalesced (of a job only the last state of a topic) and
 * handed over once an animation frame. After a gap the socket resumes from the last cursor it saw;
 * where the server cannot, `reload` is told to all, as it is every five seconds while there is no
 * connection, and once when it is back: a page may have been opened, or have asked in vain, meanwhile.
 * A paused or long hidden page has no connection at all, and resumes in the same way.
 */
import { note } from "./dialogs.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
const RELOAD_EVERY = 5_000;
const HIDDEN_FOR = 60_000;
const SILENT_FOR = 25_000;
const MOST_WAITING = 5_000;
const UNSAID = new Set(["pong", "feed", "subscribed"]);
const TOPICS = { queue: ["queue"], workers: ["workers", "system"], health: ["system"], schedule: ["system"] };

export class Live {
  constructor(url) {
    this.url = url;
    this.topics = new Map();
    this.watchers = new Set();
    this.socket = null;
    this.feed = null;
    this.paused = false;
    this.asleep = false;
    this.failures = 0;
    this.retryAt = 0;
    this.lost = false;
    this.waiting = new Map();
    this.plain = [];
    this.frame = 0;
    setInterval(() => this.beat(), 1000);
    document.addEventListener("visibilitychange", () => this.visibility());
    window.addEventListener("online", () => this.hurry());
  }

  /** `live`, `reconnecting` after a loss, `paused`, or `connecting` before the first answer. */
  get state() {
    if (this.paused) return "paused";
    if (this.socket?.ready) return "live";
    return this.lost ? "reconnecting" : "connecting";
  }

  get retryIn() {
    return Math.max(0, Math.ceil((this.retryAt - Date.now()) / 1000));
  }

  /** Be told of changes of the state. */
  watch(watcher) {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  tell() {
    this.watchers.forEach((watcher) => watcher(this));
  }

  /** Hear what is said on a topic: `{message(m), reload(topic)}`. The answer ends that.
   *
   * `reload` is told the topic where only that is out of date.
   * A listener to a log has `after()`, the id of the last line it has; the topic goes on from there.
   */
  subscribe(topic, listener) {
    const listeners = this.topics.get(topic) ?? new Set();
    const first = !listeners.size;
    listeners.add(listener);
    this.topics.set(topic, listeners);
    if (first) this.send({ subscribe: [this.named(topic)], resume: this.place() });
    return () => {
      listeners.delete(listener);
      if (listeners.size || this.topics.get(topic) !== listeners) return;
      this.topics.delete(topic);
      this.send({ unsubscribe: [topic] });
    };
  }

  /** A topic as it is asked for: that of a log with its place. */
  named(topic) {
    const places = [...this.topics.get(topic)].map((each) => each.after?.()).filter((each) => each != null);
    if (!places.length) return topic;
    return `${topic}${topic.includes("?") ? "&" : "?"}after=${Math.min(...places)}`;
  }

  /** Where in the feed of changes this page is. */
  place() {
    return this.feed ? { feed: this.feed } : null;
  }

  send(frame) {
    if (this.socket?.ready) this.socket.send(JSON.stringify(frame));
  }

  connect() {
    if (this.socket || this.paused || this.asleep) return;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.heard = Date.now();
    socket.onmessage = (event) => {
      for (const message of [JSON.parse(event.data)].flat()) this.heard(socket, message);
    };
    socket.onclose = () => this.closed(socket);
  }

  heard(socket, message) {
    socket.heard = Date.now();
    const { type, topic, feed } = message;
    if (type === "hello") return this.greeted(socket, message);
    if (type === "reset") this.missed(socket, topic);
    else if (type === "error") note(message.detail, { error: true });
    else if (!UNSAID.has(type)) this.keep(message);
    if (feed) this.feed = feed;
  }

  /** Go on from the last place; a new page begins at the head, and then loads what it shows. */
  greeted(socket, message) {
    const first = !this.feed;
    this.feed ??= message.feed;
    socket.ready = true;
    this.failures = 0;
    this.send({ subscribe: [...this.topics.keys()].map((topic) => this.named(topic)), resume: this.place() });
    if (first || this.lost) this.reload();
    this.lost = false;
    this.tell();
  }

  /** More has happened than is told one by one: on one topic, or on all, which is said once. */
  missed(socket, topic) {
    this.reload(topic);
    if (topic || socket.told) return;
    socket.told = true;
    note("More was missed than could be told one by one: all that is shown was loaded anew.");
  }

  closed(socket) {
    if (this.socket !== socket) return;
    this.socket = null;
    if (!this.paused && !this.asleep) {
      const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.failures);
      if (!this.lost) this.reloadAt = Date.now() + RELOAD_EVERY; // not put off by the next failure
      this.failures += 1;
      this.lost = true;
      this.retryAt = Date.now() + longest * (0.5 + Math.random() / 2);
      setTimeout(() => this.connect(), this.retryAt - Date.now());
    }
    this.tell();
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    if (socket) socket.onclose = null;
    socket?.close();
  }

  /** End with a socket that says nothing: that it has closed would be told late, or never. */
  giveUp() {
    this.drop();
    this.closed(null);
  }

  /** Each second: count down, look whether the server still speaks, reload while it does not. */
  beat() {
    if (this.paused || document.hidden) return;
    const silence = this.socket ? Date.now() - this.socket.heard : 0;
    if (silence > 2 * SILENT_FOR) this.giveUp();
    if (!this.socket?.ready) {
      this.tell();
      if (this.lost && Date.now() >= this.reloadAt) {
        this.reloadAt = Date.now() + RELOAD_EVERY;
        this.reload();
      }
      return;
    }
    if (silence > SILENT_FOR) this.send({ ping: Date.now() });
  }

  pause(paused) {
    this.paused = paused;
    if (paused) this.drop();
    else this.hurry();
    this.tell();
  }

  /** Try now: the network is back, or somebody looks again. */
  hurry() {
    this.failures = 0;
    this.retryAt = 0;
    this.connect();
  }

  visibility() {
    clearTimeout(this.sleep);
    if (document.hidden) {
      this.sleep = setTimeout(() => {
        this.asleep = true;
        this.drop();
      }, HIDDEN_FOR);
      return;
    }
    this.asleep = false;
    this.hurry();
    this.schedule();
  }

  keep(message) {
    if (message.type === "job") {
      const key = `${message.topic} ${message.job.id}`;
      this.waiting.delete(key);
      this.waiting.set(key, message);
    } else if (TOPICS[message.type]) {
      this.waiting.set(message.type, message);
    } else {
      this.plain.push(message);
    }
    if (this.waiting.size + this.plain.length > MOST_WAITING) {
      this.forget();
      this.reload();
    }
    this.schedule();
  }

  forget() {
    this.waiting.clear();
    this.plain = [];
  }

  schedule() {
    if (this.frame || document.hidden) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.flush();
    });
  }

  flush() {
    const messages = [...this.waiting.values(), ...this.plain];
    this.forget();
    for (const message of messages) {
      for (const topic of TOPICS[message.type] ?? [message.topic]) {
        this.topics.get(topic)?.forEach((listener) => listener.message?.(message));
      }
    }
  }

  /** Have what is shown loaded anew: all of it, or what hears one topic. */
  reload(topic) {
    const heard = topic ? [this.topics.get(topic) ?? []] : [...this.topics.values()];
    const all = new Set(heard.flatMap((listeners) => [...listeners]));
    all.forEach((listener) => listener.reload?.(topic));
  }
}

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
export const live = new Live(`${scheme}//${location.host}/ws`);
