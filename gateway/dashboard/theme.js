// Before the first paint: the theme that was chosen, so that nothing flashes. Not a module, so it blocks.
(() => {
  try {
    const theme = localStorage.getItem("rekindle.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // a browser that forbids storage follows the system
  }
})();
