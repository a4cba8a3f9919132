// Archives that are taken in by the gateway in the background, and how far they are.

import { api } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { count, many } from "../../core/format.js";
import { badge, button, panel, progress, when } from "../../parts/pieces.js";
import { fileTable } from "./upload.js";

const TONES = { queued: "idle", running: "accent", succeeded: "good", failed: "bad", cancelled: "warning" };
const isOpen = ({ state }) => state === "queued" || state === "running";

export class Imports {
  constructor(view) {
    this.view = view;
    this.open = new Map();
    this.list = view.visit.resource((signal) => this.load(signal), 2);
    this.wasRunning = false;
  }

  reload() {
    this.list.reload();
  }

  /** Ask often only while one runs. */
  async load(signal) {
    const { imports } = await api.get("/v1/imports", { signal, query: { limit: 5 } });
    const isRunning = imports.some(isOpen);
    this.list && (this.list.every = isRunning ? 1 : 20);
    if (this.wasRunning && !isRunning) this.view.changed();
    this.wasRunning = isRunning;
    return imports;
  }

  panel() {
    const imports = this.list.value ?? [];
    if (!imports.length) return null;
    return panel("Imports", h("ul", { class: "imports" }, imports.map((one) => this.item(one))));
  }

  item(one) {
    const { progress: done, report } = one;
    const share = done.bytes_total ? done.bytes_done / done.bytes_total : null;
    const told = `${count(report.added)} added, ${count(report.duplicates)} already there, ${count(report.conflicts)} under another class, ${count(report.refused)} refused`;
    return h(
      "li",
      { class: "stack", "data-key": one.id },
      h("div", { class: "row row-apart" }, h("p", {}, h("b", { class: "wrap" }, one.dataset), " ", badge(one.state, TONES[one.state]), " ", h("span", { class: "faint" }, when(one.created_at), ` by ${one.caller}`)), isOpen(one) && this.view.app.may("label") ? button("Cancel", () => this.cancel(one), { tone: "small" }) : button(this.open.has(one.id) ? "Hide files" : "Files", () => this.look(one), { tone: "small quiet" })),
      isOpen(one) ? progress(share, `Import into ${one.dataset}`) : null,
      h("p", { class: "soft" }, done.files_total ? `${count(done.files_done)} of ${many(done.files_total, "file")}: ${told}` : `${many(done.files_done, "file")}: ${told}`),
      report.stopped ? h("p", { class: "soft wrap" }, report.stopped) : null,
      this.open.get(one.id) ? fileTable(this.open.get(one.id)) : null,
    );
  }

  async look(one) {
    if (this.open.delete(one.id)) return this.view.visit.redraw();
    try {
      this.open.set(one.id, (await api.get(`/v1/imports/${one.id}`)).report.files.slice(0, 200));
    } catch (error) {
      this.view.app.toast(error.message, { tone: "bad" });
    }
    this.view.visit.redraw();
  }

  async cancel(one) {
    await api.delete(`/v1/imports/${one.id}`).catch((error) => this.view.app.toast(error.message, { tone: "bad" }));
    this.reload();
  }
}
