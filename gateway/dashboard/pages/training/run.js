// One run: how far it is, its curves as they grow, the gate's verdict, its log as it is written.

import { api } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { count, duration, many, now, number, percent } from "../../core/format.js";
import { link } from "../../core/router.js";
import { figure } from "../../charts/frame.js";
import { lines } from "../../charts/lines.js";
import { ask } from "../../parts/dialogs.js";
import { verdict } from "../../parts/gate.js";
import { at, button, facts, panelWith, progress } from "../../parts/pieces.js";
import { runBadge } from "../../parts/roles.js";
import { notice, shown } from "../../parts/states.js";
import { LogStream } from "../../parts/stream.js";

const LIVE_SECONDS = 1;
const PHASES = ["load", "fit", "export", "evaluate", "gate", "publish"];
const isOpen = (state) => state === "queued" || state === "running";

export class RunPanel {
  constructor(view, id) {
    Object.assign(this, { view, id });
    this.life = new AbortController();
    const signal = AbortSignal.any([this.life.signal, view.visit.signal]);
    this.detail = view.visit.resource((asked) => this.ask(asked), LIVE_SECONDS);
    this.log = new LogStream(id, () => { view.visit.redraw(); this.follow(); }, signal);
    this.signal = signal;
    signal.addEventListener("abort", () => this.detail.stop(), { once: true });
  }

  close() {
    this.detail.every = 0;
    this.life.abort();
  }

  /** Once it is final it changes no more. */
  async ask(signal) {
    const run = await api.get(`/v1/training-runs/${this.id}`, { signal });
    if (!isOpen(run.state)) this.detail && (this.detail.every = 0);
    return run;
  }

  panel() {
    return h("div", { "data-key": this.id }, shown(this.detail, (run) => this.whole(run), { height: 520 }));
  }

  whole(run) {
    const cancel = isOpen(run.state) && this.view.app.may("operate") ? button("Cancel", () => this.cancel(), { tone: "small danger" }) : null;
    return panelWith(
      h("span", {}, "Run ", h("code", {}, run.id.slice(0, 12)), " ", runBadge(run.state)),
      { actions: cancel, note: `${run.spec.preset} preset, by ${run.caller}` },
      isOpen(run.state) ? this.steps(run.progress) : this.ending(run),
      curves(run.progress.curves),
      run.gate || !isOpen(run.state) ? h("div", { class: "stack" }, h("h3", {}, "The gate's verdict"), verdict(run.gate, run.state === "succeeded" ? "This run was published without a recorded decision of the gate." : run.state === "rejected" ? (run.error?.message ?? "The gate refused it.") : "The run ended before the gate was asked.")) : null,
      facts([["Started", at(run.started_at ?? run.created_at)], ["Took", run.finished_at ? duration((new Date(run.finished_at) - new Date(run.started_at ?? run.created_at)) / 1000) : `${duration((now() - new Date(run.started_at ?? run.created_at)) / 1000)} so far`], ["Seed", String(run.spec.seed)], ["Epochs", run.spec.epochs ? count(run.spec.epochs) : "as the preset"], ["Run by", run.launcher], ["Data", h("span", { class: "mono wrap" }, run.spec.data.split("/").at(-1))]]),
      this.logPanel(),
    );
  }

  steps({ phase, message, done, total }) {
    const here = PHASES.indexOf(phase);
    return h(
      "div",
      { class: "stack" },
      h("ol", { class: "phases" }, PHASES.map((name, index) => h("li", { class: index < here ? "is-done" : index === here ? "is-now" : null, "aria-current": index === here ? "step" : null }, name))),
      progress(total ? done / total : null, "Progress of the phase"),
      h("p", { class: "soft wrap", role: "status" }, message || (phase ? phase : "Waiting to begin"), total ? ` (${count(done)} of ${count(total)})` : ""),
    );
  }

