// The pictures that were given: asked a few at a time, so that the first answers come at once.

import { upload } from "../../core/api.js";
import { giveFeedback } from "../../parts/correcting.js";

const AT_ONCE = 4;

export class Queue {
  constructor(app, state, visit) {
    Object.assign(this, { app, state, visit, items: [], running: 0, isStopped: false });
    visit.signal.addEventListener("abort", () => this.clear(), { once: true });
  }

  add(files) {
    this.isStopped = false;
    const fresh = files.map(({ file, path }) => ({ key: crypto.randomUUID(), file, name: path, url: null, answer: null, other: null, error: null, feedback: null, state: "waiting" }));
    this.items = [...fresh, ...this.items];
    this.pump();
  }

  counts() {
    const done = this.items.filter(({ state }) => state === "done" || state === "failed").length;
    return { all: this.items.length, done, failed: this.items.filter(({ state }) => state === "failed").length };
  }

  /** The picture's own address; made when it is first shown. */
  urlOf(item) {
    return (item.url ??= URL.createObjectURL(item.file));
  }

  pump() {
    this.visit.redraw();
    while (this.running < AT_ONCE && !this.isStopped) {
      const item = this.items.find(({ state }) => state === "waiting");
      if (!item) return;
      item.state = "asked";
      this.running += 1;
      this.ask(item).finally(() => { this.running -= 1; this.pump(); });
    }
  }

  async ask(item) {
    try {
      item.answer = await this.predict(item, this.state.version);
      item.state = "done";
    } catch (error) {
      Object.assign(item, { error, state: "failed" });
    }
    if (item.state === "done" && this.state.other) await this.compare(item);
  }

  async predict(item, version, store = true) {
    const form = new FormData();
    form.append("images", item.file, item.name.slice(-200));
    const query = new URLSearchParams({ ...(version ? { version } : {}), ...(store ? {} : { store: "false" }) });
    const answer = await upload(`/v1/models/${this.app.model}/predictions?${query}`, form, { signal: this.visit.signal });
    const [prediction] = answer.predictions;
    if (prediction.error) throw Object.assign(new Error(prediction.error.detail), { code: prediction.error.code });
    return { ...answer, prediction, at: Date.now() };
  }

  /** Ask the second version, without remembering: it is no answer to anybody. */
  async compare(item) {
    item.other = await this.predict(item, this.state.other, false).catch((error) => ({ error }));
    this.visit.redraw();
  }

  async compareAll() {
    for (const item of this.items) {
      item.other = null;
      if (this.state.other && item.state === "done") await this.compare(item);
    }
  }

  retry() {
    for (const item of this.items) if (item.state === "failed") Object.assign(item, { state: "waiting", error: null });
    this.isStopped = false;
    this.pump();
  }

  stop() {
    this.isStopped = true;
    this.items = this.items.filter(({ state }) => state !== "waiting");
    this.visit.redraw();
  }

  clear() {
    for (const { url } of this.items) if (url) URL.revokeObjectURL(url);
    this.items = [];
    this.visit.redraw();
  }

  /** The true label, or null to take it back. Shown at once; put back when it was not taken. */
  async correct(item, label) {
    const before = item.feedback;
    item.feedback = label;
    this.visit.redraw();
    try {
      await giveFeedback(item.answer.prediction.id, label, item.answer.at);
    } catch (error) {
      item.feedback = before;
      this.app.toast(error.message, { tone: "bad" });
      this.visit.redraw();
    }
  }
}

