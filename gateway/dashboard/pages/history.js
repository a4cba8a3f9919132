// What was predicted: a grid with filters, one prediction in detail, corrections, and all of it as CSV.

import { address, api } from "../core/api.js";
import { h } from "../core/dom.js";
import { count, many } from "../core/format.js";
import { icon } from "../parts/icons.js";
import { button, head } from "../parts/pieces.js";
import { empty, failure, loading } from "../parts/states.js";
import { detail } from "./history/detail.js";
import { asQuery, filters } from "./history/filters.js";
import { gridCell } from "./history/grid.js";

const PAGE = 48;
const FRESH_SECONDS = 10;

export function open(visit) {
  const { app } = visit;
  const state = { filter: Object.fromEntries(visit.query), rows: [], next: null, isLoading: true, error: null, chosen: visit.query.get("id"), versions: [], found: null };
  delete state.filter.id;
  const view = { visit, app, state, load: (more) => load(view, more), choose: (id) => choose(view, id), filter: (name, value) => filter(view, name, value), put: (row) => put(view, row) };
  api.get(`/v1/models/${app.model}/versions`).then(({ versions }) => { state.versions = versions; visit.redraw(); }, () => null);
  view.load(false);
  if (state.chosen) view.choose(state.chosen);
  visit.every(FRESH_SECONDS, () => scrollY < 200 && !state.isLoading && refresh(view));
  visit.show(() => page(view));
}

function page(view) {
  const { state, app } = view;
  return [
    head("History", "Every remembered prediction, newest first. Select one to see it in detail and to correct it.", h("a", { class: "button", href: address("/v1/predictions.csv", asQuery(state.filter, app.model)), download: "predictions.csv" }, icon("download"), "CSV")),
    filters(view),
    h("div", { class: state.chosen ? "history has-detail" : "history" }, h("div", { class: "stack" }, grid(view)), state.chosen ? detail(view) : null),
  ];
}

function grid(view) {
  const { state } = view;
  if (state.error && !state.rows.length) return failure(state.error, () => view.load(false));
  if (state.isLoading && !state.rows.length) return loading(420);
  if (!state.rows.length) return nothing(view);
  const more = state.next ? h("div", {}, button(state.isLoading ? "Loading …" : "Show older ones", () => view.load(true), { disabled: state.isLoading })) : h("p", { class: "faint" }, `That is all: ${many(state.rows.length, "prediction")}.`);
  return [
    h("p", { class: "faint", role: "status" }, `${count(state.rows.length)} shown${state.next ? ", there are older ones" : ""}`),
    h("ul", { class: "picture-grid" }, state.rows.map((row) => gridCell(row, row.id === state.chosen, view.choose))),
    state.error ? failure(state.error, () => view.load(true)) : more,
  ];
}

function nothing(view) {
  const isFiltered = Object.values(view.state.filter).some(Boolean);
  if (!isFiltered) return empty("No prediction yet", "Ask for one; it will be here within a second.", h("a", { class: "button primary", href: "#/predict" }, "Predict a picture"));
  return empty("No prediction matches", "Loosen a filter, or clear them all.", button("Clear the filters", () => view.filter(null)));
}

async function load(view, more) {
  const { state, visit, app } = view;
  const asked = (state.asked = Symbol("the last question counts"));
  Object.assign(state, { isLoading: true, error: null });
  visit.redraw();
  try {
    const page = await api.get("/v1/predictions", { signal: visit.signal, query: { ...asQuery(state.filter, app.model), limit: PAGE, cursor: more ? state.next : null } });
    if (asked !== state.asked) return;
    Object.assign(state, { rows: more ? [...state.rows, ...page.predictions] : page.predictions, next: page.next_cursor });
  } catch (error) {
    if (visit.signal.aborted || asked !== state.asked) return;
    state.error = error;
    if (error.isPassing) setTimeout(() => state.error === error && !visit.signal.aborted && load(view, more), 4000);
  }
  state.isLoading = false;
  visit.redraw();
}

/** New ones in front, without moving what is being looked at. */
async function refresh({ state, visit, app }) {
  const asked = state.asked;
  const page = await api.get("/v1/predictions", { signal: visit.signal, query: { ...asQuery(state.filter, app.model), limit: PAGE } }).catch(() => null);
  if (!page || asked !== state.asked) return;
  const known = new Set(page.predictions.map(({ id }) => id));
  const older = state.rows.filter(({ id }) => !known.has(id));
  const isGap = page.next_cursor && state.rows.length && !state.rows.some(({ id }) => known.has(id));
  Object.assign(state, isGap ? { rows: page.predictions, next: page.next_cursor } : { rows: [...page.predictions, ...older] });
  visit.redraw();
}

async function choose(view, id) {
  const { state, visit } = view;
  state.chosen = id;
  state.found = state.rows.find((row) => row.id === id) ?? null;
  visit.remember("history", { ...state.filter, id });
  visit.redraw();
  if (!id || state.found) return;
  state.found = await api.get(`/v1/predictions/${id}`).catch((error) => ({ error }));
  visit.redraw();
}

function filter(view, name, value) {
  const { state, visit } = view;
  state.filter = name === null ? {} : { ...state.filter, [name]: value };
  visit.remember("history", state.filter);
  state.rows = [];
  load(view, false);
}

/** A row has changed. */
function put({ state, visit }, row) {
  state.rows = state.rows.map((one) => (one.id === row.id ? row : one));
  if (state.chosen === row.id) state.found = row;
  visit.redraw();
}
