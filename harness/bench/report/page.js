// Draws all plots, moves the spotlight, and changes dark and light.
"use strict";

const KINDS = { lines, bars, pairs };
const PRINT_WIDTH = 1240;  // as on a large screen; the printer makes it smaller
const root = document.documentElement;
const lit = new Set();

function drawAll(width) {
  for (const plot of plots) {
    const box = document.getElementById(plot.name).querySelector(".plot");
    KINDS[plot.drawing.kind](box, width || box.clientWidth, plot);
  }
  shine();
}

// ---- the spotlight ------------------------------------------------------------------------------

function shine() {
  for (const each of document.querySelectorAll("[data-server]")) {
    each.classList.toggle("lit", lit.has(each.dataset.server));
    each.classList.toggle("dim", lit.size > 0 && !lit.has(each.dataset.server));
  }
  d3.selectAll(".plot .server.lit").raise();
}

function toggle(names) {
  const add = !names.every((name) => lit.has(name));
  for (const name of names) {
    if (add) lit.add(name);
    else lit.delete(name);
  }
  show();
}

// The address keeps who is lit: report.html#26 opens with stages 2 and 6 in the light.
function show() {
  const keys = d3.keys(servers).filter((name) => lit.has(name)).map((name) => servers[name].key);
  history.replaceState(null, "", keys.length ? `#${[...new Set(keys)].join("")}` : location.pathname);
  shine();
}

const named = (key) => Object.keys(servers).filter((name) => servers[name].key === key);

function readAddress() {
  lit.clear();
  for (const key of location.hash.slice(1)) named(key).forEach((name) => lit.add(name));
  shine();
}

for (const name of Object.keys(servers)) {
  const chip = d3.select("#chips").append("button").attr("type", "button").attr("data-server", name)
    .style("color", colour(name));
  chip.append("span").text(label(name));
}
document.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-server]");
  if (chosen && !event.target.closest("table")) toggle([chosen.dataset.server]);
});

// ---- keys ---------------------------------------------------------------------------------------

function leaf(step) {
  const sections = [...document.querySelectorAll("main section")];
  const here = sections.findIndex((each) => each.getBoundingClientRect().bottom > 80);
  const top = sections[here].getBoundingClientRect().top;
  const to = step < 0 && top < -20 ? here : here + (step > 0 && top > 20 ? 0 : step);
  if (sections[to]) sections[to].scrollIntoView();
  else if (to < 0) scrollTo(0, 0);
}

function changeTheme() {
  const isDark = root.dataset.theme ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "0" || event.key === "Escape") {
    lit.clear();
    show();
  } else if (event.key === "d") changeTheme();
  else if (event.key === "ArrowRight") leaf(1);
  else if (event.key === "ArrowLeft") leaf(-1);
  else if (named(event.key).length) toggle(named(event.key));
});

// ---- sizes --------------------------------------------------------------------------------------

let drawnWidth = root.clientWidth;
addEventListener("resize", () => {
  if (root.clientWidth === drawnWidth) return;  // on a phone the height changes while scrolling
  drawnWidth = root.clientWidth;
  drawAll();
});
addEventListener("beforeprint", () => {
  drawAll(PRINT_WIDTH);
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
});
addEventListener("afterprint", () => drawAll());
addEventListener("hashchange", readAddress);
drawAll();
readAddress();
