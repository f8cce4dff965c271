
// Playing: asks the server for the moment, shows it, sends the choice. Cards, outcomes and the replay
// are drawn by what is above.
const id = (name) => document.getElementById(name);
const choiceKeys = "0123456789";
const hue = (names, name) => `hsl(${Math.round((360 * names.indexOf(name)) / names.length)} 50% 50%)`;
const plain = (name) => name.replaceAll("_", " ");
let day = null, busy = false, shownPlay = "";

async function ask(path, given) {
  const options = given === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given),
  };
  const answer = await fetch(path, options).catch(() => {
    throw new Error("The server does not answer: is it still running?");
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
}

// One request at a time; what goes wrong is said on the page.
async function attempt(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
    id("problem").hidden = true;
  } catch (error) {
    id("problem").textContent = error.message;
    id("problem").hidden = false;
  }
  busy = false;
}

const begin = (given) => attempt(async () => show(await ask("/api/days", given)));
const choose = (slot) => attempt(async () => {
  show(await ask(`/api/days/${day.id}/choices`, { impression: day.impression, slot }));
});

function fact(label, value, parent, title) {
  const line = element("span", "fact", undefined, parent);
  line.title = title || "";
  element("span", "", label, line);
  if (typeof value === "number") gauge(value, line);
  else element("span", "", value, line);
}

// The facts of a card: the replay's visible columns after slot, streamer and category, and what only
// this page shows.
const FACTS = [
  ...COLUMNS.slice(3, HIDDEN),
  ["lately", "time lately watched of the category", (card) => card.category_watch],
  ["live for", "since the room went live", (card) => hours(card.age_s)],
];

function room(card, slot, parent) {
  const button = element("button", "room", undefined, parent);
  button.type = "button";
  const name = element("span", "name", undefined, button);
  element("span", "", card === null ? "empty" : card.category, name);
  if (slot < choiceKeys.length) element("span", "key", String(slot), name);
  if (card === null) {
    button.disabled = true;
    return;
  }
  button.style.setProperty("--category", colour(card.category));
  element("span", "who", `streamer ${COLUMNS[1][2](card)}`, button);
  const facts = FACTS.map(([label, title, value]) => [label, value(card, slot), title]);
  Object.entries(card.more).forEach(([label, value]) => facts.push([plain(label), value]));
  facts.forEach(([label, value, title]) => fact(label, value === "" ? "–" : value, button, title));
  const said = facts.filter(([, value]) => value !== "").map(([label, value]) =>
    `${label} ${typeof value === "number" ? signed(value) : value}`);
  button.setAttribute("aria-label",
    [`slot ${slot}: ${card.category}`, `streamer ${card.streamer}`,
      ...(card.followed ? ["followed"] : []), ...said].join(", "));
  button.addEventListener("click", () => choose(slot));
}

const names = () => day.categories.map((category) => category.name);
const colour = (category) => hue(names(), category);

function show(view) {
  const hadFocus = [...id("rooms").children].indexOf(document.activeElement);
  day = view;
  history.replaceState(null, "", "#" + day.id);
  id("stage").hidden = false;
  id("moment").textContent = day.over ? "The viewer-day is over" : day.moment.join(" · ");
  const sums = day.totals;
  id("totals").replaceChildren();
  [["reward", sums.reward.toFixed(2)], ["watched", minutes(sums.watch_s)], ["shown", sums.impressions],
    ["clicks", sums.clicks], ["likes", sums.likes], ["comments", sums.comments],
    ["gifts", sums.gift_value.toFixed(0)], ["follows", sums.follows]].forEach(([name, value]) => {
    const pair = element("div", "", undefined, id("totals"));
    element("dt", "", name, pair);
    element("dd", "", value, pair);
  });
  const last = day.past[0];
  id("happened").className = last && last.click ? "click" : "";
  id("happened").textContent = last ? said(last)
    : `Viewer-day ${day.seed}. You are rewarded for what the viewer watches, likes, comments, gives and `
      + "follows until the end.";
  id("rooms").replaceChildren();
  day.cards.forEach((card, slot) => room(card, slot, id("rooms")));
  if (hadFocus >= 0 && id("rooms").children[hadFocus]) id("rooms").children[hadFocus].focus();
  showViewer();
  id("choice").hidden = day.over;
  id("result").hidden = !day.over;
  document.querySelector(".table-top").classList.toggle("over", day.over);
  document.querySelector("aside").hidden = day.over;
  if (day.over) finish(day.id);
}

const said = (one) =>
  (one.card ? `${one.card.category}, streamer ${one.card.streamer}: ` : "") + outcome(one, one.card)
  + (one.away_s === null || day.over ? "" : `, back after ${hours(one.away_s)}`);

