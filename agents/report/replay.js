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

function outcome(one) {
  const empty = one.cards[one.shown] === null;
  const parts = [empty ? "empty slot" : one.click ? "clicked, watched " + minutes(one.watch_s) : "skipped"];
  if (one.likes) parts.push(one.likes + (one.likes === 1 ? " like" : " likes"));
  if (one.comments) parts.push(one.comments + (one.comments === 1 ? " comment" : " comments"));
  if (one.gift_value) parts.push("gift worth " + one.gift_value.toFixed(0));
  if (one.follow) parts.push("followed");
  if (one.away_s !== null) parts.push("left");
  return parts.join(", ") + "  (" + signed(one.reward) + ")";
}

// A chart of one quantity over the day, for each play a line; returns a function that marks how
// far each has got.
function chart(parent, plays, label, value, stepped) {
  const width = 560, height = 190, left = 40, right = 8, top = 10, bottom = 22;
  const all = plays.flatMap((play) => play.impressions);
  const from = Math.min(...all.map((one) => one.time_s));
  const to = Math.max(...all.map((one) => one.time_s), from + 60);
  const low = Math.min(0, ...all.map(value)), high = Math.max(...all.map(value), low + 1e-6);
  const x = (s) => left + ((s - from) / (to - from)) * (width - left - right);
  const y = (v) => height - bottom - ((v - low) / (high - low)) * (height - top - bottom);
  const figure = element("figure", "", undefined, parent);
  element("figcaption", "", label, figure);
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img" }, figure);
  drawn("title", {}, svg).textContent = label;
  for (let i = 0; i <= 4; i++) {
    const v = low + ((high - low) * i) / 4, s = from + ((to - from) * i) / 4;
    drawn("line", { x1: left, x2: width - right, y1: y(v), y2: y(v), class: "tick" }, svg);
    const number = drawn("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, svg);
    number.textContent = (high - low < 4 ? v.toFixed(1) : v.toFixed(0)).replace("-", "−");
    const anchor = i === 0 ? "start" : i === 4 ? "end" : "middle";
    drawn("text", { x: x(s), y: height - 5, "text-anchor": anchor }, svg).textContent = clock(s);
  }
  drawn("line", { x1: left, x2: width - right, y1: height - bottom, y2: height - bottom, class: "axis" }, svg);
  const path = (impressions) => impressions.map((one, i) => {
    const step = stepped && i ? `H${x(one.time_s).toFixed(1)}V` : `${i ? "L" : "M"}${x(one.time_s).toFixed(1)} `;
    return step + y(value(one)).toFixed(1);
  }).join("");
  const lines = plays.map((play, p) => {
    const side = p ? "second" : "first";
    drawn("path", { d: path(play.impressions), class: side + " later" }, svg);
    return [drawn("path", { class: side }, svg), drawn("circle", { r: 4.5, class: side }, svg)];
  });
  return (reached) => plays.forEach((play, p) => {
    const [line, dot] = lines[p], one = play.impressions[reached[p]];
    line.setAttribute("d", path(play.impressions.slice(0, reached[p] + 1)));
    dot.setAttribute("cx", x(one.time_s));
    dot.setAttribute("cy", y(value(one)));
  });
}

const COLUMNS = [
  ["slot", (c, n) => String(n)],
  ["streamer", (c) => String(c.streamer) + (c.followed ? " ★" : "")],
  ["category", (c) => String(c.category)],
  ["affinity", (c) => c.affinity],
  ["cover", (c) => c.cover_appeal],
  ["viewers", (c) => c.viewers],
  ["buzz", (c) => c.engagement],
  ["watched", (c) => (c.known_s === null ? "" : minutes(c.known_s))],
  ["P(click)", (c) => c.click_probability.toFixed(2)],
  ["E[reward]", (c) => c.expected_reward.toFixed(2)],
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
  COLUMNS.forEach(([name], k) => element("th", k < HIDDEN ? "" : "hidden", name, head).scope = "col");
  const body = element("tbody", "", undefined, table);
  const state = element("p", "moment hidden", "", box);
  return (i) => {
    const one = play.impressions[i];
    total.textContent = one.total.toFixed(2);
    moment.textContent = one.moment;
    happened.textContent = outcome(one);
    body.replaceChildren();
    one.cards.forEach((card, n) => {
      const row = element("tr", card === null ? "empty" : n === one.shown ? "shown" : "", undefined, body);
      if (card === null) {
        element("td", "", String(n), row);
        element("td", "", "empty", row).colSpan = COLUMNS.length - 1;
        return;
      }
      COLUMNS.forEach(([name, value], k) => {
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

function replay(root) {
  const plays = JSON.parse(root.querySelector("script").textContent);
  const controls = element("div", "controls", undefined, root);
  const charts = element("div", "charts", undefined, root);
  const panels = element("div", "plays", undefined, root);
  const marks = [
    chart(charts, plays, "Running total of the reward", (one) => one.total, true),
    chart(charts, plays, "Satisfaction, hidden from the agents", (one) => one.satisfaction, false),
  ];
  const views = plays.map((play, p) => panel(panels, play, p ? "second" : "first"));
  let places = stops(plays, false);

  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = 0;
  slider.value = 0;
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
  align.addEventListener("change", () => {
    places = stops(plays, align.value === "clock");
    slider.value = 0;
    show();
  });
  slider.addEventListener("input", show);

  function show() {
    slider.max = places.length - 1;
    const reached = places[Number(slider.value)];
    marks.forEach((mark) => mark(reached));
    views.forEach((view, p) => view(reached[p]));
    const text = plays.map((play, p) => `${reached[p] + 1} of ${play.impressions.length}`);
    said.textContent = text.join(" · ");
    slider.setAttribute("aria-valuetext", said.textContent);
  }
  show();
}

document.querySelectorAll(".replay").forEach(replay);
