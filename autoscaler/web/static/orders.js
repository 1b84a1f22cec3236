// Orders: one dialog that says what will happen, asks for the token, and shows the daemon's answer. The token stays in this
// tab's session storage; it is never part of an address.
"use strict";
(() => {
  const dialog = document.getElementById("order");
  if (!dialog || !dialog.showModal) return;
  const part = (name) => document.getElementById(`order-${name}`);
  const stored = {
    get: (name) => { try { return sessionStorage.getItem(name) || ""; } catch { return ""; } },
    set: (name, value) => { try { if (value) sessionStorage.setItem(name, value); else sessionStorage.removeItem(name); } catch { /* for once only */ } },
  };
  let asked = null, opener = null, busy = false;

  const answer = (words, look) => { part("answer").textContent = words; part("answer").className = look; };
  const token = () => part("token").value.trim() || stored.get("token");
  const know = () => {
    part("token-field").hidden = Boolean(stored.get("token"));
    part("forget").hidden = !stored.get("token");
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-order]");
    if (!button) return;
    const { order, target, title, says, command, most, workers } = button.dataset;
    asked = { kind: order, target, force: "force" in button.dataset };
    opener = button.closest("[id]")?.id;
    part("title").textContent = title;
    part("says").textContent = says;
    part("command").textContent = command;
    const hold = order === "hold";
    part("hold").hidden = !hold;
    part("workers").required = part("for").required = hold;
    part("workers").max = most || 100000;
    if (hold) part("workers").value = workers || "";
    part("by").value = stored.get("by");
    part("token").value = "";
    part("give").disabled = false;
    part("give").hidden = false;
    part("give").classList.toggle("grave", button.classList.contains("grave"));
    part("give").textContent = button.firstChild.textContent.trim();
    part("close").textContent = "Cancel";
    answer("", "");
    know();
    dialog.showModal();
    (hold ? part("workers") : stored.get("token") ? part("give") : part("token")).focus();
  });

  const why = (told, status) => {
    const said = told && (told.says || told.detail || told.message || told.error);
    if (Array.isArray(said)) return said.map((each) => each.msg || String(each)).join("; ");
    if (typeof said === "string" && said) return said;
    return `the daemon answered ${status}`;
  };

  const tell = (told) => {
    const state = (told && told.state) || "waiting";
    answer(`${state[0].toUpperCase()}${state.slice(1)}${told && told.says ? `: ${told.says}` : ""}`, { refused: "bad", "carried out": "good" }[state] || "soft");
  };

  // The daemon answers with a tick of its own; whoever waits sees it, and whoever does not finds it on the page Orders.
  const follow = async (number) => {
    for (let tries = 0; number && tries < 40 && dialog.open && asked.number === number; tries += 1) {
      await new Promise((done) => { setTimeout(done, 750); });
      try {
        const got = await fetch("/api/v1/orders?limit=50", { cache: "no-store", signal: AbortSignal.timeout(10000) });
        const order = got.ok && (await got.json()).orders.find((each) => each.number === number);
        if (order && order.state !== "waiting") { if (asked.number === number) tell(order); return; }
      } catch { /* asked again */ }
    }
  };

  const give = async () => {
    const order = { kind: asked.kind, target: asked.target, force: asked.force };
    if (!order.force) delete order.force;
    if (order.kind === "hold") { order.workers = Number(part("workers").value); order.for = part("for").value.trim(); }
    const by = part("by").value.trim();
    if (by) order.by = by;
    const secret = token();
    if (!secret) { answer("The token is needed: it is [web] token in the daemon's configuration.", "bad"); part("token").focus(); return; }
    busy = part("give").disabled = true;
    answer("Giving the order…", "soft");
    try {
      const got = await fetch("/api/v1/orders", {
        method: "POST", credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(60000),
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${secret}` },
        body: JSON.stringify(order),
      });
      let told = null;
      try { told = await got.json(); } catch { /* no document */ }
      if (got.status === 401 || got.status === 403) {
        stored.set("token", "");
        know();
        answer(`Not given: ${why(told, got.status)}`, "bad");
        part("token").focus();
      } else if (!got.ok) answer(`Not given: ${why(told, got.status)}`, "bad");
      else {
        stored.set("token", secret);
        stored.set("by", by);
        asked.number = told && told.order;
        part("give").hidden = true;
        part("close").textContent = "Close";
        part("close").focus();
        know();
        tell(told);
        busy = false;
        await follow(told && told.order);
      }
    } catch {
      answer("No answer came. Whether the order was taken shows on the page Orders.", "bad");
    }
    busy = false;
    if (!part("give").hidden) part("give").disabled = false;
  };

  part("form").addEventListener("submit", (event) => { event.preventDefault(); if (!busy) give(); });
  part("close").addEventListener("click", () => dialog.close());
  part("forget").addEventListener("click", () => { stored.set("token", ""); know(); answer("The token is forgotten.", ""); part("token").focus(); });
  dialog.addEventListener("close", () => {
    part("token").value = "";
    const place = opener && document.getElementById(opener);
    const back = place && [...place.querySelectorAll("button[data-order]")].find((b) => b.dataset.order === asked.kind && b.dataset.target === asked.target);
    if (back) back.focus();
  });
})();
