// What needs a person first, worst first, each with where to go: rules over what the API says.

import { availability, count, many, number, percent, sentence, time } from "../core/format.js";
import { link } from "../core/router.js";

const ENOUGH_FEEDBACK = 20;
const LONG_QUEUE = 50;
const RANK = { bad: 0, warning: 1, info: 2 };

const item = (tone, title, text, href, action) => ({ tone, title, text: text ? sentence(text) : null, href, action });

/** [{tone, title, text, href, action}] */
export function attention({ ready, stats, versions, runs, queue, drift, model }) {
  const found = [
    ...replicas(ready),
    ...objective(stats),
    ...versionsOf(versions),
    ...accuracyOf(stats, versions, model),
    ...lastRun(runs),
    ...driftOf(drift),
    ...waiting(queue),
  ];
  return found.sort((one, other) => RANK[one.tone] - RANK[other.tone]);
}

function replicas(ready) {
  if (!ready) return [];
  const down = Object.entries(ready.replicas ?? {}).filter(([, takes]) => !takes).map(([name]) => name);
  if (ready.missing?.length) return [item("bad", "Predictions cannot be answered", ready.detail, link("versions"), "See versions")];
  return down.length ? [item("warning", `${many(down.length, "replica")} not taking batches`, down.join(", "))] : [];
}

function objective(stats) {
  if (!stats) return [];
  const { availability: wanted } = stats.objective;
  return ["1h", "24h", "30d"].flatMap((name) => {
    const { availability: share, failed } = stats.windows[name];
    if (share === null || share >= wanted) return [];
    return [item(name === "1h" ? "bad" : "warning", `Availability below its objective over ${name.replace("h", " h").replace("d", " days")}`, `${availability(share)} against ${availability(wanted)}: ${many(failed, "request")} failed.`)];
  });
}

function versionsOf(versions) {
  return (versions ?? []).filter((version) => version.state === "failed" || version.state === "partly available").map((version) =>
    item("warning", `Version ${version.version} is ${version.state}`, version.error ?? "Not every replica has it.", link("versions", { version: version.version }), "See the version"));
}

/** Corrections are no fair sample (people correct what looks wrong), so only a clear gap is told. */
function accuracyOf(stats, versions, model) {
  const uses = stats?.models.find((one) => one.model === model)?.versions ?? [];
  return uses.flatMap(({ version, accuracy }) => {
    const card = versions?.find((one) => one.version === version && one.role === "stable")?.accuracy;
    if (!card || accuracy.feedback < ENOUGH_FEEDBACK || accuracy.high >= card) return [];
    return [item("warning", `Version ${version} is right less often than when it was tested`, `${percent(accuracy.share)} of ${many(accuracy.feedback, "answer")} that people looked at, ${percent(card)} on its test pictures.`, link("training"), "Retrain")];
  });
}

function lastRun(runs) {
  const run = runs?.[0];
  if (run?.state === "failed") return [item("warning", "The last training run failed", run.error?.message, link("training", { run: run.id }), "See the run")];
  if (run?.state === "rejected") return [item("info", "The gate refused the last training run", run.error?.message ?? "See its numbers.", link("training", { run: run.id }), "See why")];
  if (run && ["queued", "running"].includes(run.state)) return [item("info", "A training run is on its way", `Preset ${run.spec.preset}, started by ${run.caller}.`, link("training", { run: run.id }), "Watch it")];
  return [];
}

function driftOf(drift) {
  if (drift?.state !== "drifting") return [];
  const [worst] = Object.entries(drift.history[0]?.parts ?? {}).sort(([, one], [, other]) => other - one)[0] ?? ["pictures"];
  return [item("warning", "What is asked differs from what the model was made with", `Drift scores ${number(drift.score, 2)} and alarms at ${number(drift.threshold, 1)}, since ${time(drift.alarmed_since)}; most by ${worst.replaceAll("_", " ")}.`, link("insights"), "See drift")];
}

const waiting = (queue) =>
  queue && queue.waiting >= LONG_QUEUE ? [item("info", `${count(queue.waiting)} uncertain answers wait for a label`, `${count(queue.corrections)} corrections since the stable version was made.`, link("labelling"), "Label them")] : [];
