"use strict";
// Sorting and copying. Without this script the report reads the same; only the buttons are missing.
(() => {
  const said = document.getElementById("said");
  const say = (words) => {
    said.textContent = "";
    setTimeout(() => { said.textContent = words; }, 30); // the same words twice are read twice
  };

  // Sorting

  // The header cells of a single column each, with the index of that column in a row of the body.
  function heads(table) {
    const taken = [];
    const found = [];
    const rows = [...table.tHead.rows];
    rows.forEach((row, level) => {
      let index = 0;
      for (const cell of row.cells) {
        while (taken[level]?.[index]) index += 1;
        for (let down = 0; down < cell.rowSpan; down += 1) {
          for (let right = 0; right < cell.colSpan; right += 1) {
            (taken[level + down] ??= [])[index + right] = true;
          }
        }
        const last = level + cell.rowSpan === rows.length;
        if (last && cell.colSpan === 1 && index > 0 && cell.tagName === "TH") found.push({ cell, index });
        index += cell.colSpan;
      }
    });
    return found;
  }

  function valueOf(row, index) {
    const cell = row.cells[index];
    const stored = cell.dataset.sort ?? cell.dataset.value
      ?? cell.querySelector("[data-value]")?.dataset.value;
    if (stored !== undefined) return Number(stored);
    if (cell.classList.contains("attn-missing")) return null;
    return cell.textContent.trim() || null;
  }

  // Missing values come last in either order.
  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
  }

  function sortable(table) {
    const columns = heads(table);
    const bodies = [...table.tBodies].map((body) => ({ body, rows: [...body.rows] }));
    for (const { cell, index } of columns) {
      const words = cell.textContent;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...cell.childNodes);
      cell.append(button);
      cell.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        // Largest first, then smallest first, then as written.
        const next = { none: "descending", descending: "ascending", ascending: "none" };
        const order = next[cell.getAttribute("aria-sort")];
        for (const each of columns) each.cell.setAttribute("aria-sort", "none");
        cell.setAttribute("aria-sort", order);
        const sign = order === "descending" ? -1 : 1;
        for (const { body, rows } of bodies) {
          const sorted = order === "none" ? rows
            : [...rows].sort((a, b) => compare(valueOf(a, index), valueOf(b, index), sign));
          body.append(...sorted);
        }
        say(order === "none" ? "Rows as written" : `Sorted by ${words}, ${order}`);
      });
    }
  }

  document.querySelectorAll(".attn-table table").forEach(sortable);

  // Copying

  function copyOld(text) {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyOld(text); // a page from a file may not be given the clipboard
    }
  }

  for (const group of document.querySelectorAll(".copies")) group.hidden = false;
  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copies);
      const done = await copy(source.textContent);
      button.focus();
      if (done) {
        say("Copied");
        button.classList.add("done");
        setTimeout(() => button.classList.remove("done"), 1500);
      } else {
        source.hidden = false;
        say("The browser did not allow copying; the text is shown below the table.");
      }
    });
  }

  // Contents: where the reader is

  const links = new Map();
  for (const link of document.querySelectorAll(".contents a")) links.set(link.hash.slice(1), link);
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(target.id).setAttribute("aria-current", "location");
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  for (const id of links.keys()) seen.observe(document.getElementById(id));

  // Paper has nothing to click: folded details are printed unfolded.

  const folded = [];
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details:not([open])")) {
      folded.push(each);
      each.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const each of folded.splice(0)) each.open = false;
  });
})();
