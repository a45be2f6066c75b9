// Shows one picture, two on the same clock, or all; says what a bar is made of; dark and light.
"use strict";

const root = document.documentElement;
const figures = [...document.querySelectorAll("figure")];
const keys = [...new Set(figures.map((each) => each.dataset.key || each.dataset.name))];
const keyOf = (figure) => figure.dataset.key || figure.dataset.name;
const PAIR_MS = 1500;  // a second key that comes within this time compares
const LEAST = 0.62;  // a picture is not made smaller than this to fit; then the page scrolls
let chosen = [];
let pressedAt = 0;

for (const svg of document.querySelectorAll("figure svg")) {
  svg.dataset.whole = svg.getAttribute("viewBox");
  svg.removeAttribute("width");  // from here on its style says how large it is
  svg.removeAttribute("height");
}

// ---- one, two, or all ---------------------------------------------------------------------------

function show(next) {
  chosen = next.filter((key) => keys.includes(key)).slice(-2);
  document.body.classList.toggle("focus", chosen.length > 0);
  for (const figure of figures) figure.hidden = chosen.length > 0 && !chosen.includes(keyOf(figure));
  for (const chip of document.querySelectorAll("#chips button")) {
    chip.setAttribute("aria-pressed", chip.value ? chosen.includes(chip.value) : !chosen.length);
  }
  history.replaceState(null, "", chosen.length ? `#${chosen.join("+")}` : location.pathname);
  hide();
  fit();
}

// Two are cut below their axis and get the same size, so that their clocks can be compared.
function fit() {
  const shown = figures.filter((each) => !each.hidden).map((each) => each.querySelector("svg"));
  const cut = shown.length > 1 && chosen.length > 0;
  let total = 0;
  for (const svg of document.querySelectorAll("figure svg")) {
    const [x, y, width, height] = svg.dataset.whole.split(" ").map(Number);
    const high = cut ? Number(svg.dataset.axis) : height;
    svg.setAttribute("viewBox", `${x} ${y} ${width} ${high}`);
    if (shown.includes(svg)) total += high + 6;
  }
  const main = document.getElementById("pictures");
  const room = innerHeight - main.getBoundingClientRect().top - scrollY - 8;
  const scale = Math.max(LEAST, Math.min(main.clientWidth / 1280, room / total));
  for (const svg of shown) svg.style.width = chosen.length ? `${1280 * scale}px` : "";
}

function readAddress() {
  show(decodeURIComponent(location.hash.slice(1)).split("+").filter(Boolean));
}

function leaf(step) {
  if (!chosen.length) {
    const here = figures.findIndex((each) => each.getBoundingClientRect().bottom > 80);
    const near = here < 0 ? figures.length : here;
    const to = near + (step > 0 && figures[near]?.getBoundingClientRect().top > 20 ? 0 : step);
    if (figures[to]) figures[to].scrollIntoView();
    else if (to < 0) scrollTo(0, 0);
    return;
  }
  const last = keys.indexOf(chosen[chosen.length - 1]);
  const next = keys[(last + step + keys.length) % keys.length];
  show([...chosen.slice(0, -1).filter((key) => key !== next), next]);
}

function press(key, beside) {
  const now = performance.now();
  const pair = chosen.length && !chosen.includes(key) && (beside || now - pressedAt < PAIR_MS);
  show(pair ? [chosen[chosen.length - 1], key] : [key]);
  pressedAt = pair ? 0 : now;
}

function addChip(value, text, stage) {
  const chip = document.createElement("button");
  chip.type = "button";
  chip.value = value;
  chip.textContent = text;
  if (stage) chip.style.setProperty("--stage", stage);
  chip.addEventListener("click", () => {
    if (!value) show([]);
    else if (chosen.includes(value)) show(chosen.filter((each) => each !== value));
    else show([...chosen, value]);
  });
  document.getElementById("chips").append(chip);
}
addChip("", "all");
for (const key of keys) {
  const figure = figures.find((each) => keyOf(each) === key);
  const name = figure.dataset.name.replace(/^0/, "").replace("-", " ");
  addChip(key, /^\d/.test(name) ? name : `${key} ${name}`, figure.style.getPropertyValue("--stage"));
}

// ---- what a bar is made of ----------------------------------------------------------------------

const tip = document.getElementById("tip");
for (const bar of document.querySelectorAll("figure .bar")) {
  const title = bar.querySelector("title");
  bar.dataset.tip = title.textContent;
  bar.setAttribute("aria-label", title.textContent);
  bar.setAttribute("tabindex", "0");
  title.remove();  // or the browser would show it as well
}

function tell(bar) {
  const [what, ...calls] = bar.dataset.tip.split("\n");
  const head = document.createElement("b");
  head.textContent = what;
  tip.replaceChildren(head, calls.length ? `\n${calls.join("\n")}` : "");
  tip.hidden = false;
  const box = bar.getBoundingClientRect(), size = tip.getBoundingClientRect();
  const left = Math.min(Math.max(6, (Math.max(0, box.left) + Math.min(innerWidth, box.right) - size.width) / 2),
    innerWidth - size.width - 6);
  const below = box.bottom + 10 + size.height < innerHeight;
  tip.style.left = `${Math.max(6, left)}px`;
  tip.style.top = `${below ? box.bottom + 10 : Math.max(6, box.top - size.height - 10)}px`;
}
function hide() { tip.hidden = true; }

const barOf = (event) => event.target.closest?.("figure .bar");
for (const kind of ["pointerover", "focusin", "click"]) {
  document.addEventListener(kind, (event) => {
    const bar = barOf(event);
    if (bar) tell(bar);
    else if (kind !== "focusin") hide();
  });
}
document.addEventListener("focusout", hide);
addEventListener("scroll", hide, { passive: true });

// ---- keys ---------------------------------------------------------------------------------------

function changeTheme() {
  const isDark = root.dataset.theme ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1] ?? event.key;
  if (event.key === "a" || event.key === "Escape") show([]);
  else if (event.key === "d") changeTheme();
  else if (event.key === "ArrowRight") leaf(1);
  else if (event.key === "ArrowLeft") leaf(-1);
  else if (/^\d$/.test(digit) && keys.includes(digit)) press(digit, event.shiftKey);
  else return;
  if (event.key.startsWith("Arrow")) event.preventDefault();
});

addEventListener("resize", fit);
addEventListener("hashchange", readAddress);
addEventListener("beforeprint", () => {
  for (const svg of document.querySelectorAll("figure svg")) svg.setAttribute("viewBox", svg.dataset.whole);
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
});
addEventListener("afterprint", fit);
readAddress();
