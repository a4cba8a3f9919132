// Which version answers, on which replicas, and what was done last.

import { h } from "../../core/dom.js";
import { count, milliseconds, number, percent } from "../../core/format.js";
import { link } from "../../core/router.js";
import { badge, panel, table, when } from "../../parts/pieces.js";
import { roleBadge, runBadge } from "../../parts/roles.js";
import { empty, shown } from "../../parts/states.js";

export function versionTable(stats, versions, rollout, model) {
  const uses = stats.models.find((one) => one.model === model)?.versions ?? [];
  const numbers = [...new Set([...uses.map((use) => use.version), ...versions.filter((one) => one.role).map((one) => one.version)])].sort((one, other) => other - one);
  if (!numbers.length) return empty("No version yet", "Train one from labelled pictures.", h("a", { class: "button primary", href: link("training") }, "Train"));
  return table("Versions and their share of predictions", ["Version", "Role", ["Predictions"], ["Share"], ["Mean score"], ["Mean time"], ["Live accuracy"]], numbers.map((number_) => useRow(number_, uses.find((use) => use.version === number_), versions.find((one) => one.version === number_), rollout)));
}

function useRow(version, use, known, rollout) {
  const canary = rollout?.rollout.canary === version ? ` ${percent(rollout.rollout.canary_share, 0)} of traffic` : "";
  const { share, low, high, feedback } = use?.accuracy ?? {};
  return {
    key: version,
    cells: [
      h("a", { class: "hold", href: link("versions", { version }) }, `Version ${version}`),
      h("span", {}, roleBadge(known?.role), canary),
      count(use?.predictions ?? 0),
      percent(use?.share ?? null),
      number(use?.mean_score ?? null, 3),
      milliseconds(use?.mean_ms ?? null),
      feedback ? h("span", { title: `95 % interval ${percent(low)} to ${percent(high)}` }, `${percent(share)} of ${count(feedback)}`) : "–",
    ],
  };
}

export function replicaTable(ready, versions) {
  const names = Object.keys(ready.replicas ?? {});
  if (!names.length) return empty("No model server is known", "The gateway resolved no address of one; see GATEWAY_PREDICTOR__TARGETS.");
  const states = (name) => versions.flatMap((version) => version.replicas.filter((one) => one.replica === name).map((one) => [version.version, one.state]));
  return table("Replicas of the model server", ["Replica", "State", "Versions"], names.map((name) => ({
    key: name,
    cells: [h("span", { class: "mono wrap" }, name), ready.replicas[name] ? badge("takes batches", "good") : badge("put aside", "bad"), states(name).filter(([, state]) => state !== "END").map(([version, state]) => (state === "AVAILABLE" ? String(version) : `${version} (${state.toLowerCase()})`)).join(", ") || "–"],
  })));
}

/** The last runs, and the last deeds for who may read them. */
export function latest(app, runs, audit) {
  return h(
    "div",
    { class: "grid" },
    panel("Latest training runs", shown(runs, (value) => (value?.runs.length ? runTable(value.runs) : empty("No training run yet", "A run makes the next version from the labelled pictures.")))),
    audit ? panel("Latest changes", shown(audit, ({ entries }) => (entries.length ? auditTable(entries) : empty("Nothing was changed yet", "Promotions, runs and uploads will be listed here.")))) : null,
  );
}

const runTable = (runs) => table("Latest training runs", ["Run", "State", "Preset", ["Accuracy"]], runs.map((run) => ({ key: run.id, cells: [h("a", { href: link("training", { run: run.id }) }, when(run.created_at)), runBadge(run.state), run.spec.preset, percent(run.accuracy)] })));
const auditTable = (entries) => table("Latest changes", ["When", "Who", "What", "Where"], entries.map((entry) => ({ key: entry.id, cells: [when(entry.at), entry.caller, entry.action, h("span", { class: "wrap" }, entry.target)] })));
