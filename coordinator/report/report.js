"use strict";
// Sorting by the buttons in the tables' heads, lines that open to their runs, and the switch between light and dark.
// The page reads well without it: every line is open then.
document.documentElement.classList.add("js");

const fold = (button, isOpen) => {
  button.setAttribute("aria-expanded", String(isOpen));
  for (const row of button.closest("tbody").querySelectorAll("tr.more")) row.hidden = !isOpen;
};
for (const button of document.querySelectorAll("button.toggle")) {
  fold(button, false);
  button.addEventListener("click", () => fold(button, button.getAttribute("aria-expanded") === "false"));
}

for (const button of document.querySelectorAll("table.sortable thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const table = head.closest("table");
    const direction = head.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
    for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    const column = head.cellIndex;
    // A body is one line of the table, with what it opens to.
    const key = (body) => body.rows[0].cells[column].dataset.value ?? body.rows[0].cells[column].textContent.trim();
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...table.tBodies];
    rows.sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === ""); // what is missing stays at the end
      const [p, q] = [Number(x), Number(y)];
      return sign * (Number.isNaN(p) || Number.isNaN(q) ? x.localeCompare(y) : p - q);
    });
    table.append(...rows);
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
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((item) => (item.open = true));
  document.querySelectorAll("button.toggle").forEach((button) => fold(button, true));
});
open();
