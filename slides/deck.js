// A deck: reveal.js with what these slides need. Sizes that fit, keys that figures may have, the dark.
(function () {
  "use strict";
  var root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
  var paper = /print-pdf/.test(location.search), BIGGEST = 30, LEAST = 18;

  function theme(name) { root.dataset.theme = name; }
  theme(dark.matches && !paper ? "dark" : "light");
  if (!paper) dark.addEventListener("change", function () { theme(dark.matches ? "dark" : "light"); });

  function list(in_, selector) { return Array.prototype.slice.call(in_.querySelectorAll(selector)); }

  // A slide's letters are as large as lets everything on it be seen.
  function fits(section) {
    var body = section.querySelector(".body"), box = body.getBoundingClientRect();
    var scale = box.width / body.offsetWidth || 1;
    if (body.scrollHeight > body.clientHeight + 1 || body.scrollWidth > body.clientWidth + 1) return false;
    var pictures = list(body, ".ib-picture").every(function (picture) {
      return picture.clientHeight >= 300;
    });
    return pictures && list(body, ".text, .drawn, p:not(.ib-live), li, div.math, .math, .proof, .ib-figure, .ib-controls, .ib-bar").every(function (e) {
      var own = e.getBoundingClientRect(), wide = e.matches("div.math, .text, .drawn, .ib-controls, .ib-bar");
      var set = e.querySelector("mjx-container[display=true]");
      return own.right <= box.right + scale && own.bottom <= box.bottom + scale && own.top >= box.top - scale &&
        !(wide && e.scrollWidth > e.clientWidth + 1) && !(set && set.scrollWidth > set.clientWidth + 1);
    });
  }
  function fitsAt(section, size) {
    section.style.setProperty("--deck-size", size + "px");
    return fits(section);
  }
  function fit(section) {
    var size = parseInt(section.style.getPropertyValue("--deck-size"), 10) || BIGGEST, low = LEAST;
    if (fitsAt(section, size)) return;
    while (size - low > 1) {  // it does not fit at the one, and may at the other
      var middle = Math.ceil((size + low) / 2);
      if (fitsAt(section, middle)) low = middle; else size = middle;
    }
    fitsAt(section, low);
  }
  function fitAll() { list(document, ".slides section").forEach(fit); }

  // Keys. A slider keeps its arrows; what a presenter presses to go on goes on from everywhere.
  var ON = ["PageDown", "PageUp"];
  addEventListener("keydown", function (event) {
    var at = document.activeElement;
    if (!at || !at.closest(".ib-figure")) return;
    if (ON.indexOf(event.key) >= 0 || event.key === "Escape") {
      at.blur();
      if (event.key === "Escape") event.stopImmediatePropagation();
    }
  }, true);
  function notForFigures(event) {
    var at = event.target;
    if (!at || !at.closest || !at.closest(".ib-figure") || ON.indexOf(event.key) >= 0) return true;
    if (at.matches("button")) return event.key !== " " && event.key !== "Enter";
    return !at.matches("[role=slider]") || event.key.indexOf("Arrow") < 0;
  }
  function toTheFigure() {
    var first = Reveal.getCurrentSlide().querySelector(".ib-figure input, .ib-figure [role=slider]");
    if (first) first.focus();
  }

  // On paper slides are laid out once more; what fitted before may not fit then.
  var laidOut = paper ? new Promise(function (done) { Reveal.on("pdf-ready", done); }) : Promise.resolve();
  Reveal.initialize({
    width: 1280, height: 720, margin: 0, center: false, display: "flex", hash: true, controls: false,
    slideNumber: "c/t", transition: "none", backgroundTransition: "none", viewDistance: 1000,
    mobileViewDistance: 1000, pdfSeparateFragments: false, pdfMaxPagesPerSlide: 1,
    keyboardCondition: notForFigures, plugins: [RevealNotes],
  }).then(function () {
    Reveal.addKeyBinding({ keyCode: 77, key: "M", description: "Move the figure: its first slider (Esc: back)" }, toTheFigure);
    Reveal.addKeyBinding({ keyCode: 68, key: "D", description: "Dark or light" }, function () {
      theme(root.dataset.theme === "dark" ? "light" : "dark");
    });
    return laidOut;
  }).then(function () {
    return document.fonts.ready;
  }).then(function () {
    fitAll();
    return document.fonts.ready;  // those of formulas come when there is room for them
  }).then(function () {
    fitAll();
    root.dataset.deck = "ready";
  });
})();
