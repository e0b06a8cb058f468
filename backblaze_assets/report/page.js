"use strict";
// Sorting, filtering and the colours by hand; the page reads without any of it.
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
