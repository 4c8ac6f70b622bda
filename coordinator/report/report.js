"use strict";
// Sorting by the buttons in the tables' heads, and the switch between light and dark. The page reads well without it.
document.documentElement.classList.add("js");

for (const button of document.querySelectorAll("table.sortable th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const table = head.closest("table");
    const direction = head.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
    for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    const column = head.cellIndex;
    const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === ""); // what is missing stays at the end
      const [p, q] = [Number(x), Number(y)];
      return sign * (Number.isNaN(p) || Number.isNaN(q) ? x.localeCompare(y) : p - q);
    });
    table.tBodies[0].append(...rows);
  });
}

const toggle = document.getElementById("theme");
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
const say = () => {
  toggle.setAttribute("aria-pressed", String(isDark()));
};
toggle.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  say();
});
dark.addEventListener("change", say);
say();

// A link to a run opens it.
const open = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
};
window.addEventListener("hashchange", open);
window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((item) => (item.open = true)));
open();
