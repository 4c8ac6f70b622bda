"use strict";
// Sorting by the buttons in the tables' heads, lines that open to their runs, and the switch between light and dark.
// The page reads well without it: every line is open then. Clicks are listened for on the document, so that what the
// live page adds later has them, too.
document.documentElement.classList.add("js");

const fold = (button, isOpen) => {
  button.setAttribute("aria-expanded", String(isOpen));
  for (const row of button.closest("tbody").querySelectorAll("tr.more")) row.hidden = !isOpen;
};
document.querySelectorAll("button.toggle").forEach((button) => fold(button, false));

// A body is one line of the table, with what it opens to. What is missing stays at the end.
const sorted = (table) => {
  const head = table.querySelector("th[aria-sort]");
  const key = (body) => {
    const cell = body.rows[0].cells[head.cellIndex];
    return cell.dataset.value ?? cell.textContent.trim();
  };
  const sign = head.getAttribute("aria-sort") === "ascending" ? 1 : -1;
  return [...table.tBodies].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const [p, q] = [Number(x), Number(y)];
    return sign * (Number.isNaN(p) || Number.isNaN(q) ? x.localeCompare(y) : p - q);
  });
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.matches(".toggle")) fold(button, button.getAttribute("aria-expanded") === "false");
  const head = button.closest("table.sortable thead th");
  if (!head) return;
  const table = head.closest("table");
  const direction = head.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
  for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", direction);
  table.append(...sorted(table));
});

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
