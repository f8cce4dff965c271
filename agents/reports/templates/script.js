// Shows recorded viewer-days side by side. All that it writes into the page is text.
"use strict";

const SVG = "http://www.w3.org/2000/svg"; // a name: nothing is fetched from there

function element(tag, className, text, parent) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

function drawn(tag, attributes, parent) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

const clock = (s) => {
  const minute = Math.floor(s / 60);
  const two = (n) => String(n).padStart(2, "0");
  return two(Math.floor(minute / 60) % 24) + ":" + two(minute % 60);
};
const minutes = (s) => Math.floor(s / 60) + ":" + String(Math.floor(s % 60)).padStart(2, "0");
const hours = (s) => s < 3600 ? Math.round(s / 60) + " min" : (s / 3600).toFixed(1) + " h";
const signed = (x) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(2);

// In words, what came of an impression; card is the candidate shown, null of an empty slot.
function outcome(one, card) {
  const parts = [card === null ? "empty slot" : one.click ? "clicked, watched " + minutes(one.watch_s) : "skipped"];
  if (one.likes) parts.push(one.likes + (one.likes === 1 ? " like" : " likes"));
  if (one.comments) parts.push(one.comments + (one.comments === 1 ? " comment" : " comments"));
  if (one.gift_value) parts.push("gift worth " + one.gift_value.toFixed(0));
  if (one.follow) parts.push("followed");
  if (one.away_s !== null) parts.push("left");
  return parts.join(", ") + "  (" + signed(one.reward) + ")";
}

