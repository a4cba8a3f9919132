// The versions of a model: which one answers, how good each is, and moving between them.

import { api } from "../core/api.js";
import { h } from "../core/dom.js";
import { count, percent } from "../core/format.js";
import { link } from "../core/router.js";
import { badge, head, panel, table, when } from "../parts/pieces.js";
import { roleBadge } from "../parts/roles.js";
import { empty, notice, shown } from "../parts/states.js";
import { AuditLog } from "./versions/audit.js";
import { VersionCard } from "./versions/card.js";
import { CanaryPanel } from "./versions/canary.js";
import { EvaluationPanel } from "./versions/evaluation.js";
import { RolloutPanel } from "./versions/rollout.js";
import { ShadowPanel } from "./versions/shadow.js";

const LIVE_SECONDS = 4;
const STATE_TONES = { available: "good", "partly available": "warning", loading: "accent", failed: "bad", "not loaded": "idle", unknown: "idle" };

export function open(visit) {
  const { app } = visit;
  if (!app.model) {
    visit.show(() => [head("Versions"), empty("There is no model yet", "Train one from labelled pictures.", h("a", { class: "button primary", href: link("training") }, "Train"))]);
    return;
  }
  const state = { chosen: Number(visit.query.get("version")) || null, card: null, gone: null };
  const path = `/v1/models/${app.model}`;
  const view = {
    visit, app, state, path,
    versions: visit.resource((signal) => api.get(`${path}/versions`, { signal }), LIVE_SECONDS),
    rollout: visit.resource((signal) => api.get(`${path}/rollout`, { signal }), LIVE_SECONDS),
    choose: (version) => choose(view, version),
    changed: () => { view.versions.reload(); view.rollout.reload(); audit?.reload(); app.refresh().catch(() => null); },
  };
  const rollout = new RolloutPanel(view);
  const shadow = new ShadowPanel(view);
  const canary = new CanaryPanel(view);
  const evaluation = app.may("operate") ? new EvaluationPanel(view) : null;
  const audit = app.may("operate") ? new AuditLog(view) : null;
  visit.show(() => {
    settle(view);
    return [
      head("Versions", `${app.model}: one version answers, its predecessor stays loaded, so that rolling back is one move.`),
      rollout.panel(),
      h("div", { class: "grid uneven" }, shown(view.versions, ({ versions }) => list(versions, view), { height: 220 }), h("div", { class: "stack" }, audit?.panel())),
      canary.panel(),
      shadow.panel(),
      state.gone ? notice("warning", `Version ${state.gone} is no longer there: it was deleted while this page was open, or never existed. The list shows what there is.`) : null,
      state.card?.panel(),
      evaluation?.panel(),
    ];
  });
}

/** Choose a version when none is, and notice one that has vanished. */
function settle(view) {
  const { state, versions } = view;
  const known = versions.value?.versions;
  if (!known) return;
  const wanted = state.chosen ?? known.find(({ role }) => role === "stable")?.version ?? known[0]?.version;
  if (wanted === undefined) return;
  if (!known.some(({ version }) => version === wanted)) {
    if (state.gone !== wanted) Object.assign(state, { gone: wanted });
    state.card = null;
  } else if (state.card?.version !== wanted) {
    Object.assign(state, { gone: null, chosen: wanted, card: new VersionCard(view, wanted) });
  }
}

function choose(view, version) {
  view.state.chosen = version;
  view.visit.remember("versions", { version });
  view.visit.redraw();
}

function list(versions, view) {
  if (!versions.length) return panel("All versions", empty("No version yet", "A training run publishes the first."));
  return panel(
    "All versions",
    table("Versions, newest first", ["Version", "Role", "State", ["Accuracy"], ["Calibration error"], ["Pictures"], "Made"], versions.map((version) => ({
      key: version.version,
      isChosen: version.version === view.state.chosen,
      cells: [
        h("button", { type: "button", class: "text-button", "aria-current": version.version === view.state.chosen ? "true" : null, onclick: () => view.choose(version.version) }, `Version ${version.version}`),
        [roleBadge(version.role), version.is_pinned ? [" ", badge("pinned", "accent")] : null],
        h("span", { title: version.error ?? version.replicas.map(({ replica, state }) => `${replica}: ${state}`).join("\n") }, badge(version.state, STATE_TONES[version.state])),
        percent(version.accuracy),
        percent(version.expected_calibration_error),
        count(version.examples ? Object.values(version.examples).reduce((sum, value) => sum + value, 0) : null),
        version.created_at ? when(version.created_at) : "–",
      ],
    }))),
  );
}
