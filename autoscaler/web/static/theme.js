// Before anything is painted: the theme that was chosen here, else the system's. A choice of looks may outlive the tab.
"use strict";
(() => {
  const root = document.documentElement;
  const names = ["system", "light", "dark"], signs = { system: "◐", light: "☀", dark: "☾" };
  let chosen = "system";
  try { chosen = localStorage.getItem("theme") || chosen; } catch { /* without storage: the system's */ }
  const show = () => {
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
    else delete root.dataset.theme;
  };
  show();
  root.classList.add("scripted");
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    const tell = () => {
      button.textContent = signs[chosen] || signs.system;
      button.title = `Theme: ${chosen}`;
      button.setAttribute("aria-label", button.title);
    };
    button.hidden = false;
    tell();
    button.addEventListener("click", () => {
      chosen = names[(names.indexOf(chosen) + 1) % names.length];
      try { localStorage.setItem("theme", chosen); } catch { /* for this page only */ }
      show();
      tell();
    });
  });
})();
