// One picture with its answer, the keys that correct it, and a second version's answer beside.

import { h } from "../../core/dom.js";
import { milliseconds } from "../../core/format.js";
import { labelOfKey } from "../../parts/correcting.js";
import { icon } from "../../parts/icons.js";
import { labelPicker } from "../../parts/labelpicker.js";
import { badge, button, classBars } from "../../parts/pieces.js";
import { loading, notice } from "../../parts/states.js";

export function card(item, queue, app) {
  const may = app.may("label") && item.answer;
  return h(
    "article",
    { class: "panel prediction", "data-key": item.key, tabindex: may ? 0 : null, "aria-label": `Prediction of ${item.name}`, onkeydown: may ? (event) => press(event, item, queue, app) : null },
    h("div", { class: "prediction-body" }, h("img", { class: "picture", src: queue.urlOf(item), alt: item.name, onerror: (event) => event.target.classList.add("is-missing") }), h("div", { class: "stack" }, h("p", { class: "file-name wrap" }, item.name), answer(item))),
    item.other ? comparison(item) : null,
    may ? verdict(item, queue, app) : null,
  );
}

function answer(item) {
  if (item.error) return notice("bad", item.error.message);
  if (!item.answer) return loading(112, "Waiting for the answer");
  const { prediction, version, timing_ms: timing } = item.answer;
  return [
    classBars(prediction.classifications, item.feedback),
    h("p", { class: "faint" }, `Version ${version} · ${milliseconds(timing.total)} in all: decode ${milliseconds(timing.decode)}, queue ${milliseconds(timing.queue)}, predict ${milliseconds(timing.predict)}`),
  ];
}

function comparison(item) {
  if (item.other.error) return notice("warning", item.other.error.message);
  const agrees = item.other.prediction.classifications[0].label === item.answer.prediction.classifications[0].label;
  return h("div", { class: "comparison" }, h("p", {}, h("b", {}, `Version ${item.other.version}`), " ", agrees ? badge("same answer", "good") : badge("another answer", "warning")), classBars(item.other.prediction.classifications.slice(0, 3), item.feedback));
}

function verdict(item, queue, app) {
  const best = item.answer.prediction.classifications[0].label;
  if (item.feedback !== null) {
    const isRight = item.feedback === best;
    return h("div", { class: "row row-apart verdict" }, h("p", { role: "status" }, isRight ? badge("right", "good") : badge("corrected", "warning"), " ", h("span", { class: "wrap" }, isRight ? best : `${best} → ${item.feedback}`)), button("Take back", () => queue.correct(item, null), { tone: "small quiet", sign: icon("undo") }));
  }
  return h(
    "div",
    { class: "verdict stack" },
    h("div", { class: "row" }, button("Right", () => queue.correct(item, best), { tone: "small", sign: icon("check") }), h("details", { class: "wrong" }, h("summary", { class: "button small" }, icon("cross"), "Wrong"), labelPicker(app.labels, { chosen: null, best, pick: (label) => queue.correct(item, label) }))),
  );
}

function press(event, item, queue, app) {
  if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const label = labelOfKey(event.key, app.labels);
  const key = event.key.toLowerCase();
  if (label) queue.correct(item, label);
  else if (key === "y") queue.correct(item, item.answer.prediction.classifications[0].label);
  else if (key === "u" && item.feedback !== null) queue.correct(item, null);
  else if (key === "arrowright" || key === "arrowleft") event.currentTarget[key === "arrowright" ? "nextElementSibling" : "previousElementSibling"]?.focus();
  else return;
  event.preventDefault();
}
