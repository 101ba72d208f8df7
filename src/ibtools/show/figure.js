(function () {
  "use strict";
  if (window.ibFigures) return window.ibFigures();
  var calm = matchMedia("(prefers-reduced-motion: reduce)");
  function list(root, selector) {
    return Array.prototype.slice.call(root.querySelectorAll(selector));
  }
  function unique(figure) {
    // The same figure twice on a page: give the later one ids of its own.
    var name = figure.dataset.ib, other = name, id = figure.id, k = 1;
    if (document.getElementById(id) === figure) return;
    while (document.querySelector("[data-ib=" + other + "]")) other = name + "x" + ++k;
    figure.dataset.ib = other;
    figure.id = id === name ? other : id + "x" + k;
    figure.innerHTML = figure.innerHTML.split(name).join(other);
  }
  function start(figure) {
    if (figure.dataset.ibReady) return;
    unique(figure);
    var store = figure.querySelector("script[type='application/json']");
    var picture = figure.querySelector(".ib-picture");
    var controls = figure.querySelector(".ib-controls");
    if (!store || !picture || !controls) return;
    figure.dataset.ibReady = "yes";
    var data = JSON.parse(store.textContent);
    var live = figure.querySelector(".ib-live");
    var rows = list(controls, ".ib-control");
    var sliders = rows.map(function (row) { return row.querySelector("input[type=range]"); });
    var shown = index(data.start);
    var timer = 0, playing = 0, stop = null;
    function index(at) {
      return at.reduce(function (sum, k, i) { return sum * data.texts[i].length + k; }, 0);
    }
    function places(frame) {
      return data.texts.map(function (texts, i) {
        var after = data.texts.slice(i + 1).reduce(function (n, t) { return n * t.length; }, 1);
        return Math.floor(frame / after) % texts.length;
      });
    }
    function now() {
      return rows.map(function (row, i) {
        return Number((sliders[i] || row.querySelector("input:checked")).value);
      });
    }
    function words(at) {
      return at.map(function (k, i) { return data.before[i] + data.texts[i][k]; }).join(", ");
    }
    function drawn(frame) {
      return data.frames[frame].map(function (k) { return data.chunks[k]; }).join("");
    }
    function show() {
      var at = now(), frame = index(at);
      at.forEach(function (k, i) {
        if (!sliders[i]) return;
        sliders[i].setAttribute("aria-valuetext", data.spoken[i][k]);
        rows[i].querySelector("output").textContent = data.texts[i][k];
      });
      var setting = figure.querySelector(".ib-setting");  // stands after this script
      if (setting) setting.textContent = words(at);
      if (frame === shown) return;
      shown = frame;
      picture.innerHTML = drawn(frame);
      clearTimeout(timer);
      if (!stop) timer = setTimeout(function () {
        live.textContent = picture.firstElementChild.getAttribute("aria-label");
      }, 700);
    }
    function set(at) {
      at.forEach(function (k, i) {
        if (sliders[i]) sliders[i].value = k;
        else rows[i].querySelectorAll("input")[k].checked = true;
      });
      show();
    }
    function halt() { if (stop) stop(); }
    function address(hash) {
      try { history.replaceState(history.state, "", hash); } catch (e) { /* not in this frame */ }
    }
    list(controls, "input").forEach(function (input) {
      ["input", "change"].forEach(function (kind) {
        input.addEventListener(kind, function () { halt(); show(); });
      });
    });
    list(controls, ".ib-play").forEach(function (button) {
      var slider = button.parentNode.querySelector("input"), last = Number(slider.max);
      var label = button.getAttribute("aria-label");
      function step() {
        var k = Number(slider.value);
        slider.value = k < last ? k + 1 : 0;
        show();
      }
      function name() {
        if (!stop) button.setAttribute(
          "aria-label", calm.matches ? label.replace("Play", "Next step") : label);
      }
      name();
      button.addEventListener("focus", name);
      button.addEventListener("click", function () {
        if (button.classList.contains("ib-on")) return halt();
        halt();
        if (calm.matches) return step();
        if (Number(slider.value) === last) slider.value = 0, show();
        button.classList.add("ib-on");
        button.setAttribute("aria-label", label.replace("Play", "Stop"));
        stop = function () {
          clearInterval(playing);
          stop = null;
          button.classList.remove("ib-on");
          name();
        };
        playing = setInterval(function () {
          step();
          if (Number(slider.value) === last) { halt(); shown = -1; show(); }
        }, Math.max(180, Math.min(700, 6000 / last)));
      });
    });
    var bar = figure.querySelector(".ib-bar");
    list(bar, ".ib-presets button").forEach(function (button, k) {
      button.addEventListener("click", function () { halt(); set(data.presets[k]); });
    });
    bar.querySelector(".ib-reset").addEventListener("click", function () {
      halt();
      set(data.start);
      // The address says a setting that is shown, or none.
      if (location.hash.indexOf("#" + figure.id + "&") === 0) address("#" + figure.id);
    });
    var link = bar.querySelector(".ib-link");
    if (link) link.addEventListener("click", function () {
      var hash = "#" + figure.id + now().map(function (k, i) {
        return "&" + encodeURIComponent(rows[i].dataset.name) + "=" +
          encodeURIComponent(data.keys[i][k]);
      }).join("");
      var whole = location.href.split("#")[0] + hash;
      address(hash);
      function tell(what) {
        link.textContent = live.textContent = what;
        setTimeout(function () { link.textContent = "Copy link"; }, 2500);
      }
      var copied = navigator.clipboard
        ? navigator.clipboard.writeText(whole) : Promise.reject();
      copied.then(function () { tell("Link copied"); }, function () {
        var field = document.createElement("textarea");
        field.value = whole;
        figure.appendChild(field);
        field.select();
        var done = false;
        try { done = document.execCommand("copy"); } catch (e) { /* told below */ }
        field.remove();
        link.focus();
        tell(done ? "Link copied" : "Link in address bar");
      });
    });
    figure.ibOpen = function (pairs) {
      var at = now();
      rows.forEach(function (row, i) {
        var key = pairs[row.dataset.name];
        data.keys[i].forEach(function (other, k) {
          var same = other === key || (sliders[i] && key !== undefined && key !== "" &&
            Math.abs(other - key) <= 1e-6 * Math.abs(key));
          if (same) at[i] = k;
        });
      });
      halt();
      set(at);
    };
    figure.ibPaper = function () {
      var pictures = [shown].concat(data.paper).filter(function (frame, i, all) {
        return all.indexOf(frame) === i;
      }).slice(0, 3);
      var sheet = document.createElement("div");
      sheet.className = "ib-paper";
      pictures.forEach(function (frame, i) {
        var at = places(frame), name = figure.dataset.ib;
        var part = document.createElement("div"), below = document.createElement("p");
        part.innerHTML = drawn(frame).split(name + "-").join(name + "p" + i + "-");
        below.textContent = words(at);
        part.appendChild(below);
        sheet.appendChild(part);
      });
      figure.insertBefore(sheet, picture);
      figure.classList.add("ib-printed");
      return function () {
        sheet.remove();
        figure.classList.remove("ib-printed");
      };
    };
    bar.hidden = controls.hidden = false;
    var note = figure.querySelector(".ib-note");
    if (note) note.remove();
    show();
  }
  function all() {
    list(document, ".ib-figure").forEach(start);
  }
  var opened = null;
  function open() {
    // #fig-name&parameter=value: a figure in a state that someone sent.
    var parts = location.hash.slice(1).split("&").map(function (part) {
      try { return decodeURIComponent(part); } catch (e) { return part; }
    });
    var figure = parts.length > 1 && document.getElementById(parts[0]), pairs = {};
    if (!figure || !figure.ibOpen) return;
    parts.slice(1).forEach(function (part) {
      var at = part.indexOf("=");
      pairs[part.slice(0, at)] = part.slice(at + 1);
    });
    if (opened !== location.hash) figure.ibOpen(pairs);
    opened = location.hash;
    figure.scrollIntoView({behavior: "instant", block: "start"});
  }
  var undo = null;
  function paper() {
    if (undo) return;
    undo = list(document, ".ib-figure").filter(function (figure) { return figure.ibPaper; })
      .map(function (figure) { return figure.ibPaper(); });
  }
  function screen() {
    if (undo) undo.forEach(function (back) { back(); });
    undo = null;
  }
  window.ibFigures = all;
  all();
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", function () {
    all();
    open();
  });
  else open();
  addEventListener("hashchange", function () { opened = null; open(); });
  addEventListener("load", open);
  addEventListener("beforeprint", paper);
  addEventListener("afterprint", screen);
  matchMedia("print").addEventListener("change", function (e) { (e.matches ? paper : screen)(); });
})();