function showViewer() {
  id("viewer").replaceChildren(...day.viewer.map((line) => element("li", "", line)));
  const body = id("categories").tBodies[0];
  body.replaceChildren();
  day.categories.forEach((category) => {
    const row = element("tr", "", undefined, body);
    row.style.setProperty("--category", colour(category.name));
    element("td", "", category.name, row);
    gauge(Math.max(-1, Math.min(1, category.taste / 3)), element("td", "", undefined, row));
    gauge(category.watched, element("td", "", undefined, row));
  });
  const open = new Set([...id("observed").querySelectorAll("details[open]")].map((one) => one.id));
  id("observed").replaceChildren();
  Object.entries(day.observed).forEach(([block, values]) => {
    const more = element("details", "", undefined, id("observed"));
    more.id = "observed-" + block;
    more.open = open.has(more.id);
    element("summary", "", `also observed: ${plain(block)}`, more);
    Object.entries(values).forEach(([name, value]) => fact(plain(name), value, more));
  });
  id("past").replaceChildren(...day.past.map((one) => {
    const item = element("li", "");
    if (one.card) item.style.setProperty("--category", colour(one.card.category));
    element("span", "when", clock(one.time_s) + " ", item);
    element("span", one.click ? "click" : "", said(one), item);
    return item;
  }));
  if (!day.past.length) element("li", "", "nothing yet", id("past"));
}

const ordinal = (n) => n + (n % 100 > 10 && n % 100 < 14 ? "th" : ["th", "st", "nd", "rd"][n % 10] || "th");

// The ranking, again and again until every agent has played.
async function finish(which) {
  id("other").replaceChildren();
  shownPlay = "";
  id("beside").hidden = true;
  for (let first = true; day.id === which; first = false) {
    let result;
    try {
      result = await ask(`/api/days/${which}/result`);
    } catch (error) {
      id("problem").textContent = error.message;
      id("problem").hidden = false;
      return;
    }
    if (day.id !== which) return;
    ranking(result);
    if (first) id("place").focus();
    await beside(which, result);
    if (!result.pending.length) return;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

const RANKING = [
  ["", (row) => row.place + "."], ["agent", (row) => row.agent], ["reward", (row) => row.reward.toFixed(2)],
  ["watched, min", (row) => (row.watch_s / 60).toFixed(1)], ["shown", (row) => row.impressions],
  ["clicks", (row) => row.clicks], ["likes", (row) => row.likes], ["comments", (row) => row.comments],
  ["gift value", (row) => row.gift_value.toFixed(0)], ["follows", (row) => row.follows],
  ["visits", (row) => row.visits],
];

function ranking({ ranking: rows, pending, failed }) {
  const mine = rows.find((row) => row.agent === "you");
  id("place").textContent = `You are ${ordinal(mine.place)} of ${rows.length}`
    + (pending.length ? " so far" : "");
  id("pending").textContent = pending.length
    ? `Still playing the same viewer-day: ${pending.join(", ")} …`
    : "The same viewer and the same chance for all; after the first different choice other rooms are "
      + "offered, at other moments. The oracles and the planner see what is hidden. One viewer-day is "
      + "mostly luck: play several before you conclude anything.";
  const table = id("ranking");
  table.replaceChildren();
  const head = element("tr", "", undefined, element("thead", "", undefined, table));
  RANKING.forEach(([name]) => {
    const cell = element("th", "", name, head);
    cell.scope = "col";
    if (!name) cell.setAttribute("aria-label", "place");
  });
  const body = element("tbody", "", undefined, table);
  const most = Math.max(...rows.map((row) => row.reward), 1e-6);
  rows.forEach((row) => {
    const line = element("tr", row.agent === "you" ? "you" : "", undefined, body);
    RANKING.forEach(([name, value]) => {
      const cell = element("td", name === "reward" ? "reward" : "", value(row), line);
      cell.style.setProperty("--share", `${Math.max(0, (100 * row.reward) / most)}%`);
    });
  });
  Object.entries(failed).forEach(([agent, reason]) => {
    const line = element("tr", "failed", undefined, body);
    element("td", "", "–", line);
    element("td", "", `${agent}: ${reason}`, line).colSpan = RANKING.length - 1;
  });
}

// The replay beside the best agent, or beside the one that was chosen.
async function beside(which, { ranking: rows }) {
  const select = id("other"), chosen = select.value;
  const agents = rows.map((row) => row.agent).filter((agent) => agent !== "you");
  if (!agents.length) return;
  select.replaceChildren(...agents.map((agent) => new Option(agent)));
  select.value = agents.includes(chosen) ? chosen : agents[0];
  await replayBeside(which, select.value);
}

async function replayBeside(which, agent) {
  if (shownPlay === agent) return;
  shownPlay = agent;
  const play = (name) => ask(`/api/days/${which}/plays?agent=${encodeURIComponent(name)}`);
  const plays = [await play("you"), await play(agent)];
  if (day.id !== which || shownPlay !== agent) return;
  id("replay").replaceChildren();
  replay(id("replay"), plays);
  id("beside").hidden = false;
}

id("other").addEventListener("change", () => replayBeside(day.id, id("other").value));
id("next").addEventListener("click", () => begin({}));
id("again").addEventListener("click", () => begin({ seed: day.seed }));
document.addEventListener("keydown", (event) => {
  const slot = choiceKeys.indexOf(event.key);
  const elsewhere = event.repeat || event.ctrlKey || event.altKey || event.metaKey
    || event.target.closest("input, select, textarea");
  if (slot < 0 || elsewhere || !day || day.over) return;
  if (day.cards[slot]) choose(slot);
});

// A page that is loaded again goes on with its viewer-day, if the server still knows it.
attempt(async () => {
  const before = location.hash.slice(1);
  const known = before && await ask(`/api/days/${encodeURIComponent(before)}`).catch(() => null);
  show(known || await ask("/api/days", {}));
});
