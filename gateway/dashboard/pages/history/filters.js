// What to look for, kept in the address so that a view can be sent to somebody.

import { h } from "../../core/dom.js";
import { now } from "../../core/format.js";
import { button, field, select } from "../../parts/pieces.js";

const SPANS = [["", "All time"], ["1", "Last hour"], ["24", "Last 24 hours"], ["168", "Last 7 days"], ["720", "Last 30 days"]];
const LOOKED_AT = [["", "All"], ["missing", "Not looked at"], ["given", "Looked at"], ["right", "Right"], ["wrong", "Wrong"]];
const CONFIDENCE = [["", "Any"], ["0-0.5", "Below 50 %"], ["0.5-0.8", "50 to 80 %"], ["0.8-0.95", "80 to 95 %"], ["0.95-1", "Above 95 %"]];
const HOUR_MS = 3_600_000;

/** The API's words for what was chosen. */
export function asQuery({ version, label, caller, feedback, confidence, hours }, model) {
  const [min_score, max_score] = confidence?.split("-") ?? [];
  const since = hours ? new Date(Math.floor(now() / 60_000) * 60_000 - hours * HOUR_MS).toISOString() : null;
  return { model, version, label, caller, feedback, min_score: min_score === "0" ? null : min_score, max_score: max_score === "1" ? null : max_score, since };
}

export function filters({ state, app, filter }) {
  const chosen = (name, choices, title) => field(title, select(state.filter[name] ?? "", choices, (value) => filter(name, value)));
  const submit = (event) => {
    event.preventDefault();
    filter("caller", new FormData(event.target).get("caller").trim());
  };
  const isFiltered = Object.values(state.filter).some(Boolean);
  return h(
    "div",
    { class: "panel filters" },
    chosen("label", [["", "Every class"], ...app.labels.map((label) => [label, label])], "Class answered"),
    chosen("version", [["", "Every version"], ...state.versions.map(({ version }) => [String(version), `Version ${version}`])], "Version"),
    chosen("confidence", CONFIDENCE, "Confidence"),
    chosen("hours", SPANS, "Time"),
    chosen("feedback", LOOKED_AT, "Looked at"),
    h("form", { onsubmit: submit }, field("Caller", h("input", { type: "text", name: "caller", maxlength: 255, placeholder: "Everyone", onchange: (event) => filter("caller", event.target.value.trim()), ...(isFiltered ? {} : { value: "" }) }))),
    button("Clear", () => filter(null), { disabled: !isFiltered }),
  );
}