  ending(run) {
    if (run.state === "succeeded") return notice("good", `It made version ${run.version} with ${percent(run.accuracy)} accuracy on pictures it had not seen. `, h("a", { href: link("versions", { version: run.version }) }, "Look at it, and roll it out"), ".");
    if (run.state === "rejected") return notice("warning", `It was trained${run.accuracy === null ? "" : ` to ${percent(run.accuracy)}`}, and the gate refused to publish it`, run.error?.message ? `: ${run.error.message}.` : ".", this.view.app.may("operate") ? h("p", {}, button("Publish it all the same", () => this.publish(run), { tone: "small" })) : null);
    if (run.state === "cancelled") return notice("info", "It was cancelled. ", run.error?.message ?? "");
    return notice("bad", run.error?.message ?? "It failed.", run.error?.code ? h("p", { class: "faint" }, run.error.code) : null);
  }

  logPanel() {
    const { log } = this;
    const told = log.ended ? `${many(log.lines.length, "line")}` : log.isBroken ? "The connection broke; it goes on by itself." : "following";
    return h("details", { class: "log", open: true }, h("summary", {}, "Log ", h("span", { class: "faint" }, told)), h("pre", { class: "log-lines", tabindex: 0, role: "log", "aria-label": "Log of the run", "aria-live": "off" }, log.lines.join("\n") || "Nothing was written yet."));
  }

  /** Stay at the end, unless somebody has scrolled up. */
  follow() {
    queueMicrotask(() => queueMicrotask(() => {
      const pre = this.view.visit.root.querySelector(".log-lines");
      if (pre && pre.scrollHeight - pre.scrollTop - pre.clientHeight < 200) pre.scrollTop = pre.scrollHeight;
    }));
  }

  /** Against the gate's word, with a reason; it answers nobody before somebody promotes it. */
  async publish(run) {
    const failed = run.gate?.checks.filter(({ passed }) => !passed).map(({ sentence }) => sentence) ?? [];
    const answer = await ask({ title: "Publish what the gate refused?", text: [`The gate refused it: ${failed.join(" ") || run.error?.message || "see its verdict"}`, "It becomes a version that answers nobody before somebody promotes it."], confirm: "Publish", reason: { isRequired: true, hint: "Required, because the gate refused it. It goes into the audit log." } });
    if (!answer) return;
    try {
      const { version } = await api.post(`/v1/training-runs/${this.id}/publication`, { json: { reason: answer.reason } });
      this.view.app.toast(`It is version ${version} now, and waits for a promotion.`, { tone: "good" });
      location.hash = link("versions", { version });
    } catch (error) {
      this.view.app.toast(error.message, { tone: "bad" });
    }
  }

  async cancel() {
    try {
      await api.delete(`/v1/training-runs/${this.id}`);
      this.view.app.toast("It was asked to stop; what was learned so far is kept, and a second time stops it by force.");
    } catch (error) {
      this.view.app.toast(error.message, { tone: "bad" });
    }
    this.detail.reload();
  }
}

/** Accuracy and loss side by side, learning and validation in one picture each. */
export function curves(found) {
  const points = (name) => (found[name] ?? []).map(({ epoch, value }) => [epoch, value]);
  const pair = (names, words) => names.map((name, index) => ({ name: words[index], points: points(name) })).filter((one) => one.points.length);
  const accuracy = pair(["accuracy", "validation_accuracy"], ["training", "validation"]);
  const loss = pair(["loss", "validation_loss"], ["training", "validation"]);
  if (!accuracy.length && !loss.length) return h("p", { class: "soft" }, "Curves appear with the first epoch.");
  const last = accuracy.find(({ name }) => name === "validation")?.points.at(-1);
  return h(
    "div",
    { class: "grid curves" },
    accuracy.length ? figure("Accuracy", last ? `${percent(last[1])} of the validation pictures are right after epoch ${last[0]}.` : null, lines(accuracy, { label: "Accuracy by epoch", format: (value) => percent(value, 0), from: 0, to: 1, height: 150, xTitle: "epoch" }), { names: accuracy.map(({ name }) => name) }) : null,
    loss.length ? figure("Loss", null, lines(loss, { label: "Loss by epoch", format: (value) => number(value, 2), from: 0, height: 150, xTitle: "epoch" }), { names: loss.map(({ name }) => name) }) : null,
  );
}
