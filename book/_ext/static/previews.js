// A link to a theorem, an equation or the like shows what it leads to, when the mouse rests on it or
// the keyboard reaches it. What lies on other pages is loaded when it is asked for first. And a page
// that is opened from the search shows the words that were looked for.
(function () {
  "use strict";
  const LINKS = "main article a.reference.internal[href*='#']";
  const TARGETS = "div.proof, div.exercise, div.math, figure, div.citation, dt[id^='term-']";
  const WAIT = 250; // milliseconds before it comes, and until it goes
  let elsewhere = null; // previews of what lies on other pages, by the address in the link
  let loading = null;
  let box = null;
  let shownFor = null;
  let timer = 0;

  window.bookPreviews = (found) => {
    elsewhere = found;
  };

  function load() {
    if (!loading) {
      loading = new Promise((done) => {
        const script = document.createElement("script");
        const root = document.documentElement.dataset.content_root;
        script.src = `${root}_previews/${DOCUMENTATION_OPTIONS.pagename}.js`;
        script.onload = script.onerror = done;
        document.head.append(script);
      });
    }
    return loading;
  }

  function here(address) {
    const target = document.getElementById(decodeURIComponent(address.slice(1)));
    if (!target || !target.matches(TARGETS)) return null;
    const shown = target.matches("dt") ? [target, target.nextElementSibling] : [target];
    return shown.map((element) => element?.outerHTML ?? "").join("");
  }

  async function contents(link) {
    const address = link.getAttribute("href");
    if (address.startsWith("#")) return here(address);
    if (!elsewhere) await load();
    return elsewhere?.[address] ?? null;
  }

  function make() {
    box = document.createElement("div");
    box.className = "preview";
    box.setAttribute("role", "tooltip");
    box.id = "preview";
    box.popover = "manual";
    box.addEventListener("pointerenter", () => clearTimeout(timer));
    box.addEventListener("pointerleave", later(hide));
    document.querySelector("main article").append(box);
    // Its formulas are wider once their fonts have come.
    new ResizeObserver(() => shownFor && place(shownFor)).observe(box);
  }

  function later(what, link) {
    return () => {
      clearTimeout(timer);
      timer = setTimeout(what, WAIT, link);
    };
  }

  function hide() {
    clearTimeout(timer);
    if (shownFor) box.hidePopover();
    shownFor?.removeAttribute("aria-describedby");
    shownFor = null;
  }

  async function show(link) {
    clearTimeout(timer);
    if (shownFor === link) return;
    const html = await contents(link);
    if (!html || !(link.matches(":hover") || link === document.activeElement)) return;
    if (!box) make();
    hide();
    box.innerHTML = html;
    for (const element of box.querySelectorAll("[id]")) element.removeAttribute("id");
    for (const inner of box.querySelectorAll("a, [tabindex]")) inner.tabIndex = -1;
    box.querySelectorAll(".headerlink, script, .ib-controls").forEach((e) => e.remove());
    box.showPopover();
    shownFor = link;
    link.setAttribute("aria-describedby", "preview");
    place(link);
  }

  function place(link) {
    const at = link.getClientRects()[0];
    if (!at) return;
    // The room that the preview before it had, and its place.
    for (const side of ["max-height", "left", "top"]) box.style.removeProperty(side);
    const { width, height } = box.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, innerWidth - width - 8));
    const fitsBelow = at.bottom + height + 8 < innerHeight || at.top < innerHeight / 2;
    const room = fitsBelow ? innerHeight - at.bottom - 12 : at.top - 12;
    box.style.maxHeight = `${Math.max(80, room)}px`;
    box.style.left = `${left}px`;
    box.style.top = fitsBelow ? `${at.bottom + 4}px` : `${Math.max(8, at.top - Math.min(height, room) - 4)}px`;
  }

  function watch(link) {
    link.addEventListener("pointerenter", (event) => {
      if (event.pointerType === "mouse") later(show, link)();
    });
    link.addEventListener("pointerleave", later(hide));
    link.addEventListener("focus", () => {
      if (link.matches(":focus-visible")) show(link);
    });
    link.addEventListener("blur", hide);
    link.addEventListener("click", hide);
  }

  if ("popover" in HTMLElement.prototype) {
    for (const link of document.querySelectorAll(LINKS)) {
      watch(link);
      if (link.title) link.removeAttribute("title"); // the browser would show it as well
    }
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && shownFor) {
        hide();
        event.stopPropagation();
      }
    });
    addEventListener("scroll", hide, { passive: true });
    addEventListener("resize", hide);
  }

  // What the search was asked for, where it led to. No element is touched: formulas stay whole.
  const KEY = "book-search-words";

  function found() {
    let words = "";
    try {
      words = localStorage.getItem(KEY) ?? "";
      localStorage.removeItem(KEY);
    } catch {
      return; // a browser that keeps nothing
    }
    if (!words || !CSS.highlights) return;
    const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const place = target?.closest("dl.glossary") ?? target ?? document.querySelector("main article");
    const ranges = [];
    const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (node.parentElement.closest(".math, mjx-container, script, style, svg")) continue;
      const text = fold(node.data);
      if (text.length !== node.data.length) continue;
      for (const word of words.split(" ")) {
        for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, at + word.length);
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
    addEventListener("keydown", (event) => {
      if (event.key === "Escape") CSS.highlights.delete("found");
    });
  }
  found();
})();
