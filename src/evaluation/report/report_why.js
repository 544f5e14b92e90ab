// Why a site was answered as it was: its neighbours, their season beside its own, and what moved the answer.
// why.py packs what is drawn here and says how; the site is chosen by the event "choose-site".
"use strict";

const reasons = document.getElementById("why-panel");
if (reasons) {
  const why = JSON.parse(document.getElementById("why-data").textContent);
  const aspect = Number(reasons.dataset.aspect);
  const [chart, place, rows, bars] = ["#why-season", "#why-map", ".neighbours tbody", "#why-bars"].map(name => reasons.querySelector(name));
  const period = reasons.querySelector("select");
  const LETTERS = "JFMAMJJASOND";
  let site = null;

  const drawn = (name, attributes, text) => {
    const element = document.createElementNS(chart.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const written = (name, kind, text) => Object.assign(document.createElement(name), {className: kind, textContent: text});
  const short = value => String(Number(value.toPrecision(3))).replace("-", "−");
  const titled = (element, text) => { element.append(drawn("title", {}, text)); return element; };

  // --- neighbours: lines from the site, dots whose area grows with the weight
  function drawMap() {
    const group = place.querySelector("g"), [x, y] = [site.at[0], -site.at[1] * aspect];
    group.replaceChildren();
    const xs = [x], ys = [y];
    why.roles.forEach((role, number) => {
      const shown = site.shown[role] ?? [], most = Math.max(...shown.map(entry => entry[2]), 1e-9);
      for (const [neighbour, kind, weight, km] of shown) {
        const [name, lon, lat] = why.places[neighbour], [to, down] = [lon, -lat * aspect];
        xs.push(to);
        ys.push(down);
        const share = Math.sqrt(weight / most);
        const link = drawn("g", {class: `neighbour role-${number}`});
        link.append(drawn("path", {class: "link", d: `M${x} ${y}L${to} ${down}`, "stroke-width": 0.5 + 2 * share}));
        link.append(drawn("path", {class: "dot", d: `M${to} ${down}h.001`, "stroke-width": 5 + 11 * share}));
        group.append(titled(link, `${name}: ${role} role, ${why.kinds[kind]}, weight ${short(weight)}, ${km.toLocaleString("en")} km`));
      }
    });
    group.append(titled(drawn("path", {class: "here", d: `M${x} ${y}h.001`}), "the site"));
    const [west, east, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const width = Math.max(1.15 * (east - west), 12), height = Math.max(1.15 * (bottom - top), 0.5 * width);
    place.setAttribute("viewBox", `${(west + east - width) / 2} ${(top + bottom - height) / 2} ${width} ${height}`);
  }

  function fillTable() {
    const cells = [];
    for (const role of why.roles) {
      for (const [neighbour, kind, weight, km] of site.shown[role] ?? []) cells.push([why.places[neighbour][0], role, why.kinds[kind], weight, km]);
    }
    cells.sort((a, b) => b[3] - a[3]);
    rows.replaceChildren(...cells.map(([name, role, kind, weight, km]) => {
      const row = document.createElement("tr");
      row.append(...[name, role, kind].map(text => written("td", "text", text)));
      row.append(written("td", "", weight.toFixed(3)), written("td", "", km.toLocaleString("en")));
      return row;
    }));
  }

  // --- seasons: the weights of a role's neighbours share out each month that they know
  function seasonOf(role) {
    return Array.from({length: 12}, (_, month) => {
      let [sum, total] = [0, 0];
      for (const [neighbour, , weight] of site.shown[role] ?? []) {
        const flux = why.places[neighbour][3]?.[month] ?? null;
        if (flux !== null) { sum += weight * flux; total += weight; }
      }
      return total > 0 ? sum / total : null;
    });
  }

  function drawSeason() {
    const lines = [["observed", site.observed], ["predicted", site.predicted], ...why.roles.map((role, number) => [`role-${number}`, seasonOf(role)])];
    const known = lines.flatMap(([, values]) => values).filter(value => value !== null);
    chart.replaceChildren();
    if (!known.length) { chart.append(drawn("text", {x: 160, y: 90, "text-anchor": "middle"}, "no month with enough scored days")); return; }
    const low = Math.min(...known, 0), high = Math.max(...known, 0), span = high - low || 1;
    const x = month => 40 + 25 * month, y = value => 150 - 140 * (value - low) / span;
    const power = 10 ** Math.floor(Math.log10(span / 3)), step = [1, 2, 5, 10].map(factor => factor * power).find(size => span / size <= 4);
    for (let tick = Math.ceil(low / step); tick * step <= high; tick++) {
      chart.append(drawn("line", {class: tick ? "grid" : "ideal", x1: 34, x2: 322, y1: y(tick * step), y2: y(tick * step)}));
      chart.append(drawn("text", {x: 30, y: y(tick * step) + 4, "text-anchor": "end"}, short(tick * step)));
    }
    [...LETTERS].forEach((letter, month) => chart.append(drawn("text", {x: x(month), y: 170, "text-anchor": "middle"}, letter)));
    for (const [kind, values] of lines) {
      let path = "";
      values.forEach((value, month) => { if (value !== null) path += `${month && values[month - 1] !== null ? "L" : "M"}${x(month)} ${y(value).toFixed(1)}`; });
      if (path && kind !== "observed") chart.append(drawn("path", {class: `season ${kind}`, d: path}));
      values.forEach((value, month) => { if (value !== null) chart.append(titled(drawn("circle", {class: `mean ${kind}`, cx: x(month), cy: y(value).toFixed(1), r: kind === "observed" ? 4 : 2.5}), short(value))); });
    }
  }

  // --- what moved the answer: mean change by level, over the days of the chosen period
  function drawBars() {
    bars.replaceChildren();
    const chosen = period.value === "" ? [...Array(12).keys()] : [Number(period.value)];
    const days = site.moved ? chosen.reduce((sum, month) => sum + site.moved.days[month], 0) : 0;
    if (!days) { bars.append(written("p", "fact", site.moved ? "no predicted day in this period" : "no level was hidden at this site")); return; }
    const mean = values => chosen.reduce((sum, month) => sum + values[month] * site.moved.days[month], 0) / days;
    const levels = why.levels.map((name, level) => [name, mean(site.moved.size[level]), mean(site.moved.shift[level])]).sort((a, b) => b[1] - a[1]);
    const longest = levels[0][1] || 1;
    for (const [name, size, shift] of levels) {
      const bar = drawn("svg", {height: 24});
      bar.append(titled(drawn("rect", {class: shift < 0 ? "part-1" : "part-0", width: `${(100 * size / longest).toFixed(2)}%`, y: 4, height: 16}), `${name}: mean change ${short(size)}, mean shift ${short(shift)}`));
      bars.append(written("span", "name", name), bar, written("span", "number", `${short(size)} (${shift > 0 ? "+" : ""}${short(shift)})`));
    }
  }

  document.addEventListener("choose-site", event => {
    site = why.sites[event.detail];
    reasons.querySelector("#why-site").textContent = document.querySelector("#series-panel select").options[event.detail].text;
    if (place) { drawMap(); fillTable(); }
    drawSeason();
    if (bars) drawBars();
  });
  period?.addEventListener("change", drawBars);
}
