// One version in full: what it was made from, how good it is, where it errs.

import { api } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { count, moment, number, percent } from "../../core/format.js";
import { link } from "../../core/router.js";
import { columns } from "../../charts/bars.js";
import { figure } from "../../charts/frame.js";
import { confusions, matrix } from "../../charts/matrix.js";
import { verdict } from "../../parts/gate.js";
import { anchor, facts, panel, panelWith, segments, table } from "../../parts/pieces.js";
import { empty, notice, shown } from "../../parts/states.js";
import { calibrationSentence } from "../../parts/sentences.js";

export class VersionCard {
  constructor(view, version) {
    Object.assign(this, { view, version, split: null, chosen: null });
    this.detail = view.visit.resource((signal) => api.get(`${view.path}/versions/${version}`, { signal }));
  }

  panel() {
    return h("div", { class: "stack", "data-key": `version-${this.version}` }, h("h2", { class: "section" }, `Version ${this.version}`), shown(this.detail, (detail) => this.whole(detail), { height: 520, whenMissing: (error) => notice("warning", error.message) }));
  }

  whole(detail) {
    const { card } = detail;
    if (!card) return panel(null, empty("This version has no card that can be read", detail.card_error));
    const evaluation = (this.split === "validation" ? card.validation : card.test) ?? card.validation;
    return [
      h("div", { class: "grid" }, this.origin(detail, card), this.figures(card, evaluation)),
      h("div", { class: "grid" }, this.confusion(card, evaluation), h("div", { class: "stack" }, this.calibration(evaluation), this.perClass(evaluation))),
      panel("The gate's verdict", verdict(card.gate, "This version was made before the gate recorded its decisions, or without one.")),
      this.plots(detail),
    ];
  }

  origin(detail, card) {
    const { examples } = card.dataset;
    const changed = Object.entries(card.hyper_parameters);
    return panel(
      "Where it comes from",
      facts([
        ["Made", moment(card.created_at)],
        ["By run", h("a", { class: "plain wrap", href: link("training", { run: card.run_id }) }, card.run_id)],
        ["From version", card.parent_version ? h("a", { class: "plain", href: link("versions", { version: card.parent_version }) }, String(card.parent_version)) : "none: from scratch"],
        ["How", card.lineage ? `${card.lineage.method}: ${card.lineage.reason}` : null],
        ["Dataset", card.dataset.name],
        ["Pictures", Object.entries(examples).map(([split, value]) => `${count(value)} ${split}`).join(", ")],
        ["Skipped files", card.dataset.skipped_count ? count(card.dataset.skipped_count) : null],
        ["Takes", `${card.image.width} × ${card.image.height} pixels, ${card.image.resampling}, ${card.image.fit}`],
        ["Parameters", count(card.parameters)],
        ["Temperature", number(card.temperature, 3)],
        ["Dataset digest", h("code", { class: "wrap" }, card.dataset.digest.slice(0, 16))],
      ]),
      h("details", { class: "numbers" }, h("summary", {}, `Hyper-parameters (${changed.length})`), facts(changed.map(([name, value]) => [name.replaceAll("_", " "), String(value)]))),
      h("details", { class: "numbers" }, h("summary", {}, "Software"), facts(Object.entries(card.software))),
    );
  }

  figures(card, evaluation) {
    const both = card.test ? segments("Split", evaluation.split, [["test", "Test"], ["validation", "Validation"]], (split) => { this.split = split; this.view.visit.redraw(); }) : null;
    return panelWith(
      `On ${count(evaluation.examples)} ${evaluation.split} pictures`,
      { actions: both },
      h("div", { class: "figures" }, [["Accuracy", percent(evaluation.accuracy)], ["Macro F1", number(evaluation.macro.f1, 3)], ["ROC-AUC", number(evaluation.roc_auc, 4)], ["Log loss", number(evaluation.log_loss, 3)], ["Calibration error", percent(evaluation.expected_calibration_error)], ["Macro recall", percent(evaluation.macro.recall)]].map(([name, value]) => h("div", {}, h("p", { class: "figure" }, value), h("p", { class: "faint" }, name)))),
      h("div", { class: "row" }, anchor("Predict with it", link("predict", { version: this.version }), "small"), anchor("Its predictions", link("history", { version: this.version }), "small"), anchor("What it confuses", link("insights"), "small")),
    );
  }

  confusion(card, evaluation) {
    const { labels } = card;
    if (!evaluation.confusion_matrix.length) return panel("Confusion matrix", empty("No confusion matrix in its card"));
    const worst = confusions(labels, evaluation.confusion_matrix)[0];
    const found = this.chosen && evaluation.confusion_matrix[this.chosen[0]]?.[this.chosen[1]];
    const sentence = this.chosen
      ? `${count(found)} pictures of ${labels[this.chosen[0]]} were answered with ${labels[this.chosen[1]]}.`
      : worst ? `Most often ${worst.truth} is taken for ${worst.answer}: ${count(worst.count)} times, ${percent(worst.share)} of the class. Select a field for its numbers.` : "Nothing was confused.";
    const choose = (row, column) => { this.chosen = this.chosen?.[0] === row && this.chosen?.[1] === column ? null : [row, column]; this.view.visit.redraw(); };
    return panel("Confusion matrix", matrix(labels, evaluation.confusion_matrix, { chosen: this.chosen, choose }), h("p", { class: "sentence", role: "status" }, sentence));
  }

  calibration(evaluation) {
    const bins = evaluation.calibration;
    if (!bins.length) return panel("Calibration", empty("No calibration in its card"));
    return panel(
      "Calibration",
      figure(null, calibrationSentence(evaluation), columns(bins.map((bin) => [percent((bin.lower + bin.upper) / 2, 0), [bin.examples ? bin.accuracy : null]]), { label: "Share of right answers by confidence; the dashed line is perfect calibration", format: (value) => percent(value, 0), to: 1, height: 150, xTitle: "confidence", yTitle: "right answers", diagonal: true }), { heads: ["Confidence", "Pictures", "Mean confidence", "Right"], rows: bins.filter(({ examples }) => examples).map((bin) => [`${percent(bin.lower, 0)} to ${percent(bin.upper, 0)}`, count(bin.examples), percent(bin.confidence), percent(bin.accuracy)]) }),
    );
  }

  perClass(evaluation) {
    if (!evaluation.per_class.length) return null;
    return panel("By class", table("Metrics by class, the worst first", ["Class", ["Pictures"], ["Precision"], ["Recall"], ["F1"]], [...evaluation.per_class].sort((one, other) => one.f1 - other.f1).map((row) => [h("span", { class: "wrap" }, row.label), count(row.examples), percent(row.precision), percent(row.recall), number(row.f1, 3)])));
  }

  plots({ plots, model, version }) {
    if (!plots.length) return null;
    return panel("As the trainer drew it", h("div", { class: "plots" }, plots.map((name) => h("figure", { class: "figure-block" }, h("figcaption", {}, name.replaceAll("_", " ")), h("a", { href: `v1/models/${model}/versions/${version}/plots/${name}`, target: "_blank", rel: "noopener" }, h("img", { src: `v1/models/${model}/versions/${version}/plots/${name}`, alt: `Plot ${name.replaceAll("_", " ")} of version ${version}`, loading: "lazy" }))))));
  }
}
