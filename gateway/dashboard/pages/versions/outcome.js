// What an evaluation found: each version with its interval, the difference of two, and where they err.

import { h } from "../../core/dom.js";
import { count, many, number, percent, points } from "../../core/format.js";
import { confusions, matrix } from "../../charts/matrix.js";
import { table } from "../../parts/pieces.js";
import { notice } from "../../parts/states.js";

const RARE = 0.05;

export function outcome({ versions, difference, refused, refusals }) {
  const [first] = versions;
  return h(
    "div",
    { class: "stack", "data-key": "outcome" },
    h("p", { class: "sentence", role: "status" }, sentence(versions, difference)),
    table("The versions on these pictures", ["Version", ["Right"], ["Accuracy"], ["95 % interval"], ["Macro F1"]], versions.map((one) => [
      `Version ${one.version}`,
      `${count(one.right)} of ${count(one.pictures)}`,
      percent(one.accuracy),
      `${percent(one.accuracy_low)} to ${percent(one.accuracy_high)}`,
      number(one.macro_f1, 3),
    ])),
    refused ? notice("warning", `${many(refused, "file")} could not be used.`, h("details", {}, h("summary", {}, "Which, and why"), h("ul", {}, refusals.map(({ name, reason }) => h("li", { class: "wrap" }, `${name}: ${reason}`))))) : null,
    h("div", { class: "grid" }, h("div", { class: "stack" }, h("h3", {}, `Confusions of version ${first.version}`), matrix(first.labels, first.confusion_matrix, { name: `Confusions of version ${first.version} on these pictures` }), h("p", { class: "sentence" }, worst(first))), byClass(versions)),
  );
}

function sentence(versions, difference) {
  const [first, second] = versions;
  const alone = `Version ${first.version} is right on ${percent(first.accuracy)} of ${many(first.pictures, "picture")}`;
  if (!second) return `${alone}; with 95 % confidence on ${percent(first.accuracy_low)} to ${percent(first.accuracy_high)} of such pictures.`;
  const apart = `${alone}, version ${second.version} on ${percent(second.accuracy)}: ${points(difference.difference)} (95 % interval ${points(difference.low)} to ${points(difference.high)}).`;
  const told = `Where only one is right, it is version ${first.version} ${count(difference.only_version_right)} times and version ${second.version} ${count(difference.only_against_right)} times`;
  const verdict = difference.p_value < RARE ? `more unlike than chance would make them (p = ${number(difference.p_value, 3)}).` : `which chance alone could make (p = ${number(difference.p_value, 3)}): these pictures do not tell them apart.`;
  return `${apart} ${told}, ${verdict}`;
}

function worst({ labels, confusion_matrix: counts }) {
  const [most] = confusions(labels, counts);
  return most ? `Most often ${most.truth} is taken for ${most.answer}: ${count(most.count)} of ${count(Math.round(most.count / most.share))}.` : "Nothing was confused.";
}

/** The classes that the pictures show, the worst of the first version in front. */
function byClass(versions) {
  const [first] = versions;
  const of = (version, label) => version.classes.find((one) => one.label === label);
  const shown = first.classes.filter(({ pictures }) => pictures).sort((one, other) => (one.f1 ?? 0) - (other.f1 ?? 0));
  const rows = shown.map(({ label, pictures }) => [h("span", { class: "wrap" }, label), count(pictures), ...versions.flatMap((version) => [percent(of(version, label)?.precision), percent(of(version, label)?.recall)])]);
  return h("div", { class: "stack" }, h("h3", {}, "By class"), table("By class, the worst first", ["Class", ["Pictures"], ...versions.flatMap(({ version }) => [[`Precision, ${version}`], [`Recall, ${version}`]])], rows));
}
