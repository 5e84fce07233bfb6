/** What was heard of jobs of late, by which a list that comes in later, and was asked for before, is
 * known to be from before.
 */
const REMEMBERED = 60_000;

export class Heard {
  constructor() {
    this.changes = new Map();
    this.deletions = new Map();
  }

  changed(id) {
    this.changes.delete(id);
    this.changes.set(id, Date.now());
  }

  deleted(id) {
    this.deletions.delete(id);
    this.deletions.set(id, Date.now());
  }

  /** Whether more was heard of a job since a list was asked for. */
  overtaken(id, askedAt) {
    return askedAt > 0 && (this.changes.get(id) ?? 0) > askedAt;
  }

  /** Whether a job was deleted since a list was asked for. */
  isGone(id, askedAt) {
    return askedAt > 0 && (this.deletions.get(id) ?? 0) >= askedAt;
  }

  /** Only what may be newer than a list under way has to be known. */
  forget() {
    const old = Date.now() - REMEMBERED;
    for (const all of [this.changes, this.deletions]) {
      for (const [id, at] of all) {
        if (at > old) break;
        all.delete(id);
      }
    }
  }
}
