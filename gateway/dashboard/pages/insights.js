// Pictures of the data and of the model, each with what it says: every sentence is computed from the
// numbers that are drawn, and says how many pictures they come from.

import { api, offers } from "../core/api.js";
import { h } from "../core/dom.js";
import { link } from "../core/router.js";
import { anchor, head } from "../parts/pieces.js";
import { empty, failure, loading } from "../parts/states.js";
import { answersFigure } from "./insights/answers.js";
import { balanceFigure, mixFigure } from "./insights/balance.js";
import { confidenceFigures } from "./insights/confidence.js";
import { confusionFigure } from "./insights/confusion.js";
import { confidenceOverTime, driftFigure } from "./insights/drift.js";
import { brightnessFigure, colourFigure, mapFigure, meanFigure } from "./insights/looks.js";
import { Sample } from "./insights/sample.js";

const RECENT = 500;
const DAYS = 30;

export async function open(visit) {
  const { app } = visit;
  const state = { error: null, known: null };
  const sample = new Sample(visit);
  visit.show(() => page(app, state, sample, () => load(visit, state, sample)));
  await load(visit, state, sample);
}

async function load(visit, state, sample) {
  const { app } = visit;
  state.error = null;
  if (!app.model) return;
  try {
    state.known = await gather(app.model, visit.signal);
  } catch (error) {
    if (visit.signal.aborted) return;
    state.error = error;
    if (error.isPassing) setTimeout(() => !visit.signal.aborted && load(visit, state, sample), 4000);
  }
  visit.redraw();
  if (state.known) await Promise.all([sample.take(state.known), see(visit, state.known)]);
}

/** What the network sees of the latest pictures, computed now; without it the map is made from scores. */
async function see(visit, known) {
  if (known.seen || !known.card?.embedding) return;
  try {
    known.seen = await api.get(`/v1/models/${known.model}/embeddings`, { signal: visit.signal, query: { version: known.version }, timeout: 120_000 });
  } catch (error) {
    if (visit.signal.aborted) return;
    known.unseen = error;
  }
  visit.redraw();
}

async function gather(model, signal) {
  const since = new Date(Date.now() - DAYS * 86_400_000).toISOString();
  const [{ versions }, { datasets }, { predictions }, stats] = await Promise.all([
    api.get(`/v1/models/${model}/versions`, { signal }),
    api.get("/v1/datasets", { signal }),
    api.get("/v1/predictions", { signal, query: { model, limit: RECENT } }),
    api.get("/v1/stats", { signal, query: { model, since } }),
  ]);
  const stable = versions.find(({ role }) => role === "stable") ?? versions[0];
  const { card } = stable ? await api.get(`/v1/models/${model}/versions/${stable.version}`, { signal }) : { card: null };
  const dataset = datasets.find(({ name }) => name === model) ?? datasets[0] ?? null;
  const drift = offers("/v1/drift") ? (await api.get("/v1/drift", { signal, query: { model, limit: 200 } })).models[0] : null;
  const use = stats.models.find((one) => one.model === model);
  return { model, version: stable?.version ?? null, card, dataset, predictions, use, drift };
}

function page(app, state, sample, again) {
  const top = head("Insights", state.known ? `${state.known.model}, version ${state.known.version ?? "–"}: what the pictures look like, and where the model errs.` : "What the pictures look like, and where the model errs.");
  if (!app.model) return [top, empty("There is no model yet", "Insights need a model and pictures.", anchor("Train", link("training"), "primary"))];
  if (state.error && !state.known) return [top, failure(state.error, again)];
  if (!state.known) return [top, h("div", { class: "grid" }, [1, 2, 3, 4].map(() => loading(320)))];
  const { known } = state;
  return [
    top,
    h("div", { class: "grid" }, balanceFigure(known), mixFigure(known), confusionFigure(known, sample), confidenceFigures(known)),
    h("h2", { class: "section" }, "How the model tells them apart"),
    answersFigure(known),
    h("h2", { class: "section" }, "How the pictures look"),
    sample.state(),
    sample.isReady ? h("div", { class: "grid" }, meanFigure(sample), brightnessFigure(sample), colourFigure(sample), mapFigure(sample)) : null,
    h("h2", { class: "section" }, "How the pictures change"),
    h("div", { class: "grid" }, driftFigure(known), confidenceOverTime(known)),
  ];
}
