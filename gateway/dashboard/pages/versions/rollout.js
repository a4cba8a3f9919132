// Which version answers whom: promote, canary with its share, shadow, pins, roll back. Each goes into the audit log.

import { api } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { percent } from "../../core/format.js";
import { ask } from "../../parts/dialogs.js";
import { badge, button, field, panelWith, select } from "../../parts/pieces.js";
import { notice, shown } from "../../parts/states.js";

export class RolloutPanel {
  constructor(view) {
    Object.assign(this, { view, share: null, isBusy: false });
  }

  panel() {
    return shown(this.view.rollout, (value) => this.whole(value), { height: 180 });
  }

  whole({ rollout, loading, failed, waiting, error }) {
    const { app } = this.view;
    const may = app.may("operate");
    const broken = Object.entries(failed ?? {});
    const back = may && rollout.previous_stable ? button(`Roll back to version ${rollout.previous_stable}`, () => this.rollBack(rollout), { disabled: this.isBusy }) : null;
    return panelWith(
      "Rollout",
      { actions: back, note: rollout.policy === "gated" ? "A published version waits until somebody promotes it." : "Each published version becomes stable by itself." },
      error ? notice("bad", error) : null,
      loading ? notice("info", `Version ${loading} is being loaded; it becomes stable once every replica has it.`) : null,
      broken.map(([version, why]) => notice("warning", `Version ${version} was given up: ${why}`)),
      Object.entries(waiting ?? {}).map(([version, why]) => notice("info", `Version ${version} waits for a person to promote it: ${why}`)),
      h("div", { class: "roles" }, this.role("Stable", rollout.stable, rollout.canary ? `${percent(1 - rollout.canary_share, 0)} of traffic` : "all traffic", may ? this.promote(rollout) : null), this.role("Canary", rollout.canary, rollout.canary ? `${percent(rollout.canary_share, 0)} of traffic` : "no part of traffic tries another version", may ? this.canary(rollout) : null), this.role("Shadow", rollout.shadow, rollout.shadow ? `answers copies of ${percent(rollout.shadow_share, 0)}; nobody sees them` : "no version answers copies", may ? this.shadow(rollout) : null)),
      may ? this.policy(rollout) : null,
    );
  }

  role(title, version, text, control) {
    return h("div", { class: "role" }, h("h3", {}, title), h("p", { class: "figure" }, version ? `Version ${version}` : "–"), h("p", { class: "soft" }, text), control);
  }

  /** [[version, title]] of those that may be chosen. */
  choices(except) {
    const versions = this.view.versions.value?.versions ?? [];
    return versions.filter(({ version }) => version !== except).map(({ version, accuracy }) => [String(version), `Version ${version}${accuracy === null ? "" : `, ${percent(accuracy)}`}`]);
  }

  promote(rollout) {
    const choices = this.choices(rollout.stable);
    if (!choices.length) return h("p", { class: "faint" }, "There is no other version to promote.");
    return field("Promote", select("", [["", "Choose a version …"], ...choices], (value) => value && this.askToPromote(Number(value))));
  }

  /** A version that the gate refused, or without its decision, needs a reason. */
  async askToPromote(version) {
    const { path, app, visit } = this.view;
    visit.redraw();
    const { card } = await api.get(`${path}/versions/${version}`).catch((error) => { app.toast(error.message, { tone: "bad" }); return {}; });
    const waits = this.view.rollout.value?.waiting?.[version];
    const refused = waits || (card?.gate && !card.gate.passed);
    const failed = card?.gate?.checks.filter(({ passed }) => !passed) ?? [];
    const answer = await ask({
      title: `Promote version ${version}?`,
      text: [
        "It answers all traffic once every replica has it. The present stable version stays loaded, so that rolling back is one move.",
        refused ? `It was to wait: ${failed.map(({ sentence }) => sentence).join(" ") || waits}` : card?.gate ? "The gate let it pass." : "There is no decision of the gate about it.",
      ],
      confirm: "Promote",
      reason: refused ? { isRequired: true, hint: "Required, because the gate refused it. It goes into the audit log." } : {},
    });
    if (answer) await this.change({ stable: version, ...(answer.reason ? { reason: answer.reason } : {}) }, `Version ${version} is being promoted.`);
  }

  canary(rollout) {
    const share = this.share ?? rollout.canary_share;
    const slider = h("input", { type: "range", min: 0, max: 100, step: 1, value: String(Math.round(share * 100)), "aria-valuetext": percent(share, 0), oninput: (event) => { this.share = event.target.value / 100; this.view.visit.redraw(); } });
    const isMoved = rollout.canary && this.share !== null && Math.abs(this.share - rollout.canary_share) > 0.001;
    return h(
      "div",
      { class: "stack" },
      field("Canary", select(rollout.canary ? String(rollout.canary) : "", [["", "None"], ...this.choices(rollout.stable)], (value) => this.setCanary(rollout, value ? Number(value) : null))),
      rollout.canary ? field(`Share of traffic: ${percent(share, 0)}`, slider) : null,
      isMoved ? h("div", { class: "row" }, button("Set the share", () => this.change({ canary_share: this.share }, `The canary's share is ${percent(this.share, 0)}.`), { tone: "small primary" }), button("Leave it", () => { this.share = null; this.view.visit.redraw(); }, { tone: "small quiet" })) : null,
    );
  }

  setCanary(rollout, canary) {
    const share = rollout.canary_share > 0 ? rollout.canary_share : 0.1;
    return this.change(canary ? { canary, canary_share: share } : { canary: null }, canary ? `Version ${canary} answers ${percent(share, 0)} of traffic once it is loaded.` : "There is no canary any more.");
  }

  shadow(rollout) {
    return field("Shadow", select(rollout.shadow ? String(rollout.shadow) : "", [["", "None"], ...this.choices(rollout.stable)], (value) => this.change({ shadow: value ? Number(value) : null }, value ? `Version ${value} answers copies, seen by nobody.` : "There is no shadow any more.")));
  }

  policy(rollout) {
    const isGated = rollout.policy === "gated";
    const change = (event) => this.change({ policy: event.target.checked ? "follow-latest" : "gated" }, event.target.checked ? "Published versions become stable by themselves." : "Published versions wait for a promotion.");
    const pinned = rollout.pinned ?? [];
    return h("div", { class: "row row-apart" }, h("label", { class: "check" }, h("input", { type: "checkbox", checked: !isGated, onchange: change }), "Let each published version become stable by itself"), pinned.length ? h("p", { class: "faint" }, "Pinned (stay loaded): ", pinned.map((version) => [badge(String(version), "accent"), " "])) : null);
  }

  async rollBack(rollout) {
    const answer = await ask({ title: `Roll back to version ${rollout.previous_stable}?`, text: `Version ${rollout.stable} answers no more. A canary ends, and published versions wait for a promotion from then on.`, confirm: "Roll back", reason: {} });
    if (!answer) return;
    await this.send(() => api.post(`${this.view.path}/rollback`, { json: answer.reason ? { reason: answer.reason } : {} }), `Version ${rollout.previous_stable} answers again.`);
  }

  change(json, done) {
    return this.send(() => api.put(`${this.view.path}/rollout`, { json }), done);
  }

  async send(deed, done) {
    const { app, visit, changed } = this.view;
    this.isBusy = true;
    visit.redraw();
    try {
      await deed();
      app.toast(done, { tone: "good" });
    } catch (error) {
      app.toast(error.message, { tone: "bad" });
    }
    Object.assign(this, { isBusy: false, share: null });
    changed();
  }
}
