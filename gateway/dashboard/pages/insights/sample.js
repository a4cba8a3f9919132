// A fair sample of pictures of each class, read into small squares of pixels in the browser.
//
// Labelled pictures where there are any, else those that people sent, by the class that was answered.
// Examples come in the order of their content's hash, so the first ones are as good as drawn by lot.

import { api } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { many } from "../../core/format.js";
import { progress, sized } from "../../parts/pieces.js";
import { empty } from "../../parts/states.js";
import { SIDE, measured, pixelsOf } from "./pixels.js";

const EACH = 24;
const MOST_CLASSES = 16;
const AT_ONCE = 6;

export class Sample {
  constructor(visit) {
    Object.assign(this, { visit, pictures: [], classes: [], done: 0, all: 0, isReady: false, isEmpty: false, source: "" });
    this.computed = new Map();
  }

  /** Pictures of one class. */
  of(label) {
    return this.pictures.filter((picture) => picture.label === label);
  }

  /** Computed once for the pictures that there are. */
  once(name, compute) {
    if (!this.computed.has(name)) this.computed.set(name, compute());
    return this.computed.get(name);
  }

  async take(known) {
    if (this.isReady) return;
    const wanted = known.dataset ? await this.labelled(known.dataset) : this.sent(known.predictions);
    this.source = known.dataset ? `labelled pictures of ${known.dataset.name}` : "pictures that people sent, by the class answered";
    this.all = wanted.length;
    this.isEmpty = !wanted.length;
    const queue = [...wanted];
    await Promise.all(Array.from({ length: AT_ONCE }, () => this.work(queue)));
    if (this.visit.signal.aborted) return;
    this.classes = [...new Set(this.pictures.map(({ label }) => label))].sort();
    this.isReady = this.pictures.length > 0;
    this.visit.redraw();
  }

  async labelled({ name, splits }) {
    const labels = [...new Set(Object.values(splits).flatMap(Object.keys))].sort().slice(0, MOST_CLASSES);
    const pages = await Promise.all(labels.map((label) => api.get(`/v1/datasets/${name}/examples`, { signal: this.visit.signal, query: { label, limit: EACH } }).catch(() => ({ examples: [] }))));
    return pages.flatMap(({ examples }) => examples.map(({ id, label }) => ({ label, url: `v1/datasets/${name}/examples/${id}/image` })));
  }

  sent(predictions) {
    const counts = {};
    return predictions.filter(({ picture, classifications: [best] }) => picture && best && (counts[best.label] = (counts[best.label] ?? 0) + 1) <= EACH).map(({ id, classifications: [best] }) => ({ label: best.label, url: `v1/predictions/${id}/image` }));
  }

  async work(queue) {
    for (let next = queue.shift(); next && !this.visit.signal.aborted; next = queue.shift()) {
      const pixels = await pixelsOf(sized(next.url, SIDE), this.visit.signal).catch(() => null);
      if (pixels) this.pictures.push({ ...next, pixels, ...measured(pixels) });
      this.done += 1;
      if (this.done % 40 === 0) this.visit.redraw();
    }
  }

  state() {
    if (this.isReady) return h("p", { class: "soft" }, `From ${many(this.pictures.length, "picture")} of ${many(this.classes.length, "class", "classes")}: ${this.source}, at most ${EACH} of each.`);
    if (this.isEmpty) return empty("No pictures to look at", "Upload labelled pictures, or ask for predictions; then their colours and shapes are compared here.");
    return h("div", { class: "stack" }, h("p", { class: "soft", role: "status" }, `Reading pictures: ${this.done} of ${this.all || "…"}`), progress(this.all ? this.done / this.all : null, "Pictures read"), h("div", { class: "skeleton", style: { height: "420px" } }));
  }
}
