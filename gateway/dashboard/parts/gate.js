// The promotion gate's decision in words, with its numbers; of a run or of a model card.

import { h } from "../core/dom.js";
import { many, number } from "../core/format.js";
import { badge, table } from "./pieces.js";
import { notice } from "./states.js";

const NAMES = {
  finite: "Finite scores",
  classes: "Classes",
  enough_data: "Enough pictures to judge by",
  accuracy: "Accuracy",
  class_floors: "No class lost",
  corrections: "Corrections agree",
  corrections_learned: "Corrections learned",
  calibration: "Calibration",
  size: "Size",
  latency: "Latency",
};

/** `decision` may be missing: then that is said. */
export function verdict(decision, whenMissing) {
  if (!decision) return h("p", { class: "soft" }, whenMissing);
  const failed = decision.checks.filter(({ passed }) => !passed);
  const against = decision.compared_with ? `compared with version ${decision.compared_with}` : "with no stable version to compare with";
  const text = decision.passed
    ? failed.length ? `The gate let it pass although ${many(failed.length, "check")} failed: it is not enabled.` : `The gate let it pass: all ${decision.checks.length} checks held, ${against}.`
    : `The gate refused it: ${many(failed.length, "check")} of ${decision.checks.length} failed, ${against}.`;
  return h(
    "div",
    { class: "stack" },
    notice(decision.passed ? (failed.length ? "warning" : "good") : "warning", text),
    table("Checks of the gate", ["Check", "Verdict", "What was found", ["Observed"], ["Limit"]], [...failed, ...decision.checks.filter(({ passed }) => passed)].map((check) => [
      NAMES[check.name] ?? check.name.replaceAll("_", " "),
      check.passed ? badge("holds", "good") : badge("fails", "bad"),
      h("span", { class: "told" }, check.sentence),
      figure(check.observed),
      figure(check.limit),
    ])),
  );
}

const figure = (value) => (value === null || value === undefined ? "–" : number(value, Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 4));
