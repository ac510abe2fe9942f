"use strict";
// Sorting, copying, opening many rows at once: comfort, on a page that says all without it.
document.documentElement.classList.add("js");

/** A cell's number, or null: "-2.8 ± 24.6" is -2.8, "<0.001" is 0.001, a dash is null. */
function numberOf(text) {
  const found = text.replace(/\u2212/g, "-").replace(/,/g, "").match(/[-+]?\d+(\.\d+)?/);
  return found ? Number(found[0]) : null;
}

/** Compares two rows by a column; cells that say nothing come last in either order. */
function comparison(column, direction) {
  const numeric = column.classList.contains("number");
  const heads = [...column.parentNode.children].indexOf(column);
  const shown = (body) => body.rows[0].cells[heads].textContent.trim();
  return (a, b) => {
    const [x, y] = [shown(a), shown(b)].map((text) => (numeric ? numberOf(text) : text || null));
    if (x === null || y === null) return (x === null) - (y === null);
    return direction * (numeric ? x - y : x.localeCompare(y, undefined, { numeric: true }));
  };
}

/** Sorts the rows of a table, each block for itself; `direction` 0 is the order of the study. */
function sort(table, column, direction) {
  let after = table.tHead;
  const blocks = [[]];
  for (const body of [...table.tBodies].sort((a, b) => a.dataset.order - b.dataset.order)) {
    if (body.classList.contains("block")) blocks.push([]);
    blocks.at(-1).push(body);
  }
  for (const bodies of blocks) {
    const head = bodies.filter((body) => body.classList.contains("block"));
    const rows = bodies.filter((body) => !body.classList.contains("block"));
    if (direction) rows.sort(comparison(column, direction));
    for (const body of [...head, ...rows]) {
      after.after(body);
      after = body;
    }
  }
}

function sortable(table) {
  [...table.tBodies].forEach((body, order) => (body.dataset.order = order));
  const columns = [...table.tHead.rows[0].cells];
  for (const column of columns) {
    const button = column.querySelector("button");
    if (!button) continue;
    const first = column.classList.contains("number") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    button.addEventListener("click", () => {
      const now = column.getAttribute("aria-sort");
      const next = now === first ? second : now === second ? null : first;
      columns.forEach((each) => each.removeAttribute("aria-sort"));
      if (next) column.setAttribute("aria-sort", next);
      sort(table, column, next === "ascending" ? 1 : next ? -1 : 0);
    });
  }
}

async function copy(button) {
  const code = button.previousElementSibling;
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    getSelection().selectAllChildren(code);
    document.execCommand("copy");
  }
  button.textContent = "copied";
  setTimeout(() => (button.textContent = "copy"), 1500);
}

/** Opens the row that the address names. */
function openNamed() {
  const row = document.getElementById(location.hash.slice(1));
  if (row && row.matches("tbody.row")) row.querySelector(".opener").open = true;
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("table.headline").forEach(sortable);
  openNamed();
});
addEventListener("hashchange", openNamed);
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.classList.contains("copy")) copy(button);
  const all = button.classList.contains("open-all");
  if (all || button.classList.contains("close-all")) {
    const rows = button.closest("section").querySelectorAll(".opener");
    rows.forEach((row) => (row.open = all));
  }
});
