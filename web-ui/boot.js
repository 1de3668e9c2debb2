// Sets the theme before the first paint, then loads the console. A file of its own, because the CSP allows no inline script.
"use strict";
try {
  const theme = localStorage.getItem("fieldgate-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; then the system's theme it is.
}
document.addEventListener("DOMContentLoaded", () => {
  import("/ui/web_ui.js")
    .then((module) => module.default({ module_or_path: "/ui/web_ui_bg.wasm" }))
    .then(() => document.getElementById("boot")?.remove())
    .catch((error) => {
      const boot = document.getElementById("boot");
      if (boot) boot.textContent = "The console could not be loaded: " + error + ". Reload the page, or use a newer browser.";
    });
});
