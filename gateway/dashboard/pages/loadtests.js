// Results of load tests as they were written: plots by users or replicas, tables, one run beside another.

import { api } from "../core/api.js";
import { h } from "../core/dom.js";
import { field, head, panel, select } from "../parts/pieces.js";
import { empty, failure, loading, shown } from "../parts/states.js";
import { comparison } from "./loadtests/comparison.js";
import { readings } from "./loadtests/readings.js";
import { resultView } from "./loadtests/view.js";

/** Of the results this is shown first, where it is there: users by replicas, what `make load-test` writes. */
const FIRST = "replicas";

export function open(visit) {
  const state = { name: visit.query.get("name"), other: visit.query.get("other") ?? "", results: new Map(), choices: {} };
  const list = visit.resource((signal) => api.get("/v1/load-tests", { signal }), 60);
  const view = { visit, state };
  visit.show(() => [
    head("Load tests", "What was measured, on which hardware, by users and replicas. The files are shown as they were written."),
    shown(list, ({ results }) => (results.length ? page(view, results) : empty("No results yet", "A load test writes a JSON file into the folder GATEWAY_STORES__LOAD_TESTS; it will be listed here."))),
  ]);
}

function page(view, names) {
  const { state, visit } = view;
  if (!names.includes(state.name)) state.name = names.includes(FIRST) ? FIRST : names[0];
  const choose = (which) => (value) => {
    state[which] = value;
    state.choices = {};
    visit.remember("loadtests", { name: state.name, other: state.other });
    visit.redraw();
  };
  return [
    h("div", { class: "panel" }, h("div", { class: "fields" }, field("Result", select(state.name, names.map((name) => [name, name.replaceAll("_", " ")]), choose("name"))), field("Beside", select(state.other, [["", "Nothing"], ...names.filter((name) => name !== state.name).map((name) => [name, name.replaceAll("_", " ")])], choose("other"))))),
    comparison(view),
    result(view, state.name),
    state.other && state.other !== state.name ? [h("h2", { class: "section" }, `Beside: ${state.other.replaceAll("_", " ")}`), result(view, state.other)] : null,
  ];
}

/** Each file is asked for once; it does not change. */
function result(view, name) {
  const { state, visit } = view;
  if (!state.results.has(name)) {
    state.results.set(name, { isLoading: true });
    ask(view, name);
  }
  const found = state.results.get(name);
  if (found.isLoading) return loading(420);
  if (found.error) return failure(found.error, () => { state.results.delete(name); visit.redraw(); });
  if (!found.tables.length) return panel(name, empty("Nothing to draw", "The file holds no table of measurements."), h("details", { class: "numbers" }, h("summary", {}, "The file"), h("pre", { class: "log-lines", tabindex: 0 }, JSON.stringify(found.content, null, 2).slice(0, 20_000))));
  return resultView(name, found, state.choices, visit.redraw);
}

async function ask({ state, visit }, name) {
  try {
    const content = await api.get(`/v1/load-tests/${encodeURIComponent(name)}`, { signal: visit.signal });
    state.results.set(name, { content, tables: readings(content) });
  } catch (error) {
    if (!visit.signal.aborted) state.results.set(name, { error });
  }
  visit.redraw();
}
