// One thing that the API answers, kept fresh: asks again after a while, backs off while it fails,
// rests while nobody looks at the page, and keeps the last good answer on screen meanwhile.

import { connection } from "./api.js";

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;

export class Resource {
  value = undefined;
  error = null;

  /** `load(signal)` asks once; `every`: seconds between two questions, 0 for never. */
  constructor(load, { every = 0, signal, changed }) {
    Object.assign(this, { load, every, signal, changed, failures: 0, timer: null, asking: null });
    const options = { signal };
    document.addEventListener("visibilitychange", () => this.isDue() && this.reload(), options);
    connection.addEventListener("signed-in", () => this.reload(), options);
    signal.addEventListener("abort", () => this.stop(), { once: true });
    this.reload();
  }

  get isLoading() {
    return this.value === undefined && !this.error;
  }

  isDue() {
    return !document.hidden && (this.every > 0 || this.error);
  }

  /** Ask now; a question that is under way is dropped. */
  async reload() {
    if (this.signal.aborted) return;
    this.stop();
    const asking = (this.asking = new AbortController());
    try {
      const value = await this.load(asking.signal);
      if (asking.signal.aborted) return;
      this.value = value;
      this.error = null;
      this.failures = 0;
    } catch (error) {
      if (asking.signal.aborted || this.signal.aborted) return;
      this.error = error;
      this.failures += 1;
    }
    this.asking = null;
    this.plan();
    this.changed();
  }

  stop() {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.asking = null;
  }

  plan() {
    const wait = this.error ? this.retryAfter() : this.every * 1000;
    if (wait) this.timer = setTimeout(() => (document.hidden ? null : this.reload()), wait);
  }

  retryAfter() {
    if (this.error.isPassing === undefined) console.error(this.error);
    if (!this.error.isPassing) return this.every * 1000;
    if (this.error.retryAfter) return this.error.retryAfter * 1000;
    return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.failures - 1)) * (0.75 + Math.random() / 2);
  }
}
