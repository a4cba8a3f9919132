// Two results measurement by measurement: what was measured in both under the same settings, and how it moved.

import { h } from "../../core/dom.js";
import { many, number, percent } from "../../core/format.js";
import { field, panelWith, select, table } from "../../parts/pieces.js";
import { empty } from "../../parts/states.js";
import { quantile } from "../../core/statistics.js";
import { title } from "./readings.js";
import { keyOf, shownNumber } from "./view.js";

/** Of the two chosen results; nothing until both are there. */
export function comparison({ state, visit }) {
  const [one, other] = [state.name, state.other].map((name) => state.results.get(name));
  if (!state.other || state.other === state.name || !one?.tables || !other?.tables) return null;
  const pairs = one.tables.flatMap((table_) => pairsOf(table_, other.tables.find(({ name }) => name === table_.name)));
  const words = `${state.name.replaceAll("_", " ")} beside ${state.other.replaceAll("_", " ")}`;
  if (!pairs.length) return panelWith(words, { key: "comparison" }, empty("Nothing was measured in both", "They share no measurement with the same settings, so each is shown for itself."));
  const measures = [...new Set(pairs.map(({ measure }) => measure))];
  const chosen = measures.includes(state.choices.compared) ? state.choices.compared : measures[0];
  const rows = pairs.filter(({ measure }) => measure === chosen);
  return panelWith(
    words,
    { key: "comparison" },
    h("div", { class: "fields" }, field("Measurement", select(chosen, measures.map((measure) => [measure, title(measure)]), (value) => { state.choices.compared = value; visit.redraw(); }))),
    h("p", { class: "sentence" }, sentence(rows, chosen)),
    table(`${title(chosen)} in both`, ["Settings", [state.name], [state.other], ["Change"]], rows.map(({ key, before, after }) => [h("span", { class: "wrap" }, key), shownNumber(after), shownNumber(before), change(before, after)])),
  );
}

/** Rows of both tables with the same words and settings; repeated ones by their median. */
function pairsOf(one, other) {
  if (!other) return [];
  const columns = [...one.words, ...one.settings];
  const grouped = (rows) => {
    const found = new Map();
    for (const row of rows) found.set(keyOf(row, columns), [...(found.get(keyOf(row, columns)) ?? []), row]);
    return found;
  };
  const [here, there] = [grouped(one.rows), grouped(other.rows)];
  const middle = (rows, measure) => {
    const values = rows.map((row) => row[measure]).filter(Number.isFinite);
    return values.length ? quantile(values, 0.5) : null;
  };
  return [...here].filter(([key]) => there.has(key)).flatMap(([key, rows]) => one.measures.map((measure) => ({ key, measure, after: middle(rows, measure), before: middle(there.get(key), measure) }))).filter(({ before, after }) => before !== null && after !== null);
}

const ratio = (before, after) => (before ? after / before - 1 : null);
const change = (before, after) => (before ? `${after >= before ? "+" : "−"}${percent(Math.abs(ratio(before, after)))}` : "–");

function sentence(rows, measure) {
  const changes = rows.map(({ key, before, after }) => ({ key, by: ratio(before, after) })).filter(({ by }) => by !== null);
  if (!changes.length) return `Of ${many(rows.length, "measurement")} in both none has a value to compare with.`;
  const middle = quantile(changes.map(({ by }) => by), 0.5);
  const [widest] = [...changes].sort((one, other) => Math.abs(other.by) - Math.abs(one.by));
  const word = Math.abs(middle) < 0.005 ? "the same" : `${number(Math.abs(middle) * 100, 1)} % ${middle > 0 ? "higher" : "lower"}`;
  return `Of ${many(rows.length, "measurement")} in both, ${title(measure)} is ${word} in the middle; it differs most with ${widest.key}: ${change(1, 1 + widest.by)}.`;
}
