// A cloud of points with a colour or a name each.

import { h } from "../core/dom.js";
import { frame } from "./frame.js";
import { domain, share, ticks } from "./scale.js";

/** `points`: [{x, y, colour, name, isNamed}]. */
export function cloud(points, { label, height = 300, xTitle, yTitle, format = String, x: xReach = null, y: yReach = null }) {
  const across = xReach ?? domain(points.map(({ x }) => x));
  const up = yReach ?? domain(points.map(({ y }) => y));
  const [x, y] = [share(across), share(up)];
  return frame({
    label,
    height,
    xTitle,
    yTitle,
    x: ticks(...across, 6).map((value) => [x(value), format(value)]),
    y: ticks(...up).map((value) => [y(value), format(value)]),
    over: points.map((point) =>
      h(
        "span",
        { class: point.isNamed ? "point is-named" : "point", title: point.name, style: { left: `${x(point.x) * 100}%`, top: `${(1 - y(point.y)) * 100}%`, ...(point.colour ? { background: point.colour } : {}) } },
        point.isNamed ? h("span", {}, point.name) : null,
      ),
    ),
  });
}

/** As many colours as there are classes, told apart by hue and, every second one, by lightness. */
export const hue = (index, all) => `hsl(${Math.round((index * 360) / Math.max(1, all))} ${index % 2 ? 55 : 70}% ${index % 2 ? 42 : 56}%)`;
