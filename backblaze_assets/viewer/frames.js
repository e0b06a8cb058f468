"use strict";
// One day's frame, and a slider over all days. The neighbours are fetched before they are asked for.
const at = (id) => document.getElementById(id);
const frame = at("frame"), slider = at("slider"), play = at("play"), date = at("date");
let days = [], index = 0, playing = false, timer = 0;
const kept = new Map();

const address = (i) => `/frames/${days[i]}.jpg`;

function fetched(i) {
  if (i < 0 || i >= days.length) return null;
  let picture = kept.get(i);
  if (!picture) {
    picture = new Image();
    picture.src = address(i);
    kept.set(i, picture);
    if (kept.size > 40) kept.delete(kept.keys().next().value);
  }
  return picture;
}

function show(i) {
  const step = i < index ? -1 : 1;
  index = Math.max(0, Math.min(days.length - 1, i));
  const day = days[index];
  frame.src = address(index);
  at("day").textContent = day;
  at("file").href = address(index);
  slider.value = index;
  slider.setAttribute("aria-valuetext", day);
  date.value = day;
  for (let n = 1; n <= (playing ? 8 : 2); n++) fetched(index + n * step);
  fetched(index - step);
  clearTimeout(timer);
  timer = setTimeout(() => history.replaceState(null, "", "#" + day), 200);
}

// The first day that is not before the one that was asked for.
function nearest(day) {
  const found = days.findIndex((other) => other >= day);
  return found < 0 ? days.length - 1 : found;
}

async function run() {
  if (index === days.length - 1) show(0);
  while (playing && index < days.length - 1) {
    const pause = new Promise((done) => setTimeout(done, 60));
    try { await fetched(index + 1).decode(); } catch { /* one that is gone is passed over */ }
    await pause;
    if (playing) show(index + 1);
  }
  setPlaying(false);
}

function setPlaying(on) {
  if (on === playing) return;
  playing = on;
  play.textContent = on ? "Stop" : "Play";
  play.setAttribute("aria-pressed", String(on));
  if (on) run();
}

const KEYS = {
  ArrowLeft: () => index - 1, ArrowRight: () => index + 1, ArrowDown: () => index - 1, ArrowUp: () => index + 1,
  PageUp: () => index - 30, PageDown: () => index + 30, Home: () => 0, End: () => days.length - 1,
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target === date) return;
  if (event.key === " " && event.target.tagName !== "BUTTON" && event.target.tagName !== "A") {
    event.preventDefault();
    setPlaying(!playing);
  } else if (KEYS[event.key]) {
    event.preventDefault();
    setPlaying(false);
    show(KEYS[event.key]());
  }
});
slider.addEventListener("input", () => { setPlaying(false); show(Number(slider.value)); });
at("before").addEventListener("click", () => { setPlaying(false); show(index - 1); });
at("after").addEventListener("click", () => { setPlaying(false); show(index + 1); });
play.addEventListener("click", () => setPlaying(!playing));
date.addEventListener("change", () => { if (date.value) { setPlaying(false); show(nearest(date.value)); } });
addEventListener("hashchange", () => show(nearest(location.hash.slice(1))));

fetch("/frames/days.json").then((answer) => answer.json()).then((found) => {
  days = found;
  slider.max = days.length - 1;
  index = days.length - 1;
  show(location.hash ? nearest(location.hash.slice(1)) : index);
});
