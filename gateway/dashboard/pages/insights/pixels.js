// Pixels of a picture in a square of 32 × 32, and what is measured on them.

import { h } from "../../core/dom.js";

export const SIDE = 32;

/** RGBA bytes of a picture, its middle square scaled down. */
export async function pixelsOf(url, signal) {
  const response = await fetch(url, { signal });
  if (!response.ok) return null;
  const bitmap = await createImageBitmap(await response.blob());
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const side = Math.min(bitmap.width, bitmap.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, SIDE, SIDE);
  bitmap.close();
  return context.getImageData(0, 0, SIDE, SIDE).data;
}

/** Luminance ITU-R 601, 0–255, as the gateway and the trainer measure it. */
const luminance = (data, at) => 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];

/** {brightness, contrast, red, green, blue}, all 0–255. */
export function measured(data) {
  let [sum, squares, red, green, blue] = [0, 0, 0, 0, 0];
  const count = data.length / 4;
  for (let at = 0; at < data.length; at += 4) {
    const value = luminance(data, at);
    sum += value;
    squares += value * value;
    red += data[at];
    green += data[at + 1];
    blue += data[at + 2];
  }
  const brightness = sum / count;
  return { brightness, contrast: Math.sqrt(Math.max(0, squares / count - brightness ** 2)), red: red / count, green: green / count, blue: blue / count };
}

/** The mean of pictures, as RGBA bytes. */
export function meanOf(pictures) {
  const mean = new Float64Array(SIDE * SIDE * 4);
  for (const { pixels } of pictures) for (let at = 0; at < pixels.length; at++) mean[at] += pixels[at] / pictures.length;
  return Uint8ClampedArray.from(mean);
}

/** An address of the picture that the bytes make. */
export function asUrl(data) {
  const canvas = h("canvas", { width: SIDE, height: SIDE });
  canvas.getContext("2d").putImageData(new ImageData(data, SIDE, SIDE), 0, 0);
  return canvas.toDataURL();
}

/** Root mean square difference of two pictures, 0–255. */
export function difference(one, other) {
  let sum = 0;
  for (let at = 0; at < one.length; at++) if (at % 4 !== 3) sum += (one[at] - other[at]) ** 2;
  return Math.sqrt(sum / (one.length * 0.75));
}

/** [lightness, a: green to red, b: blue to yellow] of CIE L*a*b*, D65. */
export function lab({ red, green, blue }) {
  const [r, g, b] = [red, green, blue].map((value) => (value / 255 > 0.04045 ? ((value / 255 + 0.055) / 1.055) ** 2.4 : value / 255 / 12.92));
  const f = (value) => (value > 216 / 24389 ? Math.cbrt(value) : ((24389 / 27) * value + 16) / 116);
  const [x, y, z] = [f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047), f(0.2126 * r + 0.7152 * g + 0.0722 * b), f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883)];
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}
