// Tables that sort, and the map of sites. Chooses a site by the event "choose-site", whose detail is its number.
"use strict";

const choose = site => document.dispatchEvent(new CustomEvent("choose-site", {detail: Number(site)}));

// --- tables: the number a cell shows is what it is sorted by; cells without one stay at the end
const number = text => parseFloat(text.replace("−", "-").replace("< ", "").replaceAll(",", ""));

for (const table of document.querySelectorAll("table")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => heading.querySelector("button").addEventListener("click", () => {
    const texts = heading.classList.contains("text");
    const descending = heading.ariaSort ? heading.ariaSort === "ascending" : !texts;
    headings.forEach(other => { other.ariaSort = null; });
    heading.ariaSort = descending ? "descending" : "ascending";
    const read = row => row.cells[column].textContent.trim();
    const order = (a, b) => texts ? a.localeCompare(b) : number(a) - number(b);
    const missing = text => texts ? text === "" : Number.isNaN(number(text));
    const rows = [...table.tBodies[0].rows].map(row => [read(row), row]);
    rows.sort(([a], [b]) => missing(a) - missing(b) || (missing(a) ? 0 : descending ? order(b, a) : order(a, b)));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  }));
}

for (const link of document.querySelectorAll("a[data-site]")) {
  link.addEventListener("click", () => choose(link.dataset.site));
}

// --- the map: wheel (once it has the focus) and buttons zoom, drag moves, a click takes the nearest site
const map = document.querySelector(".site-map .map svg");
if (map) {
  const whole = map.viewBox.baseVal, [x0, y0, width0, height0] = [whole.x, whole.y, whole.width, whole.height];
  const view = {x: x0, y: y0, scale: 1};
  const sites = [...map.querySelectorAll(".site")];

  const show = () => {
    const [width, height] = [width0 / view.scale, height0 / view.scale];
    view.x = Math.min(Math.max(view.x, x0), x0 + width0 - width);
    view.y = Math.min(Math.max(view.y, y0), y0 + height0 - height);
    map.setAttribute("viewBox", `${view.x} ${view.y} ${width} ${height}`);
    map.style.touchAction = view.scale > 1 ? "none" : "pan-y";  // a phone scrolls past the map until it is zoomed
  };
  const place = event => new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
  const zoom = (factor, at) => {
    const scale = Math.min(Math.max(view.scale * factor, 1), 40);
    view.x = at.x - (at.x - view.x) * view.scale / scale;
    view.y = at.y - (at.y - view.y) * view.scale / scale;
    view.scale = scale;
    show();
  };
  const middle = () => ({x: view.x + width0 / view.scale / 2, y: view.y + height0 / view.scale / 2});
  const actions = {
    in: () => zoom(2, middle()),
    out: () => zoom(0.5, middle()),
    all: () => zoom(0, middle()),
  };
  for (const button of document.querySelectorAll("#map-buttons button")) {
    button.addEventListener("click", () => actions[button.dataset.do]());
  }
  map.addEventListener("wheel", event => {
    if (!event.ctrlKey && document.activeElement !== map) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.4 : 1 / 1.4, place(event));
  }, {passive: false});

  let held = null, moved = 0;
  map.addEventListener("pointerdown", event => {
    held = place(event);
    moved = 0;
    map.setPointerCapture(event.pointerId);
  });
  map.addEventListener("pointermove", event => {
    if (!held) return;
    moved += Math.abs(event.movementX) + Math.abs(event.movementY);
    if (view.scale === 1 || moved < 4) return;
    const now = place(event);
    view.x += held.x - now.x;
    view.y += held.y - now.y;
    show();
  });
  map.addEventListener("pointercancel", () => { held = null; });
  map.addEventListener("pointerup", event => {
    if (held && moved < 8) {
      const near = sites.map(site => {
        const box = site.getBoundingClientRect();
        return [Math.hypot(box.x + box.width / 2 - event.clientX, box.y + box.height / 2 - event.clientY), site];
      }).reduce((a, b) => b[0] < a[0] ? b : a, [Infinity, null]);
      if (near[0] < 20 && near[1].dataset.site) {
        choose(near[1].dataset.site);
        document.getElementById("series").scrollIntoView();
      }
    }
    held = null;
  });
  const colour = document.getElementById("map-colour");
  colour?.addEventListener("change", () => { map.closest(".site-map").dataset.colour = colour.value; });

  document.addEventListener("choose-site", event => {
    for (const site of sites) site.classList.toggle("chosen", site.dataset.site === String(event.detail));
    const chosen = map.querySelector(".chosen");
    if (chosen) chosen.parentNode.append(chosen);  // on top of its neighbours
  });
}
