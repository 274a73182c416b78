// The map of all numbers: a grid of which one cell at a time can be read, chosen by pointer, tap or arrow keys.

// As Python writes a number: it calls infinity `inf`.
const parsed = (text) => Number(text.replace("inf", "Infinity"));

// Of each timestep and unit, the numbers of the sequence that is furthest off. NaN is further off than anything.
export async function readNumbers(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  const [, ...lines] = (await answer.text()).trim().split("\n");
  const cells = new Map();
  for (const line of lines) {
    const [batch, timestep, unit, keras, yours] = line.split(",").map(parsed);
    const difference = yours - keras;
    const off = Number.isFinite(difference) ? Math.abs(difference) : Infinity;
    const known = cells.get(`${timestep} ${unit}`);
    if (!known || off > known.off) cells.set(`${timestep} ${unit}`, { batch, timestep, unit, keras, yours, difference, off });
  }
  return cells;
}

const SVG = "http://www.w3.org/2000/svg";
const written = new Intl.NumberFormat(document.documentElement.lang, { maximumSignificantDigits: 6 });

function shown(name, value) {
  if (!["keras", "yours", "difference"].includes(name) || Number.isNaN(value)) return String(value);
  return written.format(value).replace(/^-/, "\u2212");
}

export function followMap(details, numbers) {
  const [map, reading] = [details.querySelector(".cells svg"), details.querySelector(".reading")];
  const { width: steps, height: units } = map.viewBox.baseVal;
  const at = { timestep: 0, unit: 0 };
  const worst = [...numbers.values()].reduce((one, other) => (other.off > one.off ? other : one));
  Object.assign(at, { timestep: worst.timestep, unit: worst.unit });

  // One row with one cell stands for the whole grid, and moves over it.
  const grid = document.createElement("div");
  const row = document.createElement("div");
  const cell = document.createElement("div");
  Object.assign(grid, { className: "grid-of-one", role: "grid", ariaLabel: details.dataset.grid });
  Object.assign(grid, { ariaRowCount: String(units), ariaColCount: String(steps) });
  row.role = "row";
  Object.assign(cell, { className: "reading", role: "gridcell", tabIndex: 0 });
  row.append(cell);
  grid.append(row);
  reading.replaceWith(grid);
  const live = document.createElement("p");
  Object.assign(live, { className: "hidden", ariaLive: "polite" });
  const hint = document.createElement("p");
  Object.assign(hint, { className: "muted", textContent: details.dataset.use });
  grid.before(hint);
  grid.after(live);
  const mark = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ class: "mark", width: 1, height: 1 })) mark.setAttribute(name, value);

  function show(timestep, unit, aloud) {
    at.timestep = Math.min(Math.max(timestep, 0), steps - 1);
    at.unit = Math.min(Math.max(unit, 0), units - 1);
    const found = numbers.get(`${at.timestep} ${at.unit}`);
    cell.textContent = details.dataset.cell.replace(/\{(\w+)\}/g, (_, name) => shown(name, found[name]));
    row.ariaRowIndex = String(at.unit + 1);
    cell.ariaColIndex = String(at.timestep + 1);
    mark.setAttribute("x", at.timestep);
    mark.setAttribute("y", at.unit);
    map.append(mark);
    if (aloud) live.textContent = cell.textContent;
  }

  function point(event) {
    const box = map.getBoundingClientRect();
    const across = Math.floor((steps * (event.clientX - box.left)) / box.width);
    show(across, Math.floor((units * (event.clientY - box.top)) / box.height), event.type === "click");
  }

  map.addEventListener("pointermove", point);
  map.addEventListener("click", point);
  cell.addEventListener("keydown", (event) => {
    const far = event.key.startsWith("Page") ? 10 : 1;
    const to = {
      ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
      PageUp: [-far, 0], PageDown: [far, 0], Home: [-steps, 0], End: [steps, 0],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    show(at.timestep + to[0], at.unit + to[1], true);
  });
  show(at.timestep, at.unit, false);
}
