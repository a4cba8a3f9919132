// The Retrain button: with which preset, on which pictures, and what it will cost, by the runs before.

import { api } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { count, duration, many } from "../../core/format.js";
import { field, panelWith, select } from "../../parts/pieces.js";
import { notice } from "../../parts/states.js";

const STARTS = [
  ["auto", "whatever suits the news"],
  ["stable", "the stable version's weights"],
  ["none", "nobody's weights: in full"],
];
const PRESETS = [
  ["tiny", "Tiny", "seconds; learns colours and coarse shapes, to try things out"],
  ["default", "Default", "some minutes; for most data"],
  ["best", "Best", "the longest and most accurate"],
];

export class StartForm {
  constructor(view) {
    Object.assign(this, { view, preset: "default", dataset: null, model: null, epochs: "", base: null, begin: "auto", error: null, isSending: false });
  }

  get found() {
    return this.view.datasets.value?.datasets ?? [];
  }

  panel() {
    const { app } = this.view;
    const model = this.model ?? app.model ?? "";
    const name = this.dataset ?? this.found.find((one) => one.name === app.model)?.name ?? this.found[0]?.name ?? "";
    const chosen = this.found.find((one) => one.name === name);
    const active = this.view.runs.value?.runs.find(({ state }) => state === "queued" || state === "running");
    return panelWith(
      "Retrain",
      { note: chosen ? `on ${many(chosen.examples, "labelled picture")}` : null },
      h(
        "form",
        { class: "stack", onsubmit: (event) => { event.preventDefault(); this.start(this.model ?? model, name); } },
        h("fieldset", { class: "presets" }, h("legend", { class: "hidden" }, "Preset"), PRESETS.map((preset) => this.choice(preset))),
        h("div", { class: "fields" }, this.modelField(model), field("Dataset", select(name, this.found.map((one) => [one.name, `${one.name} (${count(one.examples)})`]), (value) => { this.dataset = value; this.view.visit.redraw(); }, { required: true })), field("Epochs", h("input", { type: "number", min: 1, max: 10_000, placeholder: "As the preset", value: this.epochs, oninput: (event) => (this.epochs = event.target.value) })), field("Learn from", select(this.base ?? this.usualBase(chosen), [["dataset", "base data and uploads"], ["none", "uploads alone"]], (value) => { this.base = value; this.view.visit.redraw(); })), field("Begin with", select(this.begin, STARTS, (value) => { this.begin = value; this.view.visit.redraw(); }))),
        h("p", { class: "sentence" }, this.cost(chosen)),
        this.error ? notice("bad", this.error) : null,
        h("div", { class: "row" }, h("button", { type: "submit", class: "button primary", disabled: this.isSending || Boolean(active) || !chosen }, "Retrain"), active ? h("span", { class: "faint" }, "One run at a time; the one under way is below.") : !chosen ? h("span", { class: "faint" }, "Upload labelled pictures first, on the page Data.") : null),
      ),
    );
  }

  modelField(model) {
    if (this.view.app.models.length) return null;
    return field("Model", h("input", { type: "text", required: true, maxlength: 63, pattern: "[A-Za-z0-9][A-Za-z0-9_\\-]*", value: model, oninput: (event) => (this.model = event.target.value.trim()) }));
  }

  choice([value, title, text]) {
    const isChosen = this.preset === value;
    return h("label", { class: isChosen ? "preset is-chosen" : "preset" }, h("input", { type: "radio", name: "preset", value, checked: isChosen, onchange: () => { this.preset = value; this.view.visit.redraw(); } }), h("span", {}, h("b", {}, title), h("span", { class: "soft" }, text)));
  }

  /** Uploads alone, unless an earlier run had base data to build on. */
  usualBase() {
    const before = this.view.runs.value?.runs.find(({ state }) => state === "succeeded" || state === "rejected");
    return before?.spec.base ?? "none";
  }

  /** By the runs of the same preset; each number is theirs. */
  cost(chosen) {
    const ended = (this.view.runs.value?.runs ?? []).filter(({ state, spec, started_at, finished_at }) => ["succeeded", "rejected"].includes(state) && spec.preset === this.preset && !spec.epochs && started_at && finished_at);
    const size = chosen ? `${many(chosen.examples, "picture")}` : "no pictures yet";
    if (!ended.length) return `What it will cost is not known yet: no run of this preset has ended here. It will see ${size}.`;
    const seconds = ended.map(({ started_at, finished_at }) => (new Date(finished_at) - new Date(started_at)) / 1000).sort((one, other) => one - other);
    return `About ${duration(seconds[seconds.length >> 1])} of this machine's time, by the ${ended.length === 1 ? "last run" : `median of the last ${ended.length} runs`} with this preset. It will see ${size}; predictions go on meanwhile.`;
  }

  async start(model, dataset) {
    const chosen = this.found.find((one) => one.name === dataset);
    this.isSending = true;
    this.error = null;
    try {
      const run = await api.post("/v1/training-runs", { json: { model, dataset, preset: this.preset, start: this.begin, base: this.base ?? this.usualBase(chosen), ...(this.epochs ? { epochs: Number(this.epochs) } : {}) }, headers: { "Idempotency-Key": crypto.randomUUID() } });
      await this.view.runs.reload();
      this.view.choose(run.id);
    } catch (error) {
      this.error = error.message;
    }
    this.isSending = false;
    this.view.visit.redraw();
  }
}
