// A cloud of points with a colour or a name each.

import { h } from "../core/dom.js";
import { frame } from "./frame.js";
import { domain, share, ticks } from "./scale.js";

/** `points`: [{x, y, colour, name, isNamed}]. */
export function cloud(points, { label, height = 300, xTitle, yTitle, format = String, x: xReach = null, y: yReach = null }) {
  const across = xReach ?? domain(points.map(({ x }) => x));
  const up = yReach ?? domain(points.map(({ y }) => y));
  const [x, y] = [share(across), share(up)];
  const sides = words(points.map((point) => [x(point.x), y(point.y)]));
  return frame({
    label,
    height,
    xTitle,
    yTitle,
    x: ticks(...across, 6).map((value) => [x(value), format(value)]),
    y: ticks(...up).map((value) => [y(value), format(value)]),
    over: points.map((point, index) =>
      h(
        "span",
        { class: `point${point.isNamed ? " is-named" : ""}${sides[index]}`, title: point.name, style: { left: `${x(point.x) * 100}%`, top: `${(1 - y(point.y)) * 100}%`, ...(point.colour ? { background: point.colour } : {}) } },
        point.isNamed ? h("span", {}, point.name) : null,
      ),
    ),
  });
}

/** On which side of each point its name has room; a plot is taken to be about five names wide and 18 high. */
function words(places) {
  const taken = [];
  return places.map(([x, y]) => {
    const sides = x > 0.82 ? [["is-left", x - 0.2]] : [["", x], ["is-left", x - 0.2]];
    const isFree = ([, left]) => !taken.some(([other, up]) => Math.abs(other - left) < 0.19 && Math.abs(up - y) < 0.055);
    const [side, left] = sides.find(isFree) ?? sides[0];
    taken.push([left, y]);
    return side ? ` ${side}` : "";
  });
}

/** As many colours as there are classes, told apart by hue and, every second one, by lightness. */
export const hue = (index, all) => `hsl(${Math.round((index * 360) / Math.max(1, all))} ${index % 2 ? 55 : 70}% ${index % 2 ? 42 : 56}%)`;
