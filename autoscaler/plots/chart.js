"use strict";
(() => {
const places = new Map();  // of cursors, by chart: one that is put anew into the page goes on where it was

function start(figure) {
  if (figure.dataset.started) return;
  figure.dataset.started = "yes";
  const facts = JSON.parse(figure.querySelector("template.figures").content.textContent);
  const chart = figure.querySelector(".chart");
  const svg = chart.querySelector("svg");
  const cursor = svg.querySelector(".cursor");
  const readout = chart.querySelector(".readout");
  const lines = [...svg.querySelectorAll(".moment")];
  const left = Number(svg.dataset.left), across = Number(svg.dataset.across);
  const buttons = [...figure.querySelectorAll("[data-toggles]")];
  const pressed = buttons.filter((b) => b.getAttribute("aria-pressed") === "true").map((b) => Number(b.dataset.toggles));
  const shown = new Set(buttons.length ? pressed : facts.owners.keys());
  const isShown = (series) => series.owner === null || shown.has(series.owner);
  const DURATIONS = [0, 1, 10, 60, 600, 3600, 36000, 345600];
  let now = null;

  function duration(seconds) {
    if (seconds <= 0) return "0 s";
    let whole = Math.max(Math.floor(seconds), 1);
    const parts = [];
    for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
      const amount = Math.floor(whole / size);
      whole -= amount * size;
      if (amount) parts.push(`${amount} ${unit}`);
      if (parts.length === 2 || (parts.length && !amount)) break;
    }
    return parts.join(" ");
  }

  function number(value) {
    if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");
    return String(Number(value.toPrecision(3)));
  }

  const instant = (second) => {
    if (facts.begins === null) return duration(second);
    const at = new Date((facts.begins + second) * 1000);
    const month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][at.getUTCMonth()];
    return `${at.getUTCDate()} ${month} ${at.toISOString().slice(11, 19)}`;
  };

  // The moments that share the nearest line, if it is near enough to be meant.
  function happened(second) {
    let nearest = -1;
    facts.moments.forEach((moment, n) => {
      if (nearest < 0 || Math.abs(moment.t - second) < Math.abs(facts.moments[nearest].t - second)) nearest = n;
    });
    if (nearest < 0 || Math.abs(facts.moments[nearest].t - second) > facts.span / 150) nearest = -1;
    lines.forEach((line, n) => line.classList.toggle("near", n === nearest));
    return nearest < 0 ? null : facts.moments[nearest];
  }

  const told = (panel, value) => (value === null ? "–" : panel.scale === "duration" ? duration(value) : number(value));
  const lift = (panel, value) => (panel.scale === "duration" ? Math.log1p(Math.max(value, 0)) : value);

  // Of two points of a span the later one stands until the next: what was, at that instant.
  function valueAt(series, second) {
    const t = facts.times[series.t];
    if (!t.length || second < 0 || second > facts.span) return null;
    if (second < t[0]) return null;
    let low = 0, high = t.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (t[middle] <= second) low = middle; else high = middle - 1;
    }
    const next = Math.min(low + 1, t.length - 1);
    return Math.abs(t[next] - second) < Math.abs(t[low] - second) ? series.v[next] : series.v[low];
  }

  function cell(row, kind, text, owner) {
    const made = row.insertCell();
    const real = kind === "td" ? made : document.createElement("th");
    if (kind === "th") made.replaceWith(real);
    real.textContent = text;
    if (owner !== undefined && owner !== null) real.className = `number owner-${owner % 10}`;
  }

  function show(second, x) {
    now = Math.min(Math.max(second, 0), facts.span);
    places.set(figure.id, (facts.begins || 0) + now);
    const place = left + (now / facts.span) * across;
    cursor.setAttribute("x1", place);
    cursor.setAttribute("x2", place);
    cursor.style.visibility = "visible";
    const owners = [...shown].sort((a, b) => a - b);
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    cell(head, "th", instant(now));
    owners.forEach((owner) => cell(head, "th", facts.owners[owner], owner));
    const body = table.createTBody();
    const spoken = [instant(now)];
    for (const panel of facts.panels) {
      const names = [...new Set(panel.series.filter(isShown).map((series) => series.name))];
      names.forEach((name, place) => {
        const row = body.insertRow();
        row.className = place ? "" : "first";
        cell(row, "th", name);
        for (const owner of owners) {
          const series = panel.series.find((one) => one.name === name && (one.owner === owner || (one.owner === null && owner === owners[0])));
          const text = series ? told(panel, valueAt(series, now)) : "";
          cell(row, "td", text, owner);
          if (series) spoken.push(`${facts.owners[owner]} ${name} ${text}`);
        }
      });
    }
    readout.replaceChildren(table);
    const moment = happened(now);
    if (moment) {
      const words = document.createElement("p");
      words.textContent = `${instant(moment.t)}: ${moment.says || moment.label}`;
      readout.append(words);
      spoken.push(words.textContent);
    }
    readout.style.display = "block";
    const wide = chart.clientWidth, at = (place / svg.viewBox.baseVal.width) * wide;
    readout.style.left = at + 16 + readout.offsetWidth < wide ? `${at + 16}px` : `${Math.max(0, at - 16 - readout.offsetWidth)}px`;
    chart.setAttribute("aria-valuenow", Math.round(now));
    chart.setAttribute("aria-valuetext", spoken.join(", "));
  }

  function hide() {
    now = null;
    places.delete(figure.id);
    lines.forEach((line) => line.classList.remove("near"));
    cursor.style.visibility = "hidden";
    readout.style.display = "none";
  }

  function ticks(panel, top) {
    if (panel.scale === "duration") return DURATIONS.filter((s) => s <= top).map((s) => [s, duration(s)]);
    const least = panel.scale === "count" ? Math.max(top / 4, 1) : top / 4;
    const size = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((n) => n * size).find((s) => s >= least * (1 - 1e-9));
    return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, n) => [n * step, number(Number((n * step).toPrecision(12)))]);
  }

  const NS = "http://www.w3.org/2000/svg";
  function made(tag, attributes, text) {
    const element = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // The paths are drawn for the first height of the axis; for another one they are stretched.
  function rescale() {
    facts.panels.forEach((panel, n) => {
      const box = svg.querySelector(`[data-panel="${n}"]`);
      const drawn = box.querySelector(".drawn"), high = Number(drawn.dataset.height);
      const room = panel.scale === "duration" ? 2.5 : 1.06;
      let top = 0;
      for (const series of panel.series) if (isShown(series)) for (const value of series.v) if (value !== null && value > top) top = value;
      top = Math.max(top * room, (panel.mark || 0) * Math.max(1.25, room)) || 1;
      const factor = lift(panel, Number(box.dataset.top)) / lift(panel, top);
      drawn.setAttribute("transform", `translate(0 ${high * (1 - factor)}) scale(1 ${factor})`);
      const y = (value) => high * (1 - lift(panel, value) / lift(panel, top));
      box.querySelector(".levels").replaceChildren(...ticks(panel, top).flatMap(([value, label]) => [
        made("line", { class: "grid", x1: left, x2: left + across, y1: y(value), y2: y(value) }),
        made("text", { class: "tick", x: left - 7, y: y(value) + 4, "text-anchor": "end" }, label),
      ]));
      const marked = box.querySelector(".marked");
      if (marked) marked.setAttribute("y", y(panel.mark) - 4);
    });
  }

  buttons.forEach((button) => button.addEventListener("click", () => {
    const owner = Number(button.dataset.toggles), on = !shown.has(owner);
    if (on) shown.add(owner); else shown.delete(owner);
    button.setAttribute("aria-pressed", String(on));
    svg.querySelectorAll(`[data-owner="${owner}"]`).forEach((path) => path.setAttribute("display", on ? "inline" : "none"));
    rescale();
    if (now !== null) show(now);
  }));
  chart.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    if (x < left - 4 || x > left + across + 4) hide(); else show(((x - left) / across) * facts.span);
  });
  chart.addEventListener("pointerleave", hide);
  chart.addEventListener("blur", hide);
  chart.addEventListener("keydown", (event) => {
    if (event.shiftKey && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      // From one marked moment to the next.
      const ahead = event.key === "ArrowRight", from = now === null ? (ahead ? -1 : Infinity) : now;
      const times = facts.moments.map((moment) => moment.t);
      const next = ahead ? times.find((t) => t > from + 0.05) : times.findLast((t) => t < from - 0.05);
      event.preventDefault();
      if (next !== undefined) show(next);
      return;
    }
    const step = facts.span / 300;
    const moves = { ArrowRight: step, ArrowUp: step, ArrowLeft: -step, ArrowDown: -step, PageUp: 10 * step, PageDown: -10 * step, Home: -Infinity, End: Infinity };
    if (event.key === "Escape") hide();
    if (!(event.key in moves)) return;
    event.preventDefault();
    show(now === null ? 0 : now + moves[event.key]);
  });
  // A chart that was put anew: the pointer or the keys still stand at that instant.
  const before = places.get(figure.id);
  if (before !== undefined && facts.begins !== null) show(before - facts.begins);
}

const find = (root) => {
  if (root.matches && root.matches("figure.chart-of")) start(root);
  root.querySelectorAll("figure.chart-of").forEach(start);
};
find(document);
new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach((node) => {
  if (node.nodeType === Node.ELEMENT_NODE) find(node);
}))).observe(document.documentElement, { childList: true, subtree: true });
})();
