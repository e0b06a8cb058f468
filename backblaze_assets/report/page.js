"use strict";
// Sorting, filtering, comparing and the colours by hand; the page reads without any of it.
document.documentElement.classList.add("js");
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const text = head.classList.contains("text");
      const before = head.getAttribute("aria-sort");
      const rising = before ? before === "descending" : text;
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const key = (row) => row.cells[place].dataset.value ?? row.cells[place].textContent.trim();
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        return (text ? x.localeCompare(y) : x - y) * (rising ? 1 : -1);
      });
      table.tBodies[0].append(...rows);
    });
  });
}
const filter = document.getElementById("filter");
const fits = (words, { words: known, size }) => words.every((word) =>
  /^\d{1,2}(tb)?$/.test(word) ? size === word.replace("tb", "") : known.includes(word));
filter?.addEventListener("input", () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter((word) => word && word !== "tb");
  for (const pane of document.querySelectorAll(".pane")) {
    const rows = [...pane.querySelectorAll("tbody tr")];
    for (const row of rows) row.hidden = !fits(words, row.dataset);
    const shown = rows.filter((row) => !row.hidden).length;
    const count = pane.querySelector("[aria-live]");
    if (count) count.textContent = `${shown} of ${rows.length} models`;
  }
  for (const { told, drawn } of charts)
    for (const curve of drawn) curve.classList.toggle("out", !fits(words, told.curves[curve.dataset.model]));
});
const openTarget = () => {
  const section = location.hash ? document.getElementById(location.hash.slice(1)) : null;
  for (let each = section; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
  section?.scrollIntoView();
};
addEventListener("hashchange", openTarget);
openTarget();
document.getElementById("theme")?.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

const video = document.querySelector("video");
if (video) {
  const play = document.createElement("button");
  play.type = "button";
  play.className = "play";
  play.textContent = "▶ Play the film";
  play.addEventListener("click", () => {
    video.controls = true;
    play.remove();
    video.play().catch(() => {}); // what is wrong is said below
    video.focus();
  });
  video.controls = false;
  video.after(play);
  video.addEventListener("error", () => {
    const said = "The film is not beside this page: backblaze-assets movie makes it.";
    video.closest("figure").querySelector("figcaption").textContent = said;
  });
}

// What stands at each place of the charts that compare models: by pointer, and by the arrow keys.
const charts = [...document.querySelectorAll(".compare")].map((figure) => ({
  area: figure.querySelector(".plot-area"),
  readout: figure.querySelector(".readout"),
  told: JSON.parse(figure.querySelector("script").textContent),
  drawn: [...figure.querySelectorAll(".curve")],
  place: null,
  near: null,
}));
const HOW = "Point at a line, or use the arrow keys; a click or Enter compares its model.";
const figures = ([value, low, high]) =>
  `${value.toFixed(2)} %` + (high === undefined ? "" : ` (${low.toFixed(2)} - ${high.toFixed(2)})`);
const look = (chart) => {
  const { area, readout, told, drawn, place, near } = chart;
  for (const curve of drawn) curve.classList.toggle("near", curve.dataset.model === near);
  for (const guide of area.querySelectorAll(".guide")) {
    const { left, right } = guide.nextElementSibling.dataset;
    const x = place === null ? -9 : +left + ((right - left) * place) / Math.max(told.places.length - 1, 1);
    guide.setAttribute("x1", x);
    guide.setAttribute("x2", x);
  }
  if (place === null) return void (readout.textContent = HOW);
  const shown = [...new Set([near, ...picks.map(([model]) => model)])].filter((model) => told.curves[model]?.values[place]);
  const each = shown.map((model) => `${told.curves[model].name} ${figures(told.curves[model].values[place])}`);
  readout.textContent = `${told.places[place]}: ${each.join(" · ") || "nothing is known of these models"}`;
};
const at = (chart) => // the curves at the place, from the lowest up
  chart.drawn
    .filter((curve) => curve.closest("svg").clientWidth && !curve.classList.contains("out"))
    .map((curve) => [curve.dataset.model, chart.told.curves[curve.dataset.model].values[chart.place]?.[0]])
    .filter(([, value]) => value !== undefined)
    .sort((a, b) => a[1] - b[1]);
for (const chart of charts) {
  const { area, told } = chart;
  const last = told.places.length - 1;
  const toggle = () => {
    if (chart.near) pick(chart.near, !picks.some(([model]) => model === chart.near));
    look(chart);
  };
  area.addEventListener("pointermove", (event) => {
    const svg = event.target.closest("svg");
    if (!svg) return;
    const box = svg.getBoundingClientRect();
    const unit = svg.viewBox.baseVal.width / box.width;
    const { left, right, top, bottom, end } = svg.querySelector(".curves").dataset;
    const x = (event.clientX - box.left) * unit;
    const value = (end * (bottom - (event.clientY - box.top) * unit)) / (bottom - top);
    chart.place = Math.min(Math.max(Math.round((last * (x - left)) / (right - left)), 0), last);
    const distance = ([, each]) => Math.abs(each - value);
    const [closest] = at(chart).sort((a, b) => distance(a) - distance(b));
    chart.near = closest && distance(closest) < end / 15 ? closest[0] : null;
    look(chart);
  });
  area.addEventListener("pointerleave", () => {
    chart.place = chart.near = null;
    look(chart);
  });
  area.addEventListener("click", toggle);
  area.addEventListener("keydown", (event) => {
    const here = chart.place === null ? [] : at(chart).map(([model]) => model);
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1 }[event.key];
    if (event.key === "Escape") chart.place = chart.near = null;
    else if (event.key === "Enter" || event.key === " ") toggle();
    else if (!step) return;
    else if (chart.place === null) chart.place = last;
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") chart.place = Math.min(Math.max(chart.place + step, 0), last);
    else chart.near = here[Math.min(Math.max(here.indexOf(chart.near) + step, 0), here.length - 1)] ?? null;
    event.preventDefault();
    look(chart);
  });
}

