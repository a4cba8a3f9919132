// Runs that start by the clock.

import { api, offers } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { count, many, time } from "../../core/format.js";
import { badge, button, field, panelWith, select } from "../../parts/pieces.js";
import { empty, notice, shown } from "../../parts/states.js";

const USUAL = [["0 3 * * *", "every night at 3:00 UTC"], ["0 3 * * MON", "Mondays at 3:00 UTC"], ["0 */6 * * *", "every six hours"]];

export class Schedules {
  constructor(view) {
    Object.assign(this, { view, isOpen: false, cron: USUAL[0][0], preset: "default", error: null });
    this.list = view.visit.resource((signal) => api.get("/v1/schedules", { signal }), 30);
    this.triggers = offers("/v1/triggers") ? view.visit.resource((signal) => api.get("/v1/triggers", { signal }), 15) : null;
  }

  /** What starts a run by itself beside the clock, and what holds every run back. */
  triggersText() {
    const found = this.triggers?.value?.models.find(({ model }) => model === this.view.app.model);
    if (!found) return null;
    const wanted = found.corrections_wanted ? `A run starts by itself after ${many(found.corrections_wanted, "correction")}; there are ${count(found.corrections)} since the last one.` : `Corrections start no run by themselves; there are ${count(found.corrections)} since the last one.`;
    const drift = found.starts_on_drift ? ` Drift starts one, too${found.is_drifting ? ", and there is drift now" : ""}.` : "";
    const budget = found.runs_per_day ? ` ${count(found.runs_today)} of at most ${many(found.runs_per_day, "run")} a day began in the last 24 hours.` : "";
    const waits = found.next_run_at ? ` The next may start at ${time(found.next_run_at)} (${found.waits_for === "budget" ? "the budget" : "cooling down"}).` : "";
    return h("div", { class: "stack" }, h("p", { class: "soft" }, wanted, drift, budget, waits), found.refusal ? notice("warning", `Last refused ${time(found.refusal.at)}, asked by ${found.refusal.cause}: ${found.refusal.reason}`) : null);
  }

  panel() {
    const { app } = this.view;
    const toggle = () => { this.isOpen = !this.isOpen; this.view.visit.redraw(); };
    return panelWith(
      "Schedules",
      { actions: app.may("operate") && app.model ? button(this.isOpen ? "Close" : "Add", toggle, { tone: "small", "aria-expanded": String(this.isOpen) }) : null },
      this.triggersText(),
      this.isOpen ? this.form() : null,
      shown(this.list, ({ schedules }) => (schedules.length ? h("ul", { class: "imports" }, schedules.map((one) => this.item(one))) : this.isOpen ? null : empty("Nothing is scheduled", "A schedule retrains by itself, for instance every night.")), { height: 80 }),
    );
  }

  form() {
    return h(
      "form",
      { class: "stack", onsubmit: (event) => { event.preventDefault(); this.create(); } },
      h("div", { class: "fields" }, field("When (minute hour day month weekday)", h("input", { type: "text", value: this.cron, required: true, maxlength: 128, list: "usual-times", oninput: (event) => (this.cron = event.target.value) }), "In UTC."), field("Preset", select(this.preset, ["tiny", "default", "best"].map((one) => [one, one]), (value) => (this.preset = value)))),
      h("datalist", { id: "usual-times" }, USUAL.map(([value, text]) => h("option", { value }, text))),
      this.error ? notice("bad", this.error) : null,
      h("div", {}, h("button", { type: "submit", class: "button primary" }, "Schedule")),
    );
  }

  item(one) {
    const word = USUAL.find(([cron]) => cron === one.cron)?.[1];
    return h(
      "li",
      { class: "stack", "data-key": one.id },
      h("div", { class: "row row-apart" }, h("p", {}, h("code", {}, one.cron), word ? ` ${word}` : "", " ", one.enabled ? badge("on", "good") : badge("off")), this.view.app.may("operate") ? h("div", { class: "row" }, button(one.enabled ? "Turn off" : "Turn on", () => this.change(one), { tone: "small quiet" }), button("Delete", () => this.remove(one), { tone: "small quiet" })) : null),
      h("p", { class: "faint wrap" }, `${one.model}, preset ${one.preset}, by ${one.caller}. `, one.next_at ? `Next ${time(one.next_at)}. ` : "", one.last_at ? `Last ${time(one.last_at)}: ${one.last_outcome}.` : "Has not run yet."),
    );
  }

  async tryTo(deed) {
    try {
      await deed();
      this.error = null;
      this.isOpen = false;
    } catch (error) {
      if (this.isOpen) this.error = error.message;
      else this.view.app.toast(error.message, { tone: "bad" });
    }
    this.list.reload();
    this.view.visit.redraw();
  }

  create() {
    return this.tryTo(() => api.post("/v1/schedules", { json: { model: this.view.app.model, cron: this.cron, preset: this.preset } }));
  }

  change({ id, model, dataset, preset, epochs, seed, base, start, cron, enabled }) {
    return this.tryTo(() => api.put(`/v1/schedules/${id}`, { json: { model, dataset, preset, epochs, seed, base, start, cron, enabled: !enabled } }));
  }

  remove({ id }) {
    return this.tryTo(() => api.delete(`/v1/schedules/${id}`));
  }
}
