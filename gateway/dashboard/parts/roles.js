// The roles of versions and the states of runs, each with its word and its colour.

import { badge } from "./pieces.js";

const ROLE_TONES = { stable: "good", canary: "warning", shadow: "accent", previous_stable: "idle" };
const ROLE_WORDS = { stable: "stable", canary: "canary", shadow: "shadow", previous_stable: "before" };
const RUN_TONES = { queued: "idle", running: "accent", succeeded: "good", rejected: "warning", failed: "bad", cancelled: "idle" };

/** Nothing for a version without a role. */
export const roleBadge = (role) => (role ? badge(ROLE_WORDS[role], ROLE_TONES[role]) : null);
export const runBadge = (state) => badge(state, RUN_TONES[state]);
