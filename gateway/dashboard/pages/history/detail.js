// One prediction in full, and what a person says about it.

import { h } from "../../core/dom.js";
import { milliseconds, moment, number } from "../../core/format.js";
import { link } from "../../core/router.js";
import { giveFeedback, labelOfKey } from "../../parts/correcting.js";
import { icon } from "../../parts/icons.js";
import { labelPicker } from "../../parts/labelpicker.js";
import { badge, button, classBars, facts, picture } from "../../parts/pieces.js";
import { failure, loading } from "../../parts/states.js";

export function detail(view) {
  const { state, choose } = view;
  const row = state.found;
  const close = button("", () => choose(null), { tone: "quiet small", sign: icon("cross"), "aria-label": "Close the details" });
  const content = !row ? loading(400) : row.error ? failure(row.error) : whole(row, view);
  return h("aside", { class: "panel detail", "data-key": "detail", "aria-label": "The selected prediction" }, h("div", { class: "row row-apart" }, h("h2", {}, "Prediction"), close), content);
}

function whole(row, view) {
  const [best] = row.classifications;
  return h(
    "div",
    { class: "stack", tabindex: view.app.may("label") ? 0 : null, role: "group", "aria-label": "Answer and correction", onkeydown: (event) => press(event, row, view) },
    row.picture ? picture(`v1/predictions/${row.id}/image`, `The picture that was answered with ${best?.label}`, { loading: "eager" }) : h("span", { class: "picture is-missing" }, "The picture was not kept."),
    classBars(row.classifications, row.feedback),
    view.app.may("label") ? correction(row, best, view) : null,
    facts([
      ["File", row.filename],
      ["When", moment(row.at)],
      ["Version", h("a", { class: "plain", href: link("versions", { version: row.version }) }, `${row.version}, as ${row.role}`)],
      ["Caller", row.caller],
      ["Took", milliseconds(row.milliseconds)],
      ["Margin to the second", number(row.margin, 3)],
      ["Entropy", `${number(row.entropy, 3)} nats`],
      ["Looked at by", row.feedback ? `${row.feedback_by}, ${moment(row.feedback_at)}` : null],
      ["Id", h("code", { class: "wrap" }, row.id)],
      ["Request", row.request_id ? h("code", { class: "wrap" }, row.request_id) : null],
    ]),
  );
}

function correction(row, best, view) {
  const verdict = row.feedback === null ? null : row.feedback === best?.label ? badge("right", "good") : badge("corrected", "warning");
  return h(
    "div",
    { class: "stack" },
    h("div", { class: "row row-apart" }, h("h3", {}, "What does it truly show? ", verdict), row.feedback === null ? null : button("Take back", () => set(row, null, view), { tone: "small quiet", sign: icon("undo") })),
    labelPicker(view.app.labels, { chosen: row.feedback, best: best?.label, pick: (label) => set(row, label, view) }),
  );
}

async function set(row, label, view) {
  try {
    view.put(await giveFeedback(row.id, label));
  } catch (error) {
    view.app.toast(error.message, { tone: "bad" });
  }
}

function press(event, row, view) {
  if (!view.app.may("label") || event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const label = event.key.toLowerCase() === "y" ? row.classifications[0]?.label : labelOfKey(event.key, view.app.labels);
  if (!label) return;
  event.preventDefault();
  set(row, label, view);
}
