// The runs of a model, and some of them side by side.

import { h } from "../../core/dom.js";
import { count, duration, number, percent } from "../../core/format.js";
import { link } from "../../core/router.js";
import { figure } from "../../charts/frame.js";
import { lines } from "../../charts/lines.js";
import { panelWith, table, when } from "../../parts/pieces.js";
import { runBadge } from "../../parts/roles.js";
import { empty, loading } from "../../parts/states.js";

const MOST_COMPARED = 6;
const took = (run) => (run.finished_at && run.started_at ? duration((new Date(run.finished_at) - new Date(run.started_at)) / 1000) : "–");

export function runList(runs, view) {
  if (!runs.length) return panelWith("Runs", {}, empty("No run yet", "Retrain makes the first one from the labelled pictures."));
  return panelWith("Runs", { note: "tick some to compare them" }, table("Training runs", ["Pick", "Run", "State", ["Version"], ["Accuracy"], ["Took"]], runs.map((run) => row(run, view))));
}

function row(run, view) {
  const isCompared = view.state.compared.has(run.id);
  const isFull = view.state.compared.size >= MOST_COMPARED && !isCompared;
  return {
    key: run.id,
    isChosen: run.id === view.state.chosen,
    cells: [
      h("input", { type: "checkbox", checked: isCompared, disabled: isFull, "aria-label": `Compare run ${run.id.slice(0, 12)}`, onchange: () => view.compare(run) }),
      h("button", { type: "button", class: "text-button", onclick: () => view.choose(run.id) }, run.spec.preset, ", ", when(run.created_at)),
      runBadge(run.state),
      run.version ? h("a", { href: link("versions", { version: run.version }) }, String(run.version)) : "–",
      percent(run.accuracy),
      took(run),
    ],
  };
}

/** Runs side by side: one curve each, and their numbers in columns. */
export function comparison(view) {
  const { compared } = view.state;
  if (!compared.size) return null;
  const runs = [...compared.values()].filter(Boolean);
  if (!runs.length) return panelWith("Side by side", {}, loading(260));
  const name = (run) => `${run.spec.preset} ${run.id.slice(0, 8)}`;
  const curve = (run) => run.progress.curves.validation_accuracy ?? run.progress.curves.accuracy ?? [];
  const drawn = runs.filter((run) => curve(run).length);
  const best = [...runs].filter((run) => run.accuracy !== null).sort((one, other) => other.accuracy - one.accuracy)[0];
  return panelWith(
    "Side by side",
    { key: "comparison" },
    drawn.length ? figure("Validation accuracy", best ? `${name(best)} is the most accurate of them: ${percent(best.accuracy)}.` : "None of them has ended with an accuracy yet.", lines(drawn.map((run) => ({ name: name(run), points: curve(run).map(({ epoch, value }) => [epoch, value]) })), { label: "Validation accuracy by epoch of each run", format: (value) => percent(value, 0), from: 0, to: 1, xTitle: "epoch" }), { names: drawn.map(name) }) : null,
    table("The runs' numbers", ["", ...runs.map((run) => [name(run)])], [
      ["State", ...runs.map((run) => runBadge(run.state))],
      ["Accuracy", ...runs.map((run) => percent(run.accuracy))],
      ["Epochs told", ...runs.map((run) => count(curve(run).length))],
      ["Last loss", ...runs.map((run) => number((run.progress.curves.validation_loss ?? run.progress.curves.loss ?? []).at(-1)?.value ?? null, 3))],
      ["Pictures a second", ...runs.map((run) => count(Math.round((run.progress.curves.images_per_second ?? []).at(-1)?.value ?? NaN)))],
      ["Took", ...runs.map(took)],
      ["Seed", ...runs.map((run) => String(run.spec.seed))],
      ["Gate", ...runs.map((run) => (run.gate ? `${run.gate.checks.filter(({ passed }) => passed).length} of ${run.gate.checks.length} checks hold` : "–"))],
    ]),
  );
}
