// One uncertain picture after another: a digit says what it shows, and what labelling is worth so far.

import { api } from "../core/api.js";
import { h } from "../core/dom.js";
import { count, many, percent } from "../core/format.js";
import { link } from "../core/router.js";
import { giveFeedback, labelOfKey } from "../parts/correcting.js";
import { labelPicker } from "../parts/labelpicker.js";
import { anchor, button, classBars, head, panel, picture, segments, sized } from "../parts/pieces.js";
import { empty, failure, loading } from "../parts/states.js";

const AHEAD = 20;
const REFILL_AT = 6;
const MEASURES = [["entropy", "Most unsure"], ["margin", "Closest call"]];
const COUNTED = 10_000;

export function open(visit) {
  const { app } = visit;
  const state = { by: "entropy", queue: null, counted: new Set(), items: [], done: [], error: null, isLoading: false, isOutdated: false };
  const view = { visit, app, state };
  visit.show(() => page(view));
  if (app.may("label")) refill(view);
}

function page(view) {
  const { app, state } = view;
  if (!app.may("label")) return [head("Labelling"), empty("Your role may not label", `You are signed in with the role ${app.session.role}; labelling needs the role label.`)];
  const choose = (by) => { Object.assign(state, { by, items: [] }); refill(view); };
  return [
    head("Labelling", "The answers the model was least sure of, no two alike in a row. Each label teaches the next version most.", segments("Order", state.by, MEASURES, choose)),
    h("div", { class: "labelling" }, current(view), side(view)),
  ];
}

async function refill(view) {
  const { app, state, visit } = view;
  if (state.isLoading || !app.model) return;
  Object.assign(state, { isLoading: true, error: null });
  visit.redraw();
  const counted = new Set(state.done.filter(({ isSaved }) => isSaved)); // the answer's numbers know of these
  try {
    const queue = await api.get("/v1/labelling-queue", { signal: visit.signal, query: { model: app.model, by: state.by, limit: AHEAD } });
    const known = new Set([...state.items, ...state.done.map(({ item }) => item)].map(({ id }) => id));
    state.items.push(...queue.predictions.filter(({ id }) => !known.has(id)));
    Object.assign(state, { queue, counted });
    for (const { id } of state.items.slice(0, 4)) new Image().src = `v1/predictions/${id}/image`;
  } catch (error) {
    if (!visit.signal.aborted) state.error = error;
    if (error.isPassing) setTimeout(() => !visit.signal.aborted && refill(view), 4000);
  }
  state.isLoading = false;
  visit.redraw();
  if (state.isOutdated && !visit.signal.aborted) readAgain(view);
}

/** The numbers, after a reading that may not know of what was taken back meanwhile. */
function readAgain(view) {
  const { state } = view;
  state.isOutdated = state.isLoading;
  if (!state.isLoading) refill(view);
}

function current(view) {
  const { state, app } = view;
  const [item] = state.items;
  if (!item && state.isLoading) return panel(null, loading(420));
  if (!item && state.error) return panel(null, failure(state.error, () => refill(view)));
  if (!item) return panel(null, empty(state.done.length ? "That was all" : "Nothing waits for a label", "Predictions with a kept picture that nobody looked at will be here, the most uncertain first.", button("Look again", () => refill(view)), anchor("Predict a picture", link("predict"))));
  const [best] = item.classifications;
  return h(
    "section",
    // the keys work while the card has the focus, so that nobody who dictates or zooms labels by accident
    { class: "panel labelling-card", "data-key": "card", "aria-label": "The picture to label", tabindex: 0, onkeydown: (event) => press(event, view), mounted: (node) => node.focus({ preventScroll: true }) },
    picture(`v1/predictions/${item.id}/image`, "The picture to label", { loading: "eager" }),
    h("div", { class: "stack" }, h("h2", {}, "What does it show?"), labelPicker(app.labels, { best: best?.label, pick: (label) => give(view, label), name: "What does it show?" }), h("div", { class: "row" }, button("Skip", () => skip(view), { tone: "small", sign: h("kbd", { "aria-hidden": "true" }, "S") }), button("Undo", () => undo(view), { tone: "small", sign: h("kbd", { "aria-hidden": "true" }, "U"), disabled: !state.done.length }))),
    h("div", { class: "stack labelling-guess" }, h("h3", {}, `Version ${item.version} thinks`), classBars(item.classifications.slice(0, 3)), h("p", { class: "faint" }, `Uncertainty ${percent(item.uncertainty, 0)} of the most uncertain one that waits. The keys work while this card is selected.`)),
  );
}

