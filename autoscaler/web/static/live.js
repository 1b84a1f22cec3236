// After each tick of the daemon the page fetches itself again and takes over what changed in elements marked data-live.
// Nothing is replaced that stayed the same: focus, selection, open details and scroll are kept.
"use strict";
(() => {
  const QUIET_MS = 15000;
  const pulse = document.getElementById("pulse");
  const word = document.getElementById("pulse-word");
  const told = document.getElementById("told");
  if (!pulse || !word || !told) return;
  let tick = Number(document.body.dataset.at) || 0, last = null;
  let heardAt = Date.now(), fetching = false, again = false, source = null;

  const clock = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  const say = (state, words) => {
    if (pulse.dataset.state !== state && (state === "stale" || pulse.dataset.state === "stale")) told.textContent = words;
    pulse.dataset.state = state;
    if (word.textContent !== words) word.textContent = words;
  };

  // What the browser or a script of ours set on an element is not the server's to take away.
  const OWN = new Set(["open", "hidden"]);
  const key = (node) => (node.nodeType === 1 && node.id) || null;
  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && key(a) === key(b);
  // A chart's script keeps what it read: one that changed is put anew, and found by that script.
  const figures = (chart) => chart.querySelector("template")?.content.textContent;
  const redraw = (old, fresh) => {
    if (figures(old) === figures(fresh)) return;
    const had = old.contains(document.activeElement), put = document.importNode(fresh, true);
    const wide = old.querySelector(".wide"), at = wide ? wide.scrollLeft : 0;
    old.replaceWith(put);
    if (wide) put.querySelector(".wide").scrollLeft = at;
    if (had) put.querySelector("[tabindex]")?.focus({ preventScroll: true });
  };
  const morph = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    if (old.matches && old.matches("figure.chart-of") && fresh.matches("figure.chart-of")) { redraw(old, fresh); return; }
    if (old.nodeType !== 1) { old.nodeValue = fresh.nodeValue; return; }
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !OWN.has(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (!OWN.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    const known = new Map([...old.children].filter(key).map((child) => [key(child), child]));
    let at = old.firstChild;
    for (const next of [...fresh.childNodes]) {
      const kept = key(next) && known.get(key(next));
      if (kept) {
        if (kept !== at) old.insertBefore(kept, at); else at = at.nextSibling;
        morph(kept, next);
      } else if (at && alike(at, next)) {
        const here = at;
        at = at.nextSibling;
        morph(here, next);
      } else old.insertBefore(document.importNode(next, true), at);
    }
    while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
  };

  const take = (text) => {
    const held = document.activeElement;
    const fresh = new DOMParser().parseFromString(text, "text/html");
    // A region that is new or gone changes the page's order of regions: it comes with the content of main.
    const ids = (page) => [...page.querySelectorAll("[data-live]")].map((part) => part.id).join(" ");
    if (ids(document) !== ids(fresh)) morph(document.getElementById("main"), fresh.getElementById("main"));
    for (const part of fresh.querySelectorAll("[data-live]")) {
      const here = document.getElementById(part.id);
      if (here) morph(here, part);
    }
    // What was moved among its neighbours has lost the focus by that.
    if (held !== document.activeElement && held.isConnected) held.focus({ preventScroll: true });
    document.title = fresh.title;
    document.dispatchEvent(new CustomEvent("taken"));
  };

  const stale = () => say("stale", `stale since ${clock(heardAt / 1000)}`);
  const renew = async () => {
    if (fetching) { again = true; return; }
    fetching = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(15000) });
      // What is gone, or cannot be read now, is told in the page that comes instead.
      take(await answer.text());
      heardAt = Date.now();
    } catch { stale(); }
    fetching = false;
    if (again) { again = false; renew(); }
  };

  // The first word of a stream tells what the page has already, unless a tick came in between.
  const heard = (event) => {
    let at = tick;
    try { at = Number(JSON.parse(event.data).tick_at) || at; } catch { return; }
    const known = last === null ? at === tick : event.data === last;
    last = event.data;
    tick = at;
    heardAt = Date.now();
    say("live", at ? `live, ${clock(at)}` : "live");
    if (known) return;
    if (document.hidden) again = true; else renew();
  };

  const listen = () => {
    if (source) source.close();
    source = new EventSource("/api/v1/live");
    source.addEventListener("tick", heard);
    source.addEventListener("error", stale);
    source.addEventListener("open", () => { if (tick) say("live", `live, ${clock(tick)}`); });
  };

  // While nobody looks nothing is fetched; whoever comes back sees the newest at once.
  document.addEventListener("visibilitychange", () => { if (!document.hidden && again) { again = false; renew(); } });
  // Where no tick comes, time passes all the same: the page says how long ago the last one was.
  setInterval(() => {
    if (!document.hidden && Date.now() - heardAt > QUIET_MS) renew();
    if (source && source.readyState === EventSource.CLOSED) listen();
  }, 5000);
  if (window.EventSource) listen();
  window.renewPage = renew;

  // Where a chart is wider than the screen its end is now.
  for (const wide of document.querySelectorAll(".chart-of .wide")) wide.scrollLeft = wide.scrollWidth;

  // Finding a pool among many, by its name or by what stands out of it.
  const find = document.getElementById("find"), wanted = document.getElementById("find-pool");
  const sift = () => {
    const text = wanted.value.trim().toLowerCase();
    for (const row of document.querySelectorAll("#pools tbody tr")) row.hidden = !row.textContent.toLowerCase().includes(text);
  };
  if (find) {
    find.hidden = false;
    wanted.addEventListener("input", sift);
    document.addEventListener("taken", () => { if (wanted.value) sift(); });
  }
})();