const MOST_PICKS = 5;
const LINE = 13; // from one label to the next
const curves = [...document.querySelectorAll(".curve")];
const nameOf = new Map(curves.map((curve) => [curve.dataset.model, curve.querySelector("text").textContent]));
for (const text of document.querySelectorAll(".curve text")) text.dataset.y = text.getAttribute("y");
let picks = []; // [model, number of its colour], the oldest first: a pick keeps its colour
for (const curve of curves)
  if (curve.dataset.pick && !picks.some(([model]) => model === curve.dataset.model))
    picks.push([curve.dataset.model, Number(curve.dataset.pick)]);
picks.sort((a, b) => a[1] - b[1]);
const pick = (model, on) => {
  picks = picks.filter(([each]) => each !== model);
  if (on) {
    if (picks.length === MOST_PICKS) picks.shift();
    const taken = new Set(picks.map(([, number]) => number));
    picks.push([model, [1, 2, 3, 4, 5].find((number) => !taken.has(number))]);
  }
  show();
};
const show = () => {
  const numbers = new Map(picks);
  for (const curve of curves) {
    const number = numbers.get(curve.dataset.model);
    if (number) {
      curve.dataset.pick = number;
      curve.parentElement.append(curve);
    } else delete curve.dataset.pick;
  }
  for (const group of document.querySelectorAll(".curves")) {
    let free = Infinity;
    const labels = [...group.querySelectorAll("[data-pick] text")].sort((a, b) => b.dataset.y - a.dataset.y);
    for (const label of labels) {
      const y = Math.min(label.dataset.y, free);
      label.setAttribute("y", y);
      free = y - LINE;
    }
  }
  for (const row of document.querySelectorAll("tr[data-model]")) {
    const number = numbers.get(row.dataset.model);
    row.hidden = !number;
    row.firstChild.dataset.pick = number ?? "";
  }
  for (const box of document.querySelectorAll(".tick input")) box.checked = numbers.has(box.value);
  charts.forEach(look);
  for (const chips of document.querySelectorAll(".chips")) {
    const buttons = picks.map(([model, number]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.pick = number;
      button.textContent = `${nameOf.get(model) ?? model} ✕`;
      button.setAttribute("aria-label", `Do not compare ${nameOf.get(model) ?? model}`);
      button.addEventListener("click", () => pick(model, false));
      return button;
    });
    const select = document.createElement("select");
    select.setAttribute("aria-label", "Compare a further model");
    select.append(new Option("+ add a model", ""));
    const others = [...nameOf].filter(([model]) => !numbers.has(model)).sort((a, b) => a[1].localeCompare(b[1]));
    for (const [model, name] of others) select.append(new Option(name, model));
    select.addEventListener("change", () => select.value && pick(select.value, true));
    chips.replaceChildren(...buttons, select);
  }
};
for (const box of document.querySelectorAll(".tick input"))
  box.addEventListener("change", () => pick(box.value, box.checked));
show();
