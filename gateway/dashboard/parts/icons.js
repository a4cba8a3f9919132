// The few signs we draw ourselves, as strokes on a grid of 16.

import { s } from "../core/dom.js";

const STROKES = {
  overview: "M2 9h3l2-6 3 10 2-4h2",
  predict: "M2 5V3h2m8 0h2v2m0 6v2h-2M4 13H2v-2M5 8a3 3 0 1 0 6 0 3 3 0 1 0-6 0",
  history: "M2.5 8a5.5 5.5 0 1 0 1.6-3.9L2.5 5.6M2.5 2.5v3.1h3.1M8 5v3.2l2.2 1.3",
  labelling: "M2.5 8.2V3.5a1 1 0 0 1 1-1h4.7l5.3 5.3-5.7 5.7zM5.5 5.5h.01",
  data: "M3 4c0-2 10-2 10 0v8c0 2-10 2-10 0zM3 4c0 2 10 2 10 0M3 8c0 2 10 2 10 0",
  training: "M8 2c.5 2.500 3.500 4 3.500 7.200a3.500 3.500 0 0 1-7 0C4.500 7.700 5.500 6.700 6 5.700c.5 1 1 1.500 1.500 1.500.5-1.500 0-3.200.5-5.200z",
  versions: "M8 2l6 3-6 3-6-3zM2 8l6 3 6-3M2 11l6 3 6-3",
  insights: "M2.500 13.500v-4M6.200 13.500v-8M9.800 13.500v-5.500M13.500 13.500v-11",
  loadtests: "M3 12.500a6 6 0 1 1 10 0M8 9.500l2.500-3.500",
  access: "M3.500 7.500h9v6h-9zM5.500 7.500v-2a2.500 2.500 0 0 1 5 0v2",
  menu: "M2 4h12M2 8h12M2 12h12",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 1 0 0-6M8 1.500v1M8 13.500v1M1.500 8h1M13.500 8h1M3.400 3.400l.7.7M11.900 11.900l.7.7M3.400 12.600l.7-.7M11.900 4.100l.7-.7",
  moon: "M13 9.500A5.500 5.500 0 1 1 6.500 3a4.500 4.500 0 0 0 6.500 6.500z",
  system: "M2 3h12v8H2zM6 14h4M8 11v3",
  upload: "M8 10.500V2.500M5 5.500l3-3 3 3M2.500 10.500v3h11v-3",
  download: "M8 2.500v8M5 7.500l3 3 3-3M2.500 10.500v3h11v-3",
  camera: "M2 5h3l1-1.500h4L11 5h3v8H2zM8 6.500a2.300 2.300 0 1 0 0 4.600 2.300 2.300 0 1 0 0-4.600",
  check: "M3 8.500l3.200 3L13 4.500",
  cross: "M4 4l8 8M12 4l-8 8",
  warning: "M8 2.500L14.500 13.500h-13zM8 6.500v3.500M8 11.800v.2",
  info: "M8 1.800a6.200 6.200 0 1 0 0 12.400 6.200 6.200 0 1 0 0-12.400M8 7.300v3.900M8 4.800v.2",
  undo: "M5.500 3L2.500 6l3 3M2.500 6h7a4 4 0 0 1 0 8H7",
};

/** A sign of the text's colour; what it means stands beside it or in the label of its button. */
export const icon = (name) =>
  s("svg", { class: "icon", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, s("path", { d: STROKES[name] }));
