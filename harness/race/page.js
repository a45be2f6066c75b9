"use strict";
/* Shows what the server of this page says, and tells it what is chosen. */

const per = (key, divisor) => (figures) => figures[key] == null ? null : figures[key] / divisor;
const PLOTS = [
  { key: "per_second", title: "Requests per second", unit: "", big: true },
  { key: "p50_ms", title: "Latency p50", unit: "ms, half are faster (log)", big: true, log: true },
  { key: "p99_ms", title: "Latency p99", unit: "ms, 1 in 100 is slower (log)", big: true, log: true },
  { key: "threads", title: "Threads (processes)", unit: "log", log: true,
    beside: ({ processes }) => (processes > 1 ? `(${short(processes)})` : "") },
  { key: "memory_mib", title: "Memory", unit: "MiB (log)", log: true },
  { key: "cpu_percent", title: "CPU share", unit: "% of one core", top: 100 },
  { key: "switches", title: "Context switches", unit: "per second (log)", log: true },
];
const DERIVED = {
  p50_ms: per("p50_us", 1000), p99_ms: per("p99_us", 1000), memory_mib: per("memory_kib", 1024),
  cpu_percent: per("cpu", 0.01), switches: (figures) => figures.switches && Math.max(figures.switches, 1),
};
const SLIDERS = [
  { key: "connections", letter: "c", title: "Busy connections", text: counted },
  { key: "idle", letter: "i", title: "Idle connections", text: (n) => (n ? counted(n) : "none") },
  { key: "slow", letter: "s", title: "Slow requests", hint: "20 ms of CPU each",
    text: (n) => (n ? `1 in ${counted(n)}` : "none") },
];

let known = null; // what can be chosen, said once
let state = null; // what is chosen and what runs, said whenever it changes
let clock = 0; // performance.now() at the samples' second 0
let samples = {}; // by server
let changes = [];
let pending = false;

const $ = (id) => d3.select(`#${id}`);
const charts = PLOTS.map((plot) => new Chart($("charts"), plot));
const socket = new WebSocket(`${location.href.replace(/^http/, "ws").replace(/[?#].*/, "")}live`);
const tell = (what) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(what));

const HEARD = {
  known(message) {
    known = message;
    clock = performance.now() - 1000 * message.at;
    buildServers();
    buildSliders();
    paint(isDark());
  },
  state(message) {
    for (const [name, lane] of Object.entries((state && state.lanes) || {})) {
      if (lane.phase === "running" && (message.lanes[name] || {}).phase !== "running") breakLine(name);
    }
    state = message;
    showState();
  },
  sample(message) {
    for (const [key, derive] of Object.entries(DERIVED)) message[key] = derive(message);
    const series = (samples[message.server] = samples[message.server] || []);
    series.push(message);
    if (series.length > 400) series.splice(0, 100);
  },
  change(message) { // a slider that is pulled leaves one mark
    const last = changes[changes.length - 1];
    if (last && last.key === message.key && message.at - last.at < 3) changes.pop();
    changes = changes.slice(-20).concat(message);
  },
  words(message) { showWords(message.text, message.bad); },
  reset() { samples = {}; changes = []; },
};

socket.onmessage = (event) => {
  const message = JSON.parse(event.data);
  HEARD[message.kind](message);
  redraw();
};
socket.onclose = () => {
  showWords("No connection to the race any more, so nothing runs. Reload this page, or `make race`.", true);
  d3.selectAll("button, input").attr("disabled", true);
};

const chosen = () => known.servers.filter((each) => state.chosen.includes(each.name));

/** Lines are not drawn through the time in which nothing ran. */
function breakLine(name) {
  const series = samples[name] || [];
  if (series.length) series.push({ at: series[series.length - 1].at });
}

function redraw() {
  if (pending || !known || !state) return;
  pending = true;
  requestAnimationFrame(() => {
    pending = false;
    const colour = isDark() ? "dark" : "light";
    const series = chosen().map((each) => (
      { ...each, colour: each[colour], samples: samples[each.name] || [] }));
    const now = d3.max(series, (each) => newest(each.name).at) || 0;
    for (const chart of charts) chart.draw(series, now, changes);
    showHeld();
    showTruth();
  });
}

function buildServers() {
  $("servers").selectAll("button").data(known.servers).join("button").attr("type", "button")
    .attr("data-server", (each) => each.name).attr("aria-keyshortcuts", (each) => each.tag)
    .text((each) => each.label).on("click", (each) => toggle(each.name));
}

function buildSliders() {
  const labels = $("sliders").selectAll("label").data(SLIDERS).join("label")
    .attr("title", (slider) => slider.hint || null);
  labels.append("span").text((slider) => slider.title);
  labels.append("b").attr("id", (slider) => `${slider.key}-value`);
  labels.append("input").attr("type", "range").attr("id", (slider) => slider.key).attr("min", 0)
    .attr("max", (slider) => known.steps[slider.key].length - 1)
    .attr("aria-keyshortcuts", (slider) => slider.letter)
    .on("input", function move(slider) {
      const value = known.steps[slider.key][this.value];
      showSlider(slider, value);
      tell({ do: "set", [slider.key]: value });
    });
}

