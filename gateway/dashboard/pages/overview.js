// What the person on call looks at: what needs attention, how it fares, which version answers.

import { api, offers } from "../core/api.js";
import { h } from "../core/dom.js";
import { duration, now } from "../core/format.js";
import { attention } from "../parts/attention.js";
import { icon } from "../parts/icons.js";
import { anchor, head, panel, segments } from "../parts/pieces.js";
import { loading, shown } from "../parts/states.js";
import { figures, requestCharts } from "./overview/figures.js";
import { latest, replicaTable, versionTable } from "./overview/tables.js";

const RANGES = [["1", "1 h"], ["6", "6 h"], ["24", "24 h"], ["168", "7 d"], ["720", "30 d"]];
const LIVE_SECONDS = 5;
const SLOW_SECONDS = 20;
const HOUR_MS = 3_600_000;

export function open(visit) {
  const { app } = visit;
  let hours = visit.query.get("hours") ?? "1";
  const range = () => ({ since: new Date(now() - hours * HOUR_MS).toISOString(), until: new Date(now()).toISOString() });
  const ofModel = (path, query = {}) => (signal) => (app.model ? api.get(path, { signal, query: { model: app.model, ...query } }) : null);
  const seen = {
    stats: visit.resource((signal) => api.get("/v1/stats", { signal, query: range() }), LIVE_SECONDS),
    ready: visit.resource(readiness, LIVE_SECONDS),
    versions: visit.resource((signal) => (app.model ? api.get(`/v1/models/${app.model}/versions`, { signal }) : { versions: [] }), SLOW_SECONDS),
    rollout: visit.resource((signal) => (app.model ? api.get(`/v1/models/${app.model}/rollout`, { signal }) : null), SLOW_SECONDS),
    runs: visit.resource(ofModel("/v1/training-runs", { limit: 5 }), SLOW_SECONDS),
    queue: app.may("label") ? visit.resource(ofModel("/v1/labelling-queue", { limit: 1 }), SLOW_SECONDS) : null,
    drift: app.model && offers("/v1/drift") ? visit.resource(async (signal) => (await api.get("/v1/drift", { signal, query: { model: app.model, limit: 100 } })).models[0] ?? null, SLOW_SECONDS) : null,
    audit: app.may("operate") ? visit.resource((signal) => api.get("/v1/audit", { signal, query: { limit: 6 } }), SLOW_SECONDS) : null,
  };
  const choose = (value) => {
    hours = value;
    visit.remember("overview", { hours: value === "1" ? "" : value });
    seen.stats.reload();
    visit.redraw();
  };
  visit.show(() => [
    head("Overview", app.model ? [`${app.model}, over all gateways, a few seconds late.`, seen.stats.value ? ` This one is up for ${duration(seen.stats.value.uptime_seconds)}.` : ""] : "There is no model in the store yet.", segments("Time range", hours, RANGES, choose)),
    attentionPanel(app, seen),
    shown(seen.stats, (stats) => figures(stats, app, seen.versions.value?.versions, seen.drift), { height: 118 }),
    shown(seen.stats, (stats) => requestCharts(stats), { height: 280 }),
    h("div", { class: "grid uneven" }, panel("Versions and their share", shown(seen.stats, (stats) => versionTable(stats, seen.versions.value?.versions ?? [], seen.rollout.value, app.model))), panel("Replicas", shown(seen.ready, (ready) => replicaTable(ready, seen.versions.value?.versions ?? [])))),
    latest(app, seen.runs, seen.audit),
  ]);
}

/** /readyz says what is missing with 503; that is an answer, too. */
async function readiness(signal) {
  try {
    return await api.get("/readyz", { signal });
  } catch (error) {
    if (error.problem?.missing) return error.problem;
    throw error;
  }
}

function attentionPanel(app, seen) {
  if (seen.stats.isLoading || seen.ready.isLoading) return loading(64, "Looking at what needs attention");
  const value = (name) => seen[name]?.value;
  const found = attention({ ready: value("ready"), stats: value("stats"), versions: value("versions")?.versions, runs: value("runs")?.runs, queue: value("queue"), drift: value("drift"), model: app.model });
  if (!found.length) return h("section", { class: "attention is-calm" }, icon("check"), h("p", {}, h("b", {}, "Nothing needs attention."), " Replicas answer, and availability is within its objective."));
  return h(
    "section",
    { class: "attention", "aria-label": "Needs attention" },
    h("ul", {}, found.map(({ tone, title, text, href, action }) => h("li", { class: `attention-${tone}` }, icon(tone === "info" ? "info" : "warning"), h("div", {}, h("b", {}, title), text ? h("p", { class: "soft wrap" }, text) : null), href ? anchor(action, href, "small") : null))),
  );
}
