// Saying whether an answer is right: one key each, and taking it back.

import { api } from "../core/api.js";

const TRIES = 6;
const WAIT_MS = 500;
const REMEMBERED_MS = 1500;
export const KEYS = "1234567890";

/** The class of a digit key, or null: 1–9, then 0 for the tenth. */
export function labelOfKey(key, labels) {
  const index = KEYS.indexOf(key);
  return index >= 0 && key.length === 1 && index < labels.length ? labels[index] : null;
}

export const keyOfLabel = (index) => (index < KEYS.length ? KEYS[index] : null);

/** `answeredAt`: a prediction is in the history about a second after its answer, and not before. */
export async function giveFeedback(id, label, answeredAt = 0) {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, answeredAt + REMEMBERED_MS - Date.now())));
  for (let left = TRIES; ; left--) {
    try {
      if (label === null) return await api.delete(`/v1/predictions/${id}/feedback`);
      return await api.put(`/v1/predictions/${id}/feedback`, { json: { label } });
    } catch (error) {
      if (error.status !== 404 || left <= 1) throw error;
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    }
  }
}
