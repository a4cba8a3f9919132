// A picture from the camera, asked for only when somebody wants one.

import { h, patch } from "../core/dom.js";
import { notice } from "./states.js";

/** Resolves to a JPEG Blob, or null. */
export function photograph() {
  return new Promise((resolve) => {
    let stream = null;
    let taken = null;
    const dialog = h("dialog", { class: "dialog camera", "aria-labelledby": "camera-title", onclose: () => { stream?.getTracks().forEach((track) => track.stop()); dialog.remove(); resolve(taken); } });
    const video = h("video", { autoplay: true, playsinline: true, keep: true, "aria-label": "What the camera sees" });
    video.muted = true;
    const shoot = async () => { taken = await still(video); dialog.close(); };
    const draw = (error, isReady) => patch(dialog, h("form", { method: "dialog" }, h("h2", { id: "camera-title" }, "Camera"), error ? notice("bad", error) : video, h("div", { class: "row row-end" }, h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Close"), h("button", { type: "button", class: "button primary", disabled: !isReady, onclick: shoot }, "Take the picture"))));
    document.body.append(dialog);
    draw(null, false);
    dialog.showModal();
    begin(video).then((found) => { stream = found; draw(null, true); }, (error) => draw(reason(error), false));
  });
}

async function begin(video) {
  if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  const isShown = new Promise((resolve) => video.addEventListener("loadeddata", resolve, { once: true }));
  video.srcObject = stream;
  await isShown; // before the first frame there is nothing to take
  return stream;
}

function reason(error) {
  if (error.name === "NotAllowedError") return "The browser was told not to let this page use the camera. Allow it in the address bar, then open this again.";
  if (error.name === "SecurityError") return "Browsers lend the camera to pages on HTTPS or on localhost only.";
  return "There is no camera that could be used. Choose or paste a picture instead.";
}

function still(video) {
  const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}
