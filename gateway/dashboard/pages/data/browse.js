// The pictures of a dataset, by split and class: choose some, give them another class, or delete them.

import { api } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { count, many } from "../../core/format.js";
import { ask } from "../../parts/dialogs.js";
import { button, field, panelWith, select, thumbnail } from "../../parts/pieces.js";
import { empty, failure, loading } from "../../parts/states.js";

const PAGE = 60;

export class Browser {
  constructor(view) {
    Object.assign(this, { view, rows: null, next: null, error: null, isLoading: false, split: "", label: "", chosen: new Set() });
  }

  reset() {
    Object.assign(this, { rows: null, next: null, label: "", split: "" });
    this.chosen.clear();
    this.view.visit.redraw();
  }

  reload() {
    return this.load(false);
  }

  async load(more) {
    const { visit, state } = this.view;
    if (!state.dataset) return;
    const asked = (this.asked = Symbol("the last question counts"));
    Object.assign(this, { isLoading: true, error: null, rows: this.rows ?? [] });
    try {
      const page = await api.get(`/v1/datasets/${state.dataset}/examples`, { signal: visit.signal, query: { split: this.split, label: this.label, limit: PAGE, cursor: more ? this.next : null } });
      if (asked !== this.asked) return;
      Object.assign(this, { rows: more ? [...this.rows, ...page.examples] : page.examples, next: page.next_cursor });
    } catch (error) {
      if (visit.signal.aborted || asked !== this.asked) return;
      this.error = error.status === 404 ? null : error;
    }
    this.isLoading = false;
    visit.redraw();
  }

  filter(name, value) {
    this[name] = value;
    this.chosen.clear();
    this.load(false);
  }

  panel(dataset) {
    const labels = [...new Set(Object.values(dataset.splits).flatMap(Object.keys))].sort();
    const choices = (all, words) => [["", all], ...words.map((word) => [word, word])];
    return panelWith(
      "Browse",
      { actions: [field("Split", select(this.split, choices("Every split", ["train", "validation", "test"]), (value) => this.filter("split", value))), field("Class", select(this.label, choices("Every class", labels), (value) => this.filter("label", value)))] },
      this.chosen.size ? this.bar(labels) : h("p", { class: "faint" }, "Select pictures to give them another class", this.view.app.may("operate") ? " or to delete them." : "."),
      this.content(),
    );
  }

  bar(labels) {
    const { app } = this.view;
    const all = [...new Set([...labels, ...app.labels])].sort();
    return h(
      "div",
      { class: "selection", role: "region", "aria-label": "Selected pictures" },
      h("b", { role: "status" }, `${many(this.chosen.size, "picture")} selected`),
      app.may("label") ? field("Give them the class", select("", [["", "Choose …"], ...all.map((label) => [label, label])], (label) => label && this.relabel(label))) : null,
      app.may("operate") ? button("Delete", () => this.remove(), { tone: "danger" }) : null,
      button("Select none", () => { this.chosen.clear(); this.view.visit.redraw(); }, { tone: "quiet" }),
    );
  }

  content() {
    if (this.error) return failure(this.error, () => this.reload());
    if (this.isLoading && !this.rows?.length) return loading(240);
    if (!this.rows?.length) return empty("No picture here", "Choose another split or class.");
    return [
      h("ul", { class: "picture-grid" }, this.rows.map((row) => this.cell(row))),
      this.next ? h("div", {}, button(this.isLoading ? "Loading …" : "Show more", () => this.load(true), { disabled: this.isLoading })) : h("p", { class: "faint" }, `That is all: ${count(this.rows.length)}.`),
    ];
  }

  cell(row) {
    const isChosen = this.chosen.has(row.id);
    const toggle = () => {
      if (!this.chosen.delete(row.id)) this.chosen.add(row.id);
      this.view.visit.redraw();
    };
    return h(
      "li",
      { "data-key": row.id },
      h("button", { type: "button", class: isChosen ? "cell is-chosen" : "cell", "aria-pressed": String(isChosen), onclick: toggle }, thumbnail(`v1/datasets/${row.dataset}/examples/${row.id}/image`, ""), h("span", { class: "cell-name wrap" }, row.label), h("span", { class: "cell-detail" }, h("span", {}, row.split), row.source === "feedback" ? h("span", {}, "correction") : null)),
    );
  }

  /** One after another; what fails stays selected and is told once. */
  async each(deed, done) {
    const { app, state } = this.view;
    let failed = null;
    let changed = 0;
    for (const id of [...this.chosen]) {
      try {
        await deed(`/v1/datasets/${state.dataset}/examples/${id}`);
        this.chosen.delete(id);
        changed += 1;
      } catch (error) {
        failed = error;
      }
    }
    app.toast(failed ? `${many(this.chosen.size, "picture")} unchanged: ${failed.message}` : done(changed), { tone: failed ? "bad" : "good" });
    this.view.changed();
  }

  relabel(label) {
    return this.each((path) => api.put(path, { json: { label } }), (changed) => `${many(changed, "picture")} now of the class ${label}.`);
  }

  async remove() {
    const answer = await ask({ title: `Delete ${many(this.chosen.size, "picture")}?`, text: "They are deleted from this dataset for good.", confirm: "Delete", tone: "danger" });
    if (answer) await this.each((path) => api.delete(path), (changed) => `${many(changed, "picture")} deleted.`);
  }
}
