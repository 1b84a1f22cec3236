// What-if: asks the daemon to replay a pool's past with other settings, waits for the answer, and takes it over as the
// server made it. The token is the one that orders keep in this tab's session storage.
"use strict";
(() => {
  const form = document.getElementById("what-if");
  if (!form) return;
  const API = "/api/v1/what-if";
  const part = (name) => document.getElementById(`what-if-${name}`);
  const stored = {
    get: () => { try { return sessionStorage.getItem("token") || ""; } catch { return ""; } },
    set: (value) => { try { if (value) sessionStorage.setItem("token", value); else sessionStorage.removeItem("token"); } catch { /* for once only */ } },
  };
  let running = "";

  const say = (words, look = "soft") => { part("says").textContent = words; part("says").className = look; };
  const know = () => { part("token-field").hidden = Boolean(stored.get()); };
  const show = (id) => {
    running = id;
    part("stop").hidden = part("progress").hidden = !id;
    part("ask").disabled = Boolean(id);
    form.setAttribute("aria-busy", String(Boolean(id)));
  };
  const call = (path, more = {}) => fetch(API + path, { credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(20000), ...more });
  const bearer = () => ({ Authorization: `Bearer ${part("token").value.trim() || stored.get()}` });

  const why = (told, status) => {
    const said = told && told.detail;
    if (Array.isArray(said)) return said.map((each) => `${each.loc ? `${each.loc.slice(1).join(".")}: ` : ""}${each.msg}`).join("; ");
    return said || `the daemon answered ${status}`;
  };

  const candidate = () => {
    if (part("written").open && part("toml").value.trim()) return part("toml").value;
    const turned = {};
    for (const field of part("knobs").querySelectorAll("input")) {
      const value = field.value.trim();
      if (!value || value === field.dataset.now) continue;
      turned[field.name] = "number" in field.dataset && Number.isFinite(Number(value)) ? Number(value) : value;
    }
    return Object.keys(turned).length ? turned : null;
  };

  const take = async (id) => {
    const address = `${location.pathname}?of=${encodeURIComponent(id)}`;
    const got = await fetch(address, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(20000) });
    const fresh = new DOMParser().parseFromString(await got.text(), "text/html").getElementById("what-if-answer");
    if (!fresh) throw new Error("no answer");
    part("answer").replaceChildren(...[...fresh.childNodes].map((each) => document.importNode(each, true)));
    history.replaceState(null, "", address);
    part("answer").focus({ preventScroll: true });
    part("answer").scrollIntoView({ block: "nearest" });
  };

  const ENDS = { done: "Done. The answer is below.", wrong: "The candidate is no configuration; why, is below.", failed: "It could not be played; why, is below.", stopped: "It was ended." };
  const follow = async (id) => {
    show(id);
    for (let failures = 0; running === id;) {
      try {
        const got = await call(`/${id}`);
        const told = await got.json();
        if (got.status === 404) { say("It was stopped."); break; }
        if (!got.ok) { say(why(told, got.status), "bad"); break; }
        failures = 0;
        if (told.state !== "running") {
          await take(id);
          say(ENDS[told.state] || told.state, told.state === "done" ? "good" : "bad");
          break;
        }
        say(`It runs for ${Math.round(told.took_s)} s …`);
      } catch {
        failures += 1;
        if (failures > 5) { say("No answer came from the daemon.", "bad"); break; }
      }
      await new Promise((done) => { setTimeout(done, 1000); });
    }
    if (running === id) show("");
  };

  const ask = async () => {
    const asked = candidate();
    if (!asked) { say("Nothing is changed yet: turn one of the settings.", "bad"); return; }
    const secret = part("token").value.trim() || stored.get();
    if (!secret) { say("The token is needed: it is [web] token in the daemon's configuration.", "bad"); part("token").focus(); return; }
    part("ask").disabled = true;
    say("Asking …");
    try {
      const got = await call("", {
        method: "POST", headers: { "Content-Type": "application/json", ...bearer() },
        body: JSON.stringify({ pool: form.dataset.pool, since: part("since").value, candidate: asked }),
      });
      let told = null;
      try { told = await got.json(); } catch { /* no document */ }
      if (got.ok) {
        stored.set(secret);
        part("token").value = "";
        know();
        follow(told.id);
        return;
      }
      if (got.status === 401 || got.status === 403) { stored.set(""); know(); part("token").focus(); }
      say(`Not tried: ${why(told, got.status)}`, "bad");
    } catch { say("No answer came from the daemon.", "bad"); }
    part("ask").disabled = false;
  };

  form.addEventListener("submit", (event) => { event.preventDefault(); if (!running) ask(); });
  part("stop").addEventListener("click", () => { call(`/${running}`, { method: "DELETE", headers: bearer() }).catch(() => {}); });
  // Who leaves does not wait for it.
  window.addEventListener("pagehide", () => { if (running) call(`/${running}`, { method: "DELETE", headers: bearer(), keepalive: true }).catch(() => {}); });
  know();
  if (form.dataset.state === "running") follow(form.dataset.of);
})();