function side(view) {
  const { state, app } = view;
  const given = state.done.filter(({ label }) => label !== null);
  const wrong = given.filter(({ item, label }) => item.classifications[0]?.label !== label).length;
  const isNew = (entry) => !state.counted.has(entry);
  const waiting = state.queue ? Math.max(0, state.queue.waiting - state.done.filter(isNew).length) : null;
  return h(
    "div",
    { class: "stack" },
    panel(
      "Worth so far",
      h("div", { class: "counter" }, h("p", { class: "figure", role: "status" }, count((state.queue?.corrections ?? 0) + given.filter(isNew).length)), h("p", { class: "soft" }, "labels since the stable version was made; the next training run learns from all of them.")),
      h("p", { class: "soft" }, given.length ? `Now: ${many(given.length, "label")}, of which ${wrong} corrected the model (${percent(wrong / given.length, 0)}).` : "None in this sitting yet."),
      h("p", { class: "soft" }, waiting === null ? "" : `${state.queue.waiting >= COUNTED ? "More than " : ""}${many(waiting, "picture")} still wait.`),
      app.may("operate") ? h("div", {}, anchor("Retrain with them", link("training"), "small")) : null,
    ),
    state.done.length ? panel("Just labelled", h("ul", { class: "just-labelled" }, state.done.slice(-8).reverse().map((deed) => done(deed)))) : null,
  );
}

const done = ({ item, label }) => h("li", { "data-key": item.id }, h("img", { src: sized(`v1/predictions/${item.id}/image`, 64), alt: "", width: 36, height: 36 }), h("span", { class: "wrap" }, label ?? "skipped"), label && label !== item.classifications[0]?.label ? h("span", { class: "faint wrap" }, `not ${item.classifications[0]?.label}`) : null);

/** Shown as done at once; put back when the gateway did not take it. */
async function settle(view, label, deed) {
  const { state, visit, app } = view;
  const item = state.items.shift();
  if (!item) return;
  const entry = { item, label, isSaved: false };
  state.done.push(entry);
  visit.redraw();
  try {
    await deed(item);
    entry.isSaved = true;
    if (state.items.length < REFILL_AT) refill(view);
  } catch (error) {
    state.done = state.done.filter((one) => one !== entry);
    if (error.status !== 404) state.items.unshift(item);
    app.toast(error.message, { tone: "bad" });
    visit.redraw();
  }
}

const give = (view, label) => settle(view, label, (item) => giveFeedback(item.id, label));
const skip = (view) => settle(view, null, (item) => api.post(`/v1/labelling-queue/${item.id}/skip`));

async function undo(view) {
  const { state, visit, app } = view;
  const entry = state.done.pop();
  if (!entry) return;
  state.items.unshift(entry.item);
  const wasReading = state.isLoading;
  if (state.counted.delete(entry)) Object.assign(state.queue, { waiting: state.queue.waiting + 1, corrections: state.queue.corrections - (entry.label === null ? 0 : 1) });
  visit.redraw();
  try {
    if (entry.label === null) await api.delete(`/v1/labelling-queue/${entry.item.id}/skip`);
    else await giveFeedback(entry.item.id, null);
    if (wasReading) readAgain(view);
  } catch (error) {
    app.toast(error.message, { tone: "bad" });
  }
}

function press(event, view) {
  if (event.target.matches("input, select, textarea") || event.target.closest("dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  const label = labelOfKey(event.key, view.app.labels);
  const key = event.key.toLowerCase();
  if (label) give(view, label);
  else if (key === "s") skip(view);
  else if (key === "u") undo(view);
  else return;
  event.preventDefault();
}
