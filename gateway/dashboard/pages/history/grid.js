// One prediction in the grid: its picture, its class, how sure, and whether somebody looked at it.

import { h } from "../../core/dom.js";
import { ago, percent } from "../../core/format.js";
import { thumbnail } from "../../parts/pieces.js";

export function gridCell(row, isChosen, choose) {
  const [best] = row.classifications;
  const verdict = row.feedback === null ? null : row.feedback === best?.label ? ["good", "right"] : ["bad", `truly ${row.feedback}`];
  return h(
    "li",
    { "data-key": row.id },
    h(
      "button",
      { type: "button", class: isChosen ? "cell is-chosen" : "cell", "aria-pressed": String(isChosen), onclick: () => choose(isChosen ? null : row.id) },
      row.picture ? thumbnail(`v1/predictions/${row.id}/image`, "") : h("span", { class: "picture is-missing" }, "picture not kept"),
      h("span", { class: "cell-name wrap" }, best?.label ?? "no class"),
      h("span", { class: "cell-detail" }, h("span", { class: "number" }, percent(best?.score, 0)), verdict ? h("span", { class: "cell-verdict" }, h("span", { class: `dot dot-${verdict[0]}` }), verdict[1]) : h("span", {}, ago(row.at, { isBrief: true }))),
    ),
  );
}
