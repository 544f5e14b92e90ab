// The series of one site on a canvas. series.py packs what is unpacked here and says how.
"use strict";

const panel = document.getElementById("series-panel");
if (panel) {
  const packed = JSON.parse(document.getElementById("series-data").textContent);
  const canvas = panel.querySelector("canvas"), pen = canvas.getContext("2d");
  const select = panel.querySelector("select");
  const [PREDICTED, OBSERVED] = [0, 1], BAND = packed.columns.indexOf("lower");
  const FIRST_BASELINE = packed.columns.length - packed.baselines;
  const SCORED = 1, FILLED = 2;  // bits of a day's flag
  const MARGIN = {left: 46, right: 8, top: 8, bottom: 22}, SHORTEST = 7, MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

  let site = null;        // {start, days, values: [Float32Array], flags: Uint8Array}
  let view = [0, 1];      // first and last day drawn, days since 1970-01-01
  let drag = null;        // [x, x] in pixels while a stretch is marked
  let hover = null;       // day under the pointer
  const shown = new Set();  // columns of baselines that are drawn

  const iso = day => new Date(day * 864e5).toISOString().slice(0, 10);
  const colour = name => getComputedStyle(panel).getPropertyValue(`--${name}`).trim();

  async function unpack({start, days, low, step, data}) {
    const compressed = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
    const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer()), plane = days * low.length;
    const values = low.map((lowest, column) => Float32Array.from({length: days}, (_, day) => {
      const at = column * days + day, code = bytes[at] * 256 + bytes[plane + at];
      return code ? lowest + (code - 1) * step[column] : NaN;
    }));
    return {start, days, values, flags: bytes.subarray(2 * plane)};
  }

  async function choose(wanted) {
    select.value = wanted;
    const found = await unpack(packed.sites[wanted]);
    if (select.value !== String(wanted)) return;  // another was chosen meanwhile
    site = found;
    hover = null;
    panel.querySelector("#site-fact").textContent = packed.sites[wanted].fact;
    look(site.start, site.start + site.days - 1);
  }

  // --- which days are seen
  function look(from, to) {
    const [first, last] = [site.start, site.start + site.days - 1];
    const span = Math.min(Math.max(to - from, SHORTEST), Math.max(last - first, SHORTEST));
    from = Math.max(first, Math.min((from + to - span) / 2, last - span));
    view = [from, from + span];
    panel.querySelector("#series-range").textContent = `${iso(Math.round(from))} to ${iso(Math.round(from + span))}`;
    draw();
  }
  const zoom = (factor, at = (view[0] + view[1]) / 2) => look(at - (at - view[0]) * factor, at + (view[1] - at) * factor);
  const move = share => { const by = share * (view[1] - view[0]); look(view[0] + by, view[1] + by); };
  const actions = {
    in: () => zoom(0.5), out: () => zoom(2), earlier: () => move(-0.5), later: () => move(0.5),
    all: () => look(site.start, site.start + site.days - 1),
  };

  // --- pixels
  const width = () => canvas.clientWidth - MARGIN.left - MARGIN.right;
  const xOf = day => MARGIN.left + (day - view[0]) / (view[1] - view[0]) * width();
  const dayOf = x => view[0] + (x - MARGIN.left) / width() * (view[1] - view[0]);
  const drawnColumns = () => [PREDICTED, OBSERVED, ...(BAND < 0 ? [] : [BAND, BAND + 1]), ...shown];

  function draw() {
    if (!site) return;
    const ratio = window.devicePixelRatio || 1, height = canvas.clientHeight;
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = height * ratio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.font = "12px system-ui, sans-serif";
    const from = Math.max(0, Math.floor(view[0]) - site.start - 1);
    const to = Math.min(site.days - 1, Math.ceil(view[1]) - site.start + 1);
    const [low, high] = range(from, to);
    const yOf = value => MARGIN.top + (high - value) / (high - low) * (height - MARGIN.top - MARGIN.bottom);
    axes(low, high, yOf, height);
    pen.save();
    pen.beginPath();
    pen.rect(MARGIN.left, 0, width(), height - MARGIN.bottom);
    pen.clip();
    if (BAND >= 0) band(from, to, yOf);
    for (const column of shown) {
      const place = column - FIRST_BASELINE;
      line(column, from, to, yOf, colour(`line-${place % 6}`), place < 6 ? [] : [5, 3]);
    }
    line(PREDICTED, from, to, yOf, colour("predicted"), []);
    dots(from, to, yOf);
    if (hover !== null) mark(xOf(hover), xOf(hover) + 1, height, colour("soft"), 0.8);
    if (drag) mark(Math.min(...drag), Math.max(...drag), height, colour("accent"), 0.2);
    pen.restore();
    read();
  }

  function range(from, to) {
    let low = Infinity, high = -Infinity;
    for (const column of drawnColumns()) {
      for (let day = from; day <= to; day++) {
        const value = site.values[column][day];
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    if (low > high) return [0, 1];
    const pad = 0.04 * (high - low) || 1;
    return [low - pad, high + pad];
  }

  function axes(low, high, yOf, height) {
    pen.lineWidth = 1;
    pen.fillStyle = colour("soft");
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    const power = 10 ** Math.floor(Math.log10((high - low) / 5));
    const step = [1, 2, 5, 10].map(factor => factor * power).find(size => (high - low) / size <= 6);
    for (let tick = Math.ceil(low / step); tick * step <= high; tick++) {
      const y = Math.round(yOf(tick * step)) + 0.5;
      pen.strokeStyle = tick ? colour("line") : colour("soft");
      stroke([[MARGIN.left, y], [canvas.clientWidth - MARGIN.right, y]]);
      pen.fillText(String(Number((tick * step).toPrecision(6))).replace("-", "−"), MARGIN.left - 6, y);
    }
    pen.strokeStyle = colour("line");
    pen.textAlign = "center";
    pen.textBaseline = "bottom";
    for (const [day, text] of dates(Math.max(2, Math.floor(width() / 78)))) {
      stroke([[xOf(day), MARGIN.top], [xOf(day), height - MARGIN.bottom]]);
      const half = pen.measureText(text).width / 2;  // a label at the edge stays whole
      pen.fillText(text, Math.min(Math.max(xOf(day), half), canvas.clientWidth - half), height - 2);
    }
  }

  // Days worth a label, at most ``most``: firsts of years or months where the stretch is long, else every few days.
  function dates(most) {
    const span = view[1] - view[0], ticks = [];
    const months = [1, 2, 3, 6, 12, 24, 60, 120, 240].find(count => span / 30.44 / count <= most) ?? 480;
    const every = [1, 2, 5, 10].find(count => span / count <= most);
    if (every) {
      for (let day = Math.ceil(view[0] / every) * every; day <= view[1]; day += every) {
        const date = new Date(day * 864e5);
        ticks.push([day, `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${ticks.length ? "" : date.getUTCFullYear()}`]);
      }
      return ticks;
    }
    const first = new Date(view[0] * 864e5);
    for (let month = Math.floor((first.getUTCFullYear() * 12 + first.getUTCMonth()) / months) * months; ; month += months) {
      const day = Date.UTC(Math.floor(month / 12), month % 12) / 864e5;
      if (day > view[1]) return ticks;
      const year = Math.floor(month / 12), name = MONTHS[month % 12];
      if (day >= view[0]) ticks.push([day, months >= 12 ? String(year) : month % 12 && ticks.length ? name : `${name} ${year}`]);
    }
  }

  function stroke(points) {
    pen.beginPath();
    points.forEach(([x, y], place) => place ? pen.lineTo(x, y) : pen.moveTo(x, y));
    pen.stroke();
  }

  function line(column, from, to, yOf, ink, dashes) {
    pen.strokeStyle = ink;
    pen.lineWidth = view[1] - view[0] > width() ? 1 : 1.5;
    pen.setLineDash(dashes);
    pen.beginPath();
    let down = false;
    for (let day = from; day <= to; day++) {
      const value = site.values[column][day];
      if (Number.isNaN(value)) { down = false; continue; }
      const [x, y] = [xOf(site.start + day), yOf(value)];
      if (down) pen.lineTo(x, y); else pen.moveTo(x, y);
      down = true;
    }
    pen.stroke();
    pen.setLineDash([]);
  }

  function band(from, to, yOf) {
    const [lower, upper] = [site.values[BAND], site.values[BAND + 1]];
    const half = Math.max(0.5, width() / (view[1] - view[0]) / 2);
    pen.fillStyle = colour("predicted");
    pen.globalAlpha = 0.22;
    pen.beginPath();
    for (let day = from; day <= to; day++) {
      if (Number.isNaN(lower[day] + upper[day])) continue;
      const x = xOf(site.start + day);
      pen.rect(x - half, yOf(upper[day]), 2 * half, yOf(lower[day]) - yOf(upper[day]));
    }
    pen.fill();
    pen.globalAlpha = 1;
  }

  function dots(from, to, yOf) {
    const size = Math.min(Math.max(width() / (view[1] - view[0]) / 2.5, 1.2), 3.5);
    const kinds = [["other", flag => !(flag & (SCORED | FILLED))], ["filled", flag => (flag & FILLED) && !(flag & SCORED)], ["observed", flag => flag & SCORED]];
    for (const [kind, holds] of kinds) {
      pen.fillStyle = pen.strokeStyle = colour(kind);
      pen.lineWidth = 1;
      for (let day = from; day <= to; day++) {
        const value = site.values[OBSERVED][day];
        if (Number.isNaN(value) || !holds(site.flags[day])) continue;
        pen.beginPath();
        pen.arc(xOf(site.start + day), yOf(value), kind === "other" ? 0.7 * size : size, 0, 7);
        if (kind === "filled" && size > 2) pen.stroke(); else pen.fill();
      }
    }
  }

  function mark(left, right, height, ink, strength) {
    pen.fillStyle = ink;
    pen.globalAlpha = strength;
    pen.fillRect(left, 0, right - left, height);
    pen.globalAlpha = 1;
  }

  function read() {
    const line = panel.querySelector("#series-day"), day = hover === null ? -1 : Math.round(hover) - site.start;
    if (!(day in site.flags)) { line.textContent = line.dataset.hint; return; }
    const show = column => { const value = site.values[column][day]; return Number.isNaN(value) ? "–" : String(Number(value.toPrecision(3))).replace("-", "−"); };
    const kind = site.flags[day] & SCORED ? "" : site.flags[day] & FILLED ? " (partly filled)" : " (not scored)";
    const parts = [`observed ${show(OBSERVED)}${show(OBSERVED) === "–" ? "" : kind}`, `predicted ${show(PREDICTED)}`];
    if (BAND >= 0) parts.push(`interval ${show(BAND)} to ${show(BAND + 1)}`);
    for (const column of shown) parts.push(`${packed.columns[column]} ${show(column)}`);
    line.textContent = `${iso(site.start + day)}: ${parts.join(" · ")}`;
  }

  // --- hands
  canvas.addEventListener("pointerdown", event => {
    if (event.button || !site) return;
    drag = [event.offsetX, event.offsetX];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", event => {
    if (!site) return;
    hover = dayOf(event.offsetX);
    if (drag) drag[1] = Math.min(Math.max(event.offsetX, MARGIN.left), canvas.clientWidth - MARGIN.right);
    draw();
  });
  canvas.addEventListener("pointerup", event => {
    if (!drag) return;
    const days = drag.map(dayOf).sort((a, b) => a - b), far = Math.abs(drag[1] - drag[0]) > 6;
    drag = null;
    hover = dayOf(event.offsetX);
    if (far) look(...days); else draw();
  });
  for (const end of ["pointercancel", "pointerleave"]) canvas.addEventListener(end, () => { drag = hover = null; draw(); });
  canvas.addEventListener("dblclick", actions.all);
  canvas.addEventListener("wheel", event => {
    if (!event.ctrlKey && document.activeElement !== canvas) return;  // the page scrolls until the plot is clicked
    event.preventDefault();
    zoom(event.deltaY < 0 ? 0.8 : 1.25, dayOf(event.offsetX));
  }, {passive: false});
  const keys = {ArrowLeft: "earlier", ArrowRight: "later", "+": "in", "=": "in", "-": "out", "0": "all", Home: "all", Escape: "all"};
  canvas.addEventListener("keydown", event => {
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[keys[event.key]]();
  });
  for (const button of panel.querySelectorAll("button[data-do]")) button.addEventListener("click", () => actions[button.dataset.do]());
  for (const button of panel.querySelectorAll("button[data-site]")) {
    button.addEventListener("click", () => document.dispatchEvent(new CustomEvent("choose-site", {detail: Number(button.dataset.site)})));
  }
  for (const box of panel.querySelectorAll("input[data-baseline]")) {
    box.addEventListener("change", () => {
      shown[box.checked ? "add" : "delete"](FIRST_BASELINE + Number(box.dataset.baseline));
      draw();
    });
  }
  select.addEventListener("change", () => document.dispatchEvent(new CustomEvent("choose-site", {detail: Number(select.value)})));
  document.addEventListener("choose-site", event => choose(event.detail));
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.dispatchEvent(new CustomEvent("choose-site", {detail: Number(select.value)}));
}
