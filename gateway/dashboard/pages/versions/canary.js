// How the canary stands against stable, and how earlier ones ended: the gateway judges by itself.

import { api, offers } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { count, duration, number, percent, sentence } from "../../core/format.js";
import { figure } from "../../charts/frame.js";
import { lines } from "../../charts/lines.js";
import { badge, panelWith, table, when } from "../../parts/pieces.js";
import { shown } from "../../parts/states.js";

const TONES = { running: "accent", promoted: "good", "rolled back": "bad", rolled_back: "bad", ended: "idle" };
const SIGNALS = { errors: "Failed calls", latency: "Slow calls", accuracy: "Wrong answers" };

export class CanaryPanel {
  constructor(view) {
    const isOffered = offers("/v1/models/{model}/canary");
    this.found = isOffered ? view.visit.resource((signal) => api.get(`${view.path}/canary`, { signal, query: { limit: 5 } }), 8) : null;
  }

  panel() {
    const trials = this.found?.value?.trials;
    if (!this.found || (trials && !trials.length) || this.found.isLoading) return null;
    return panelWith("Canary against stable", { key: "canary" }, shown(this.found, ({ trials: all }) => [trial(all[0]), earlier(all.slice(1))]));
  }
}

function trial(one) {
  const isRunning = one.outcome === "running";
  return h(
    "div",
    { class: "stack" },
    h("p", {}, h("b", {}, `Version ${one.canary} against version ${one.stable} `), badge(one.outcome.replaceAll("_", " "), TONES[one.outcome]), " ", h("span", { class: "faint" }, `watched for ${duration(one.watched_seconds)}`)),
    h("p", { class: "sentence" }, sentence(one.sentence)),
    isRunning && one.missing.length ? h("p", { class: "soft" }, "A promotion waits for: ", one.missing.join("; "), ".") : null,
    table("What is compared", ["Compared", ["Canary"], ["Stable"], ["Canary's bounds"], ["Stable's bounds"], ["Evidence that it is worse"], ["At worst"], ["Margin"]], one.signals.map((signal) => [
      SIGNALS[signal.signal] ?? signal.signal,
      `${count(signal.canary_hits)} of ${count(signal.canary)}`,
      `${count(signal.stable_hits)} of ${count(signal.stable)}`,
      `${percent(signal.canary_low)} to ${percent(signal.canary_high)}`,
      `${percent(signal.stable_low)} to ${percent(signal.stable_high)}`,
      number(signal.evidence, 2),
      percent(signal.worst_difference),
      percent(signal.margin),
    ])),
    course(one),
  );
}

/** The evidence as it grew; at 1 the canary is rolled back. */
function course(one) {
  if (one.course.length < 2) return null;
  const names = Object.keys(SIGNALS);
  const series = names.map((name) => ({ name: SIGNALS[name], points: one.course.map((point) => [point.watched_seconds / 60, point[name]]) }));
  return figure("Evidence that the canary is worse", null, lines(series, { label: "Evidence by minute; at 1 the canary is rolled back", from: 0, mark: 1, format: (value) => number(value, 2), xTitle: "minutes watched", height: 140 }), { names: series.map(({ name }) => name) });
}

const earlier = (trials) =>
  trials.length ? table("Earlier trials", ["Trial", "Outcome", "Why"], trials.map((one) => [[`${one.canary} against ${one.stable}, `, when(one.began_at)], badge(one.outcome.replaceAll("_", " "), TONES[one.outcome]), one.sentence]), { isCaptionShown: true }) : null;
