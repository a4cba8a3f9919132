// Labelled pictures: what there is, bringing more, and putting right what is labelled wrong.

import { api } from "../core/api.js";
import { h } from "../core/dom.js";
import { count, many, percent } from "../core/format.js";
import { rows } from "../charts/bars.js";
import { legend } from "../charts/frame.js";
import { ask } from "../parts/dialogs.js";
import { button, facts, head, panel, panelWith, segments } from "../parts/pieces.js";
import { empty, shown } from "../parts/states.js";
import { Browser } from "./data/browse.js";
import { Imports } from "./data/imports.js";
import { UploadForm } from "./data/upload.js";

export const SPLITS = ["train", "validation", "test"];

export function open(visit) {
  const { app } = visit;
  const state = { dataset: visit.query.get("dataset") };
  const datasets = visit.resource((signal) => api.get("/v1/datasets", { signal }), 15);
  const changed = () => { datasets.reload(); browser.reload(); };
  const view = { visit, app, state, changed };
  const browser = new Browser(view);
  const imports = new Imports(view);
  const form = new UploadForm(view, imports);
  const choose = (name) => {
    state.dataset = name;
    visit.remember("data", { dataset: name });
    browser.reset();
  };
  visit.show(() => {
    const found = datasets.value?.datasets ?? [];
    state.dataset ??= (found.find(({ name }) => name === app.model) ?? found[0])?.name ?? null;
    if (state.dataset && datasets.value && browser.rows === null) browser.reload();
    const chosen = found.find(({ name }) => name === state.dataset);
    return [
      head("Data", "Labelled pictures that the next version is trained and tested on. A picture is known by its content, so nothing is there twice.", found.length > 1 ? segments("Dataset", state.dataset, found.map(({ name }) => [name, name]), choose) : null),
      h("div", { class: "grid uneven" }, h("div", { class: "stack" }, shown(datasets, () => (chosen ? balance(chosen, app, changed, () => choose(null)) : panel("No dataset yet", empty("There are no labelled pictures yet", app.may("label") ? "Upload some on this page: a folder for each class, or a zip of such folders." : "Somebody with the role label can upload some."))), { height: 320 })), h("div", { class: "stack" }, app.may("label") ? form.panel(found) : null, imports.panel())),
      chosen ? browser.panel(chosen) : null,
    ];
  });
}

/** Classes by split, and how even they are. */
function balance(dataset, app, changed, forget) {
  const labels = [...new Set(SPLITS.flatMap((split) => Object.keys(dataset.splits[split] ?? {})))].sort();
  const items = labels.map((name) => ({ name, values: SPLITS.map((split) => dataset.splits[split]?.[name] ?? 0) }));
  const total = (split) => Object.values(dataset.splits[split] ?? {}).reduce((sum, value) => sum + value, 0);
  const remove = app.may("operate") ? button("Delete dataset", () => removeDataset(dataset, app, changed, forget), { tone: "small danger" }) : null;
  return panelWith(
    dataset.name,
    { actions: remove, note: `${many(labels.length, "class", "classes")}` },
    facts([["Pictures", count(dataset.examples)], ...SPLITS.map((split) => [`For ${{ train: "training", validation: "validation", test: "testing" }[split]}`, `${count(total(split))} (${percent(total(split) / Math.max(1, dataset.examples), 0)})`])]),
    legend(SPLITS),
    rows(items, { label: "Pictures by class", names: SPLITS, format: count }),
    h("p", { class: "sentence" }, evenness(items)),
  );
}

function evenness(items) {
  const sums = items.map(({ name, values }) => [name, values.reduce((sum, value) => sum + value, 0)]).sort(([, one], [, other]) => other - one);
  if (sums.length < 2) return "A classifier needs at least two classes.";
  const [[most, high], [least, low]] = [sums[0], sums.at(-1)];
  const ratio = high / Math.max(1, low);
  if (ratio < 1.25) return `The classes are even: ${most} has ${count(high)} and ${least} ${count(low)} pictures.`;
  return `${most} has ${ratio.toFixed(1)} times as many pictures as ${least} (${count(high)} and ${count(low)}); more of ${least} would help its recall most.`;
}

async function removeDataset({ name, examples }, app, changed, forget) {
  const answer = await ask({ title: `Delete ${name}?`, text: `All ${many(examples, "picture")} of it are deleted for good. Versions that were trained on them stay.`, confirm: "Delete", tone: "danger", typed: name });
  if (!answer) return;
  try {
    await api.delete(`/v1/datasets/${name}`, { query: { confirm: name } });
    app.toast(`${name} is deleted.`, { tone: "good" });
    forget();
  } catch (error) {
    app.toast(error.message, { tone: "bad" });
  }
  changed();
}
