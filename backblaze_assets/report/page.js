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
filter?.addEventListener("input", () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter((word) => word && word !== "tb");
  for (const pane of document.querySelectorAll(".pane")) {
    const rows = [...pane.querySelectorAll("tbody tr")];
    let shown = 0;
    for (const row of rows) {
      const fits = words.every((word) =>
        /^\d{1,2}(tb)?$/.test(word) ? row.dataset.size === word.replace("tb", "") : row.dataset.words.includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    pane.querySelector("[aria-live]").textContent = `${shown} of ${rows.length} models`;
  }
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