// Axes are marked at round numbers: multiples of 1, 2 or 5 times a power of ten, or of whole minutes.
function roundStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((digit) => digit * power >= rough * (1 - 1e-9)) * power;
}
const decimals = (step) => Math.min(20, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
const roundTime = (rough) => [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720]
  .map((m) => 60 * m).find((s) => s >= rough) || 86400 * Math.ceil(rough / 86400);

// A chart of one quantity, for each play a line, by the clock or by impression; returns a function
// that marks how far each has got.
function chart(parent, plays, label, value, byClock) {
  const width = 560, height = 200, left = 40, right = 12, top = 10, bottom = 22;
  const place = (one, i) => (byClock ? one.time_s : i + 1);
  const all = plays.flatMap((play) => play.impressions);
  const places = plays.flatMap((play) => play.impressions.map(place));
  const from = Math.min(...places), to = Math.max(...places, from + 1);
  const low = Math.min(0, ...all.map(value)), high = Math.max(...all.map(value), low + 1e-6);
  const x = (at) => left + ((at - from) / (to - from)) * (width - left - right);
  const y = (v) => height - bottom - ((v - low) / (high - low)) * (height - top - bottom);
  const figure = element("figure", "", undefined, parent);
  element("figcaption", "", label, figure);
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img" }, figure);
  drawn("title", {}, svg).textContent = label;
  const step = roundStep((high - low) / 4);
  for (let k = Math.ceil(low / step); k * step <= high; k++) {
    const v = k * step;
    drawn("line", { x1: left, x2: width - right, y1: y(v), y2: y(v), class: "tick" }, svg);
    const number = drawn("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, svg);
    number.textContent = v.toFixed(decimals(step)).replace("-", "−");
  }
  const stride = byClock ? roundTime((to - from) / 4) : Math.max(1, roundStep((to - from) / 4));
  for (let k = Math.ceil(from / stride); k * stride <= to; k++) {
    const at = x(k * stride);
    const anchor = at > width - 30 ? "end" : at < left + 15 ? "start" : "middle";
    const below = drawn("text", { x: at, y: height - 5, "text-anchor": anchor }, svg);
    below.textContent = byClock ? clock(k * stride) : k * stride;
  }
  const path = (impressions) => impressions.map((one, i) =>
    `${i ? "L" : "M"}${x(place(one, i)).toFixed(1)} ${y(value(one)).toFixed(1)}`).join("");
  const lines = plays.map((play, p) => {
    const side = p ? "second" : "first";
    drawn("path", { d: path(play.impressions), class: side + " later" }, svg);
    return [drawn("path", { class: side }, svg), drawn("circle", { r: 4.5, class: side }, svg)];
  });
  return (reached) => plays.forEach((play, p) => {
    const [line, dot] = lines[p], one = play.impressions[reached[p]];
    line.setAttribute("d", path(play.impressions.slice(0, reached[p] + 1)));
    dot.setAttribute("cx", x(place(one, reached[p])));
    dot.setAttribute("cy", y(value(one)));
  });
}

// Heading, what it means, and what a cell says: text, or a number in [-1, 1] for a gauge.
const COLUMNS = [
  ["", "slot", (c, n) => String(n)],
  ["streamer", "id of the streamer; ★ followed", (c) => String(c.streamer) + (c.followed ? " ★" : "")],
  ["category", "of the streamer", (c) => c.category],
  ["affinity", "estimate of the viewer's affinity", (c) => c.affinity],
  ["cover", "sensationalism of the cover", (c) => c.cover_appeal],
  ["viewers", "popularity of the room", (c) => c.viewers],
  ["buzz", "recent engagement", (c) => c.engagement],
  ["watched", "time ever watched with the streamer, min:s", (c) => (c.known_s === null ? "" : minutes(c.known_s))],
  ["P(click)", "hidden: probability of a click", (c) => c.click_probability.toFixed(2)],
  ["E[r]", "hidden: expected reward of the impression", (c) => c.expected_reward.toFixed(2)],
];
const HIDDEN = 8; // columns from here on the agent does not see

function gauge(value, cell) {
  const bar = element("span", "gauge", undefined, cell);
  bar.title = signed(value);
  const fill = element("i", "", undefined, bar);
  fill.style.left = (value < 0 ? 50 + 50 * value : 50) + "%";
  fill.style.width = 50 * Math.abs(value) + "%";
}

function panel(parent, play, side) {
  const box = element("section", "play " + side, undefined, parent);
  const title = element("h3", "", undefined, box);
  element("span", "", play.agent, title);
  const total = element("span", "total", "", title);
  const moment = element("p", "moment", "", box);
  const happened = element("p", "outcome", "", box);
  const table = element("table", "", undefined, box);
  const head = element("tr", "", undefined, element("thead", "", undefined, table));
  COLUMNS.forEach(([name, meaning], k) => {
    const cell = element("th", k < HIDDEN ? "" : "hidden", name, head);
    cell.scope = "col";
    cell.title = meaning;
    if (!name) cell.setAttribute("aria-label", meaning);
  });
  const body = element("tbody", "", undefined, table);
  const state = element("p", "moment hidden", "", box);
  return (i) => {
    const one = play.impressions[i];
    total.textContent = one.total.toFixed(2);
    moment.textContent = one.moment;
    happened.textContent = outcome(one, one.cards[one.shown]);
    body.replaceChildren();
    one.cards.forEach((card, n) => {
      const row = element("tr", card === null ? "empty" : n === one.shown ? "shown" : "", undefined, body);
      if (card === null) {
        element("td", "", String(n), row);
        element("td", "", "empty", row).colSpan = COLUMNS.length - 1;
        return;
      }
      COLUMNS.forEach(([, , value], k) => {
        const cell = element("td", k < HIDDEN ? "" : "hidden", undefined, row), v = value(card, n);
        if (typeof v === "number") gauge(v, cell);
        else cell.textContent = k === 0 && n === one.shown ? "▶ " + v : v;
      });
    });
    const away = one.away_s === null ? "" : `; then away for ${hours(one.away_s)}`;
    state.textContent = `hidden: satisfaction ${signed(one.satisfaction)}, fatigue ${one.fatigue.toFixed(2)}${away}`;
  };
}

// Positions of the plays at each stop of the slider: the same impression of each, or, by the
// clock, the latest that each had begun.
function stops(plays, byClock) {
  const longest = Math.max(...plays.map((play) => play.impressions.length));
  if (!byClock) {
    return Array.from({ length: longest }, (_, i) =>
      plays.map((play) => Math.min(i, play.impressions.length - 1)));
  }
  const times = [...new Set(plays.flatMap((play) => play.impressions.map((one) => one.time_s)))];
  return times.sort((a, b) => a - b).map((s) => plays.map((play) =>
    Math.max(0, play.impressions.findLastIndex((one) => one.time_s <= s))));
}

// Puts plays (recorded viewer-days, one or two) into root, to be stepped through.
function replay(root, plays) {
  const controls = element("div", "controls", undefined, root);
  const charts = element("div", "charts", undefined, root);
  const panels = element("div", "plays", undefined, root);
  const views = plays.map((play, p) => panel(panels, play, p ? "second" : "first"));
  let marks, places;

  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = 0;
  slider.setAttribute("aria-label", "impression");
  const button = (text, label, to) => {
    const node = element("button", "", text, controls);
    node.type = "button";
    node.setAttribute("aria-label", label);
    node.addEventListener("click", () => { slider.value = to(Number(slider.value)); show(); });
  };
  button("|◀", "first impression", () => 0);
  button("◀", "previous impression", (i) => i - 1);
  controls.append(slider);
  button("▶", "next impression", (i) => i + 1);
  button("▶|", "last impression", () => places.length - 1);
  const said = element("output", "", "", controls);
  const align = element("select", "", undefined, controls);
  align.setAttribute("aria-label", "go forward by");
  element("option", "", "by impression", align).value = "impression";
  element("option", "", "by the clock", align).value = "clock";
  align.addEventListener("change", start);
  slider.addEventListener("input", show);

  function start() {
    const byClock = align.value === "clock";
    charts.replaceChildren();
    marks = [
      chart(charts, plays, "Running total of the reward", (one) => one.total, byClock),
      chart(charts, plays, "Satisfaction, hidden from the agents", (one) => one.satisfaction, byClock),
    ];
    places = stops(plays, byClock);
    slider.max = places.length - 1;
    slider.value = 0;
    show();
  }

  function show() {
    const reached = places[Number(slider.value)];
    marks.forEach((mark) => mark(reached));
    views.forEach((view, p) => view(reached[p]));
    const text = plays.map((play, p) => `${reached[p] + 1} of ${play.impressions.length}`);
    said.textContent = text.join(" · ");
    slider.setAttribute("aria-valuetext", said.textContent);
  }
  start();
}

document.querySelectorAll(".replay > script").forEach((data) =>
  replay(data.parentNode, JSON.parse(data.textContent)));