function showSlider(slider, value) {
  $(`${slider.key}-value`).text(slider.text(value));
  $(slider.key).attr("aria-valuetext", slider.text(value));
}

function toggle(name) {
  const others = state.chosen.filter((each) => each !== name);
  tell({ do: "set", chosen: state.chosen.includes(name) ? others : others.concat(name) });
}

function showState() {
  const full = state.chosen.length >= known.most;
  d3.selectAll("#servers button")
    .style("--colour", (each) => `var(--${each.name})`)
    .attr("aria-pressed", (each) => String(state.chosen.includes(each.name)))
    .property("disabled", (each) => full && !state.chosen.includes(each.name));
  for (const slider of SLIDERS) {
    const input = $(slider.key);
    showSlider(slider, state[slider.key]);
    if (document.activeElement !== input.node() || state.phase === "stopped") {
      input.property("value", known.steps[slider.key].indexOf(state[slider.key]));
    }
  }
  d3.select("#start span").text({ stopped: "Start", running: "Stop", stopping: "Stops…" }[state.phase]);
  $("start").property("disabled", state.phase === "stopping");
  document.body.dataset.phase = state.phase;
  $("turns").text(state.turns ? "in turns" : "all at once").attr("aria-pressed", String(!!state.turns));
  showTime();
  showLanes();
}

function showTime() {
  if (!state) return;
  const now = (performance.now() - clock) / 1000;
  const left = Math.round(state.until == null ? known.seconds : Math.max(0, state.until - now));
  const seconds = String(left % 60).padStart(2, "0");
  d3.select("#start small").text(`${Math.floor(left / 60)}:${seconds}`)
    .attr("title", "minutes until the load ends by itself");
}

/** A column per server: its name, what it holds just now, and what it was not given and why. */
function showLanes() {
  const lanes = chosen().map((each) => ({ ...each, lane: state.lanes[each.name] || {} }));
  document.documentElement.style.setProperty("--lanes", Math.max(lanes.length, 1));
  const boxes = $("lanes").selectAll(".lane").data(lanes, (each) => each.name)
    .join((enter) => {
      const box = enter.append("div").attr("class", "lane").attr("data-server", (each) => each.name);
      const head = box.append("h2");
      head.append("span");
      head.append("small");
      box.append("p");
      return box;
    }).order().style("--colour", (each) => `var(--${each.name})`);
  boxes.select("span").text((each) => each.label);
  boxes.select("p").attr("class", ({ lane }) => (lane.failed ? "failed" : "limit"))
    .text(({ lane }) => lane.failed || lane.limit || "");
  showHeld();
}

function showHeld() {
  d3.selectAll(".lane small").text(({ name }) => {
    const { phase } = state.lanes[name] || {};
    const { held } = newest(name);
    if (phase !== "running") return phase === "starting" ? "starts…" : "";
    return held == null ? "" : `${counted(held)} connected`;
  });
}

const newest = (name) => (samples[name] || []).slice(-1)[0] || {};

/** What the numbers are worth. Clients who have no more cpu to ask with make all servers look alike. */
function showTruth() {
  const busy = state.chosen.map((name) => newest(name).client || 0);
  const full = (state.turns ? d3.max(busy) : d3.sum(busy)) > 0.9;
  const truth = state.turns ? known.truth.in_turns : known.truth.at_once;
  $("truth").text(full ? `${truth} The clients' cpu is full.` : truth).classed("limit", full);
}

function showWords(text, bad) {
  $("words").text(text).classed("bad", !!bad);
}

function paint(dark) {
  document.documentElement.classList.toggle("dark", dark);
  for (const each of known ? known.servers : []) {
    document.documentElement.style.setProperty(`--${each.name}`, dark ? each.dark : each.light);
  }
  redraw();
}

const isDark = () => document.documentElement.classList.contains("dark");
const startOrStop = () => tell({ do: state.phase === "stopped" ? "start" : "stop" });
$("start").on("click", startOrStop);
const takeTurns = () => tell({ do: "set", turns: 1 - state.turns });
$("turns").on("click", takeTurns);
$("reset").on("click", () => tell({ do: "reset" }));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !known || !state) return;
  const server = known.servers.find((each) => each.tag === event.key);
  const slider = SLIDERS.find((each) => each.letter === event.key);
  if (event.key === " ") startOrStop();
  else if (event.key === "r") tell({ do: "reset" });
  else if (event.key === "t") takeTurns();
  else if (event.key === "d") paint(!isDark());
  else if (server) toggle(server.name);
  else if (slider) $(slider.key).node().focus();
  else return;
  event.preventDefault(); // space would press the button that has the focus as well
});
document.addEventListener("keyup", (event) => event.key === " " && event.preventDefault());

const system = matchMedia("(prefers-color-scheme: dark)");
system.addEventListener("change", () => paint(system.matches));
paint(system.matches);
new ResizeObserver(redraw).observe($("charts").node());
setInterval(showTime, 500);
