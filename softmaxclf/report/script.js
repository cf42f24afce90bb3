"use strict";
// Headers of sortable tables become buttons, and code can be copied. Without this script the page is complete, tables in
// their own order.
(() => {
  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.sort !== undefined) return Number(cell.dataset.sort);
    const data = cell.querySelector("data");
    if (data) return Number(data.value);
    const text = cell.textContent.trim();
    return text === "\u2013" ? null : text;
  };

  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));

  const sort = (table, header, falling) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, value: key(row, header.cellIndex) }));
    const known = rows.filter((each) => each.value !== null);
    const unknown = rows.filter((each) => each.value === null); // always last, whichever way
    known.sort((a, b) => (falling ? compare(b.value, a.value) : compare(a.value, b.value)));
    body.append(...[...known, ...unknown].map((each) => each.row));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", falling ? "descending" : "ascending");
  };

  for (const hint of document.querySelectorAll(".hint")) hint.hidden = false;

  for (const box of document.querySelectorAll(".scroll")) {
    box.addEventListener("scroll", () => box.classList.toggle("moved", box.scrollLeft > 2), { passive: true });
  }

  // The clipboard is not every page's to write: then the text is marked, and the keyboard copies it.
  const copy = async (code) => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      return "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      return "Marked";
    }
  };

  for (const box of document.querySelectorAll(".copy")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => { button.textContent = await copy(box.firstElementChild); });
    box.append(button);
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const header of table.tHead.rows[0].cells) {
      if (header.dataset.unsorted !== undefined) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        const now = header.getAttribute("aria-sort");
        // Figures first fall, since the highest is what one looks for; a second click turns them around.
        const falling = now === null ? header.classList.contains("number") : now === "ascending";
        sort(table, header, falling);
      });
    }
  }
})();
