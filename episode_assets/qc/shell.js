"use strict";
// What every page shares: light or dark by hand, and the section in view named in the navigation.
(() => {
  const root = document.documentElement;
  const button = document.querySelector(".theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const name = () => {
    button.textContent = isDark() ? "\u2600 light" : "\u263e dark";
    button.setAttribute("aria-label", isDark() ? "use light colours" : "use dark colours");
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    name();
  });
  system.addEventListener("change", name);
  button.hidden = false;
  root.classList.add("js");
  name();

  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const inView = new Set();
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      inView[entry.isIntersecting ? "add" : "delete"](entry.target.id);
    }
    const current = [...links.keys()].find((id) => inView.has(id));
    for (const [id, link] of links) {
      if (id === current) {
        link.setAttribute("aria-current", "true");
        const nav = link.parentElement;
        nav.scrollLeft = link.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2;
      } else {
        link.removeAttribute("aria-current");
      }
    }
  }, { rootMargin: "-15% 0px -65% 0px" });
  for (const id of links.keys()) {
    const section = document.getElementById(id);
    if (section) {
      observer.observe(section);
    }
  }
})();
