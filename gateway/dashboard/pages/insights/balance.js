// How many pictures each class has, and whether people ask about the same classes.

import { h } from "../../core/dom.js";
import { count, number, percent } from "../../core/format.js";
import { link } from "../../core/router.js";
import { rows } from "../../charts/bars.js";
import { figure } from "../../charts/frame.js";
import { anchor, panel } from "../../parts/pieces.js";
import { empty } from "../../parts/states.js";
import { distance, effective, shares } from "../../core/statistics.js";

const SPLITS = ["train", "validation", "test"];
const EVEN = 0.97;
const SAME_MIX = 0.1;

/** Of the dataset that is to be learned from, else of the one the version was made from. */
function classCounts({ dataset, card }) {
  if (dataset) return { splits: dataset.splits, name: `the labelled pictures of ${dataset.name}` };
  return card ? { splits: card.dataset.class_counts, name: "the pictures that the version was made from" } : { splits: {}, name: "" };
}

export function balanceFigure(known) {
  const { splits, name } = classCounts(known);
  const labels = [...new Set(Object.values(splits).flatMap(Object.keys))].sort();
  if (!labels.length) return panel("Class balance", empty("No labelled pictures yet", "Upload some on the page Data.", anchor("Upload", link("data"), "primary")));
  const items = labels.map((label) => ({ name: label, values: SPLITS.map((split) => splits[split]?.[label] ?? 0) }));
  const sums = items.map(({ values }) => values.reduce((sum, value) => sum + value, 0));
  return panel("Class balance", figure(null, balanceSentence(labels, sums, name), rows(items, { label: "Pictures by class and split", names: SPLITS, format: count }), { names: SPLITS }));
}

function balanceSentence(labels, sums, name) {
  const all = sums.reduce((sum, value) => sum + value, 0);
  const worth = effective(sums);
  const most = labels[sums.indexOf(Math.max(...sums))];
  const least = labels[sums.indexOf(Math.min(...sums))];
  const worthText = `${count(all)} pictures, ${name}, spread over ${labels.length} classes as evenly as ${number(worth, 1)} equal ones would.`;
  if (worth / labels.length >= EVEN && Math.max(...sums) < 2 * Math.min(...sums)) return `${worthText} No class stands out.`;
  return `${worthText} ${most} has the most (${count(Math.max(...sums))}) and ${least} the fewest (${count(Math.min(...sums))}): of ${least} the model sees ${number(Math.max(...sums) / Math.max(1, Math.min(...sums)), 1)} times less.`;
}

/** What is answered now against what was learned from. */
export function mixFigure({ use, card, version }) {
  const answered = {};
  for (const { labels } of use?.versions ?? []) for (const [label, times] of Object.entries(labels)) answered[label] = (answered[label] ?? 0) + times;
  const all = Object.values(answered).reduce((sum, value) => sum + value, 0);
  if (!all || !card) return panel("What is asked", empty("Nothing asked in 30 days", "Answers by class appear here beside the classes that the model learned.", anchor("Predict", link("predict"))));
  const now = shares(answered);
  const learned = shares(card.dataset.class_counts.train ?? {});
  const labels = [...new Set([...Object.keys(learned), ...Object.keys(now)])].sort();
  const moved = labels.map((label) => [label, (now[label] ?? 0) - (learned[label] ?? 0)]).sort(([, one], [, other]) => Math.abs(other) - Math.abs(one))[0];
  const apart = distance(now, learned);
  const noise = Math.sqrt(labels.length / (2 * Math.PI * all));
  const sentence = `${percent(apart, 0)} of ${count(all)} answers of the last 30 days would have to change for their classes to be as frequent as in what version ${version} learned from${apart < noise * 1.5 ? ", no more than chance makes of so few" : apart < SAME_MIX ? ", which is little" : ""}. Most of it is ${moved[0]}, ${percent(Math.abs(moved[1]))} ${moved[1] > 0 ? "more" : "less"} of the answers.`;
  return panel("What is asked, and what was learned", figure(null, sentence, h("div", { class: "pairs" }, labels.map((label) => pair(label, now[label] ?? 0, learned[label] ?? 0, Math.max(...Object.values(now), ...Object.values(learned))))), { names: ["answered in 30 days", "learned from"] }));
}

const pair = (label, now, learned, most) =>
  h("div", { class: "pair" }, h("span", { class: "wrap" }, label), h("span", { class: "stack-bars", "aria-hidden": "true" }, h("span", { class: "bar" }, h("span", { class: "series-one", style: { width: `${(now / most) * 100}%` } })), h("span", { class: "bar" }, h("span", { class: "series-two", style: { width: `${(learned / most) * 100}%` } }))), h("span", { class: "number" }, `${percent(now)} / ${percent(learned)}`));
