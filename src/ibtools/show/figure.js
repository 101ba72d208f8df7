(function () {
  "use strict";
  function unique(figure) {
    // The same figure twice on a page: give the later one ids of its own.
    var name = figure.id, other = name, k = 1;
    if (document.getElementById(name) === figure) return;
    while (document.getElementById(other)) other = name + "x" + ++k;
    figure.id = other;
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
    var inputs = Array.prototype.slice.call(controls.querySelectorAll("input"));
    var shown = data.start;
    var timer = 0;
    function show() {
      var at = 0;
      inputs.forEach(function (input, i) {
        var k = Number(input.value);
        input.setAttribute("aria-valuetext", data.spoken[i][k]);
        controls.querySelectorAll("output")[i].textContent = data.texts[i][k];
        at = at * data.texts[i].length + k;
      });
      if (at === shown) return;
      shown = at;
      picture.innerHTML = data.frames[at].map(function (k) { return data.chunks[k]; }).join("");
      clearTimeout(timer);
      timer = setTimeout(function () {
        live.textContent = picture.firstElementChild.getAttribute("aria-label");
      }, 700);
    }
    inputs.forEach(function (input) {
      input.addEventListener("input", show);
      input.addEventListener("change", show);
    });
    var presets = figure.querySelector(".ib-presets");
    if (presets) {
      presets.querySelectorAll("button").forEach(function (button, k) {
        button.addEventListener("click", function () {
          inputs.forEach(function (input, i) { input.value = data.presets[k][i]; });
          show();
        });
      });
      presets.hidden = false;
    }
    controls.hidden = false;
    var note = figure.querySelector(".ib-note");
    if (note) note.remove();
    show();
  }
  function all() {
    document.querySelectorAll(".ib-figure").forEach(start);
  }
  all();
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
})();
