// The classes as buttons with their keys; beyond thirty, a field to type into.

import { h } from "../core/dom.js";
import { keyOfLabel } from "./correcting.js";

const MOST_BUTTONS = 30;

/** `chosen`: the label given so far; `pick(label)`. */
export function labelPicker(labels, { chosen = null, best = null, pick, name = "Correct class" }) {
  if (labels.length > MOST_BUTTONS) return typed(labels, chosen, pick, name);
  return h(
    "div",
    { class: "label-picker", role: "group", "aria-label": name },
    labels.map((label, index) =>
      h(
        "button",
        { type: "button", class: label === best ? "label is-best" : "label", "aria-pressed": String(label === chosen), onclick: () => pick(label) },
        keyOfLabel(index) ? h("kbd", { "aria-hidden": "true" }, keyOfLabel(index)) : null,
        h("span", { class: "wrap" }, label),
      ),
    ),
  );
}

function typed(labels, chosen, pick, name) {
  const id = "labels-to-pick";
  const submit = (event) => {
    event.preventDefault();
    const label = new FormData(event.target).get("label");
    if (labels.includes(label)) pick(label);
  };
  return h(
    "form",
    { class: "row", onsubmit: submit },
    h("input", { type: "text", name: "label", list: id, required: true, placeholder: chosen ?? "Type a class", "aria-label": name }),
    h("datalist", { id }, labels.map((label) => h("option", { value: label }))),
    h("button", { type: "submit", class: "button" }, "Set"),
  );
}
