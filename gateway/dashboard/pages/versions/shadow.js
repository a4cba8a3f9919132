// What the shadow answered beside stable.

import { api } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { count, many, milliseconds, number, percent, points } from "../../core/format.js";
import { link } from "../../core/router.js";
import { facts, panelWith, table } from "../../parts/pieces.js";
import { empty, shown } from "../../parts/states.js";

export class ShadowPanel {
  constructor(view) {
    Object.assign(this, { view, shadow: null, found: null });
  }

  panel() {
    const shadow = this.view.rollout.value?.rollout.shadow ?? null;
    if (shadow !== this.shadow) {
      this.shadow = shadow;
      this.found?.stop();
      this.found = shadow ? this.view.visit.resource((signal) => api.get(`${this.view.path}/shadow`, { signal }), 10) : null;
    }
    if (!this.found) return null;
    return panelWith(`Shadow: version ${shadow} beside stable`, { key: "shadow" }, shown(this.found, (value) => whole(value), { height: 160 }));
  }
}

function whole(value) {
  if (!value.comparisons) return empty("Nothing compared yet", "The shadow answers copies of the next predictions.");
  const { agreement, feedback } = value;
  const told = feedback.stable_right + feedback.shadow_right;
  return [
    h("p", { class: "sentence" }, `They gave the same answer to ${percent(agreement.share)} of ${many(value.comparisons, "picture")} (95 % interval ${percent(agreement.low)} to ${percent(agreement.high)}). `, told ? `Where they differ and people said who is right: the shadow ${count(feedback.shadow_right)} times, stable ${count(feedback.stable_right)} times${feedback.p_value < 0.05 ? "" : "; too few to tell chance from skill"} (p = ${number(feedback.p_value, 3)}).` : "Nobody has said yet who is right where they differ."),
    facts([["Stable takes", milliseconds(value.stable_ms)], ["Shadow takes", milliseconds(value.shadow_ms)], ["No answer", count(value.failures)], ["Score of stable's class", points(value.mean_difference)]]),
    value.pairs.length ? table("Most frequent differences", ["Stable says", "Shadow says", ["Times"]], value.pairs.slice(0, 6).map((pair) => [pair.label, pair.shadow_label, count(pair.count)])) : null,
    value.disagreements.length ? h("p", {}, h("a", { href: link("history", { id: value.disagreements[0].prediction_id }) }, "See the latest picture on which they differ")) : null,
  ];
}
