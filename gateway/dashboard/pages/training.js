// From labelled pictures to the next version: start a run, watch it, read the gate's verdict, compare runs.

import { api } from "../core/api.js";
import { h } from "../core/dom.js";
import { head } from "../parts/pieces.js";
import { shown } from "../parts/states.js";
import { RunPanel } from "./training/run.js";
import { comparison, runList } from "./training/list.js";
import { Schedules } from "./training/schedules.js";
import { StartForm } from "./training/start.js";

const LIST_SECONDS = 3;
const LIMIT = 30;

export function open(visit) {
  const { app } = visit;
  const state = { chosen: visit.query.get("run"), compared: new Map(), panel: null };
  const runs = visit.resource((signal) => api.get("/v1/training-runs", { signal, query: { model: app.model, limit: LIMIT } }), LIST_SECONDS);
  const datasets = visit.resource((signal) => api.get("/v1/datasets", { signal }), 30);
  const view = { visit, app, state, runs, datasets, choose: (id) => choose(view, id), compare: (run) => compare(view, run) };
  const form = new StartForm(view);
  const schedules = new Schedules(view);
  visit.show(() => {
    const known = runs.value?.runs;
    if (known && !state.panel) view.choose(state.chosen ?? known[0]?.id ?? null);
    return [
      head("Training", "A run trains the next version from the labelled pictures, tests it, and asks the gate whether it may be published."),
      h("div", { class: "grid uneven" }, h("div", { class: "stack" }, app.may("operate") ? form.panel() : null, state.panel ? state.panel.panel() : null), h("div", { class: "stack" }, shown(runs, (value) => runList(value.runs, view), { height: 220 }), schedules.panel())),
      comparison(view),
    ];
  });
}

function choose(view, id) {
  const { state, visit } = view;
  if (!id || state.panel?.id === id) return;
  state.panel?.close();
  state.panel = new RunPanel(view, id);
  state.chosen = id;
  if (visit.query.get("run") && visit.query.get("run") !== id) visit.remember("training", { run: id });
  visit.redraw();
}

/** In or out of the runs that are laid side by side; their curves are asked for once. */
async function compare({ state, visit, app }, run) {
  if (!state.compared.delete(run.id)) {
    state.compared.set(run.id, null);
    const detail = await api.get(`/v1/training-runs/${run.id}`, { signal: visit.signal }).catch((error) => { app.toast(error.message, { tone: "bad" }); });
    if (detail) state.compared.set(run.id, detail);
    else state.compared.delete(run.id);
  }
  visit.redraw();
}
