// The confusion matrix: rows are the truth, columns the answers, and each field can be asked for its numbers.

import { h } from "../core/dom.js";
import { count, percent } from "../core/format.js";

/** `name`: unique on its page; `chosen`: [row, column] or null; `choose(row, column)`: without it the fields only tell. */
export function matrix(labels, counts, { chosen = null, choose = null, name = "Confusion matrix" } = {}) {
  const sums = counts.map((row) => row.reduce((sum, value) => sum + value, 0));
  return h(
    "div",
    { class: "table-frame matrix-frame", tabindex: 0, role: "region", "aria-label": name },
    h(
      "table",
      { class: "matrix" },
      h("caption", { class: "hidden" }, `${name}: rows are true classes, columns the model's answers`),
      h("thead", {}, h("tr", {}, h("td", { class: "corner" }, "true ↓  answer →"), labels.map((label) => h("th", { scope: "col" }, h("span", { title: label }, label))))),
      h("tbody", {}, counts.map((row, index) => h("tr", {}, h("th", { scope: "row", title: labels[index] }, labels[index]), row.map((value, column) => cell(value, sums[index], index, column, chosen, choose, labels))))),
    ),
  );
}

function cell(value, sum, row, column, chosen, choose, labels) {
  const part = sum ? value / sum : 0;
  const kind = row === column ? "is-right" : "is-wrong";
  const isChosen = chosen && chosen[0] === row && chosen[1] === column;
  const strength = row === column ? part : Math.min(1, part * 4);
  const told = `${labels[row]} → ${labels[column]}: ${count(value)} (${percent(part)})`;
  return h(
    "td",
    { class: `${kind}${isChosen ? " is-chosen" : ""}`, style: { "--strength": `${Math.round(strength * 100)}%` } },
    choose
      ? h("button", { type: "button", tabindex: value ? null : -1, "aria-label": `${labels[row]} answered as ${labels[column]}: ${count(value)}, ${percent(part)} of the class`, title: told, onclick: () => choose(row, column) }, value || "·")
      : h("span", { title: told }, value || "·"),
  );
}

/** [{truth, answer, count, share}] of the mistakes, most frequent first. */
export function confusions(labels, counts) {
  const found = counts.flatMap((row, truth) => {
    const sum = row.reduce((total, value) => total + value, 0);
    return row.map((value, answer) => ({ truth: labels[truth], answer: labels[answer], count: value, share: sum ? value / sum : 0, isWrong: truth !== answer }));
  });
  return found.filter((one) => one.isWrong && one.count).sort((one, other) => other.count - one.count);
}
