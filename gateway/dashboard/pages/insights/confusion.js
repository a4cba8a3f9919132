// The pairs of classes that the model confuses most, with pictures of both and of real mistakes.

import { h } from "../../core/dom.js";
import { count, many, percent } from "../../core/format.js";
import { link } from "../../core/router.js";
import { confusions } from "../../charts/matrix.js";
import { panel, thumbnail } from "../../parts/pieces.js";
import { empty } from "../../parts/states.js";

const PAIRS = 4;
const SHOWN = 4;

export function confusionFigure({ card, predictions, version }, sample) {
  const evaluation = card?.test ?? card?.validation;
  if (!evaluation?.confusion_matrix.length) return panel("Most confused", empty("No confusion matrix", "The stable version's card holds none."));
  const found = confusions(card.labels, evaluation.confusion_matrix);
  if (!found.length) return panel("Most confused", empty("Nothing was confused", `Version ${version} made no mistake on ${count(evaluation.examples)} pictures.`));
  const wrong = found.reduce((sum, one) => sum + one.count, 0);
  const top = pairsOf(found).slice(0, PAIRS);
  return panel("Most confused", h("p", { class: "sentence" }, sentence(found, wrong, evaluation)), h("ul", { class: "confused" }, top.map((one) => pair(one, predictions, sample))));
}

/** Both directions of a pair together, the most frequent first. */
function pairsOf(found) {
  const pairs = new Map();
  for (const one of found) {
    const key = [one.truth, one.answer].sort().join("\n");
    if (pairs.has(key)) Object.assign(pairs.get(key), { back: one, sum: pairs.get(key).sum + one.count });
    else pairs.set(key, { ...one, back: null, sum: one.count });
  }
  return [...pairs.values()].sort((one, other) => other.sum - one.sum);
}

function sentence(found, wrong, { examples, split }) {
  const [first] = found;
  const back = found.find((one) => one.truth === first.answer && one.answer === first.truth);
  const together = first.count + (back?.count ?? 0);
  return `Of ${many(wrong, "mistake")} on ${count(examples)} ${split} pictures, ${percent(together / wrong, 0)} lie between ${first.truth} and ${first.answer}: ${first.truth} is taken for ${first.answer} ${count(first.count)} times${back ? `, the other way round ${count(back.count)} times` : " and never the other way round"}.`;
}

function pair(one, predictions, sample) {
  const mistakes = predictions.filter(({ feedback, classifications: [best], picture: kept }) => kept && best && ((feedback === one.truth && best.label === one.answer) || (feedback === one.answer && best.label === one.truth))).slice(0, SHOWN);
  const examples = (label) => sample.of(label).slice(0, SHOWN - 1);
  return h(
    "li",
    {},
    h("p", {}, h("b", { class: "wrap" }, one.truth), " and ", h("b", { class: "wrap" }, one.answer), h("span", { class: "faint" }, ` ${many(one.sum, "mistake")}: ${one.truth} answered as ${one.answer} ${count(one.count)} times (${percent(one.share)} of the class), the other way round ${count(one.back?.count ?? 0)} times`)),
    h(
      "div",
      { class: "row" },
      mistakes.length
        ? [h("span", { class: "faint" }, "as corrected:"), mistakes.map(({ id }) => h("a", { href: link("history", { id }), class: "thumb is-wrong", "data-key": id }, thumbnail(`v1/predictions/${id}/image`, `${one.truth} and ${one.answer} were confused on this picture`, 64)))]
        : [examples(one.truth).map(({ url }) => h("span", { class: "thumb" }, thumbnail(url, `an example of ${one.truth}`, 64))), sample.isReady && sample.of(one.truth).length ? h("span", { class: "faint" }, "beside") : null, examples(one.answer).map(({ url }) => h("span", { class: "thumb" }, thumbnail(url, `an example of ${one.answer}`, 64)))],
    ),
  );
}

