// The figures of the range and their lines over time.

import { h } from "../../core/dom.js";
import { availability, count, many, milliseconds, number, percent, perSecond, short, time } from "../../core/format.js";
import { figure } from "../../charts/frame.js";
import { lines, spark } from "../../charts/lines.js";
import { panel, tile } from "../../parts/pieces.js";
import { empty } from "../../parts/states.js";

/** Points on every step of the range; steps without requests count 0 and have no latency. */
export function series(stats) {
  const step = stats.series.step_seconds * 1000;
  const known = new Map(stats.series.points.map((point) => [new Date(point.at).getTime(), point]));
  const first = Math.floor(new Date(stats.since).getTime() / step) * step;
  const last = new Date(stats.until).getTime();
  const found = [];
  for (let at = first; at <= last; at += step) found.push([at, known.get(at) ?? null]);
  for (const [at, point] of known) if ((at - first) % step) found.push([at, point]);
  found.sort(([one], [other]) => one - other);
  return found.length > 2 ? found.slice(0, -1) : found; // the last step has only begun, and would look like a fall
}

const total = (point) => point.answered + point.refused + point.failed;

export function figures(stats, app, versions = [], drift = null) {
  const { requests } = stats;
  const steps = series(stats);
  const seconds = stats.series.step_seconds;
  const rate = steps.map(([at, point]) => [at, point ? total(point) / seconds : 0]);
  const latency = steps.map(([at, point]) => [at, point?.latency_ms.p95 ?? null]);
  const errors = steps.map(([at, point]) => [at, point ? point.failed + point.refused : 0]);
  const peak = Math.max(0, ...rate.map(([, value]) => value));
  const { p50, p99 } = requests.latency_ms;
  return h(
    "div",
    { class: "tiles" },
    tile("Requests", perSecond(stats.requests_per_second), `${short(total(requests))} in all, ${perSecond(peak)} at the peak`, spark(rate)),
    availabilityTile(stats),
    tile("Latency, 95 of 100", milliseconds(requests.latency_ms.p95), `median ${milliseconds(p50)}; 99 of 100 within ${milliseconds(p99)}`, spark(latency, { tone: "two" })),
    tile("Errors", count(requests.failed), `failed; ${many(requests.refused, "request")} refused`, spark(errors, { tone: "four" }), requests.failed ? "bad" : null),
    accuracyTile(stats, app.model, versions),
    driftTile(drift),
  );
}

/** The score of the latest full window; at 1 it alarms. */
function driftTile(drift) {
  if (!drift) return tile("Drift", "–", "this gateway measures none");
  const found = drift.value;
  if (!found) return tile("Drift", "–", drift.error ? drift.error.message : "asking …");
  if (found.state === "unknown") return tile("Drift", "–", found.reason);
  if (found.score === null) return tile("Drift", "–", `waits for ${count(found.window)} predictions; ${count(found.live?.predictions ?? 0)} so far`);
  const detail = found.state === "drifting" ? `alarm since ${time(found.alarmed_since)}` : `alarms at ${number(found.threshold, 1)}; windows of ${many(found.window, "prediction")}`;
  return tile("Drift", number(found.score, 2), detail, spark([...found.history].reverse().map(({ at, score }) => [new Date(at).getTime(), score]), { tone: "three" }), found.state === "drifting" ? "warning" : null);
}

function availabilityTile(stats) {
  const { availability: share, failed, answered, refused } = stats.windows["30d"];
  const { availability: wanted } = stats.objective;
  const allowed = (1 - wanted) * (answered + refused + failed);
  const budget = share === null ? "no requests in 30 days" : `over 30 days, objective ${availability(wanted)}; ${percent(Math.max(0, 1 - failed / Math.max(allowed, 1e-9)), 0)} of the error budget left`;
  return tile("Availability", availability(share), budget, null, share !== null && share < wanted ? "bad" : null);
}

function accuracyTile(stats, model, versions) {
  const stable = versions.find((version) => version.role === "stable");
  const use = stats.models.find((one) => one.model === model)?.versions.find((one) => one.version === stable?.version);
  if (!use?.accuracy.feedback) return tile("Live accuracy", "–", "no answer of the stable version has been looked at yet");
  const { share, low, high, feedback } = use.accuracy;
  return tile("Live accuracy", percent(share), `${percent(low, 0)}–${percent(high, 0)} by ${many(feedback, "correction and confirmation", "corrections and confirmations")}`);
}

/** Requests and latencies over time. */
export function requestCharts(stats) {
  const steps = series(stats);
  const seconds = stats.series.step_seconds;
  if (!stats.series.points.length) return panel("Requests over time", empty("No request in this range", "Choose a longer range, or ask for a prediction.", h("a", { class: "button primary", href: "#/predict" }, "Predict a picture")));
  const part = (name) => steps.map(([at, point]) => [at, (point?.[name] ?? 0) / seconds]);
  const at = (name) => steps.map(([moment, point]) => [moment, point?.latency_ms[name] ?? null]);
  const span = [new Date(stats.since).getTime(), new Date(stats.until).getTime()];
  const peak = Math.max(...stats.series.points.map((point) => total(point) / seconds));
  return h(
    "div",
    { class: "grid" },
    panel("Requests a second", figure(null, null, lines([{ name: "answered", points: part("answered"), isArea: true }, { name: "refused", points: part("refused") }, { name: "failed", points: part("failed") }], { label: `Requests a second by outcome; ${count(stats.requests.answered)} answered, ${count(stats.requests.failed)} failed`, isTime: true, from: 0, span, format: (value) => number(value, peak < 1 ? 2 : peak < 10 ? 1 : 0) }), { names: ["answered", "refused", "failed"] })),
    panel("Latency", figure(null, null, lines([{ name: "median", points: at("p50") }, { name: "95 %", points: at("p95") }, { name: "99 %", points: at("p99") }], { label: `Latency; 95 of 100 requests within ${milliseconds(stats.requests.latency_ms.p95)}`, isTime: true, from: 0, span, format: milliseconds }), { names: ["median", "95 of 100", "99 of 100"] })),
  );
}
