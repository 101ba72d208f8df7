// The frame of the figures that are computed in the page: handles, sliders, buttons, words.
//
// A figure is an object ibtoolsLive.<name>; what it holds is said in CONTRIBUTING.md. Only
// compute(state) does mathematics, and it touches nothing but its argument, so that the tests can
// compare it with the package. This file does what all figures share.
(function (live) {
  "use strict";
  var SIGN = "−", RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

  function raised(power) {
    return (power < 0 ? "⁻" : "") + String(Math.abs(power)).replace(/\d/g, function (d) { return RAISED[d]; });
  }
  function number(value, digits) {
    // With so many digits after the point; where that would show nothing, as a power of ten.
    if (value === Infinity) return "∞";
    var fixed = Math.abs(value).toFixed(digits);
    if (value !== 0 && (Number(fixed) === 0 || Math.abs(value) >= 1e6)) {
      var power = Math.floor(Math.log10(Math.abs(value)) + 1e-12);
      var lead = (Math.abs(value) / Math.pow(10, power)).toFixed(1).replace(/\.0$/, "");
      if (lead === "10") { lead = "1"; power += 1; }
      fixed = (lead === "1" ? "" : lead + "·") + "10" + raised(power);
    }
    return (value < 0 && Number(fixed) !== 0 ? SIGN : "") + fixed;
  }
  function power(value) {
    // 10⁻³, 3.2·10⁻³
    var at = Math.floor(Math.log10(value) + 1e-9);
    var lead = (value / Math.pow(10, at)).toFixed(1).replace(/\.0$/, "");
    if (lead === "10") { lead = "1"; at += 1; }
    if (at >= 0 && at < 3) return number(value, Math.max(0, 1 - at)).replace(/\.0$/, "");
    return (lead === "1" ? "" : lead + "·") + "10" + raised(at);
  }
  function spoken(text) {
    return text.replace(/[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+/g, function (run) {
      return " to the " + run.replace("⁻", "minus ").replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹]/g, function (d) { return RAISED.indexOf(d); });
    }).replace(/·/g, " times ").replace(/−/g, "minus ");
  }

  // A parameter: {label, from, to, start, steps, spacing: "linear" | "geometric", digits, text}.
  function value(parameter, k) {
    var share = k / parameter.steps;
    if (parameter.spacing !== "geometric") {
      return Number((parameter.from + share * (parameter.to - parameter.from)).toPrecision(12));
    }
    return Number((parameter.from * Math.pow(parameter.to / parameter.from, share)).toPrecision(12));
  }
  function place(parameter, at) {
    var share = parameter.spacing === "geometric"
      ? Math.log(at / parameter.from) / Math.log(parameter.to / parameter.from)
      : (at - parameter.from) / (parameter.to - parameter.from);
    return Math.max(0, Math.min(parameter.steps, Math.round(share * parameter.steps)));
  }
  function within(parameter, at) {
    return Math.max(parameter.from, Math.min(parameter.to, at));
  }
  function text(parameter, at) {
    if (parameter.text) return parameter.text(at);
    return parameter.spacing === "geometric" ? power(at) : number(at, parameter.digits === undefined ? 2 : parameter.digits);
  }
  function start(figure) {
    var state = {};
    Object.keys(figure.parameters).forEach(function (name) { state[name] = figure.parameters[name].start; });
    return state;
  }
  function changed(figure, state, patch) {
    // A state with some values set anew, each inside its bounds.
    var next = Object.assign({}, state);
    Object.keys(patch).forEach(function (name) {
      var parameter = figure.parameters[name];
      if (parameter && isFinite(patch[name])) next[name] = within(parameter, patch[name]);
    });
    return figure.mend ? Object.assign(next, figure.mend(next, state)) : next;
  }

  // The state in an address: #plane&x1=0.5&scale=0.01, without what is as at the start.
  function written(name, figure, state, from) {
    var parts = [name];
    Object.keys(figure.parameters).forEach(function (key) {
      if (state[key] !== from[key]) parts.push(key + "=" + Number(state[key].toPrecision(6)));
    });
    return "#" + parts.join("&");
  }
  function read(name, figure, from, hash) {
    var parts = decodeURIComponent(hash.slice(1)).split("&");
    if (parts.shift() !== name) return null;
    var patch = {};
    parts.forEach(function (part) {
      var pair = part.split("=");
      if (pair.length === 2 && pair[1] !== "") patch[pair[0]] = Number(pair[1]);
    });
    return changed(figure, from, patch);
  }

  // Axes in a part of the drawing. Returns scales and a group that is cut at the axes.
  function panel(canvas, options) {
    var d3 = window.d3, box = options.box;
    var x = (options.xType === "log" ? d3.scaleLog() : d3.scaleLinear()).domain(options.x).range([box.left, box.right]);
    var y = (options.yType === "log" ? d3.scaleLog() : d3.scaleLinear()).domain(options.y).range([box.bottom, box.top]);
    var axes = canvas.group.append("g").attr("class", "axes");
    function ticks(scale, type, span) {
      if (type !== "log") return scale.ticks(Math.max(2, Math.round(span / 70)));
      var low = Math.log10(scale.domain()[0]), high = Math.log10(scale.domain()[1]);
      var jump = Math.max(1, Math.ceil(Math.abs(high - low) / Math.max(2, span / 60))), out = [];
      for (var k = Math.ceil(Math.min(low, high) / jump - 1e-9) * jump; k <= Math.max(low, high) + 1e-9; k += jump) out.push(Math.pow(10, k));
      return out;
    }
    function label(scale, type) {
      if (type === "log") return power;
      var format = scale.tickFormat(5);
      return function (v) { return format(v); };
    }
    var xTicks = options.xTicks || ticks(x, options.xType, box.right - box.left);
    var yTicks = options.yTicks || ticks(y, options.yType, box.bottom - box.top);
    if (options.grid !== false) {
      xTicks.forEach(function (v) { axes.append("line").attr("class", "grid").attr("x1", x(v)).attr("x2", x(v)).attr("y1", box.top).attr("y2", box.bottom); });
      yTicks.forEach(function (v) { axes.append("line").attr("class", "grid").attr("y1", y(v)).attr("y2", y(v)).attr("x1", box.left).attr("x2", box.right); });
    }
    axes.append("g").attr("transform", "translate(0," + box.bottom + ")").call(d3.axisBottom(x).tickValues(xTicks).tickFormat(options.xFormat || label(x, options.xType)).tickSize(4).tickSizeOuter(0));
    axes.append("g").attr("transform", "translate(" + box.left + ",0)").call(d3.axisLeft(y).tickValues(yTicks).tickFormat(options.yFormat || label(y, options.yType)).tickSize(4).tickSizeOuter(0));
    axes.selectAll("g").attr("font-size", null).attr("font-family", null);
    if (options.xLabel) axes.append("text").attr("class", "name").attr("text-anchor", "middle").attr("x", (box.left + box.right) / 2).attr("y", box.bottom + 36).text(options.xLabel);
    if (options.yLabel) axes.append("text").attr("class", "name").attr("text-anchor", "middle").attr("transform", "translate(" + (box.left - (options.yRoom || 34)) + "," + (box.top + box.bottom) / 2 + ")rotate(-90)").text(options.yLabel);
    if (options.title) axes.append("text").attr("class", "title").attr("x", box.left).attr("y", box.top - 9).text(options.title);
    var clip = canvas.name + "-clip" + ++canvas.clips;
    axes.append("clipPath").attr("id", clip).append("rect").attr("x", box.left).attr("y", box.top).attr("width", box.right - box.left).attr("height", box.bottom - box.top);
    return {
      x: x, y: y, box: box, xName: options.xLabel, yName: options.yLabel,
      group: canvas.group.append("g").attr("clip-path", "url(#" + clip + ")"),
      over: canvas.group.append("g"),
    };
  }
  // A path through points of a panel; where a coordinate is not finite it is broken.
  function curve(where, points, closed) {
    var line = window.d3.line()
      .defined(function (p) { return isFinite(p[0]) && isFinite(p[1]); })
      .x(function (p) { return where.x(p[0]); })
      .y(function (p) { return where.y(p[1]); });
    if (closed) line.curve(window.d3.curveLinearClosed);
    return line(points);
  }

  function element(tag, attributes, inside) {
    var made = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (key) { made.setAttribute(key, attributes[key]); });
    (inside || []).forEach(function (child) { made.append(child); });
    return made;
  }

  // Sets a figure up and computes it; what this returns draws it.
  function begin(holder) {
    var d3 = window.d3, name = holder.dataset.ibFigure, figure = live[name];
    var still = holder.querySelector(".ib-picture > svg");
    if (!figure || !still || holder.dataset.ibReady) return;
    holder.dataset.ibReady = "yes";
    var store = holder.querySelector("script.ib-data");
    figure.data = JSON.parse(store ? store.textContent : "{}");
    var first = changed(figure, start(figure), JSON.parse(holder.dataset.ibStart || "{}"));
    var state = Object.assign({}, first), numbers, canvas, panels, timer = 0, frame = 0, waiting = 0;
    var picture = still.parentNode, block = picture.parentNode, words, inputs = {}, handles = [];

    still.classList.add("ib-still");
    var svg = d3.select(picture).insert("svg", "svg").attr("class", "ib-drawn").attr("role", "group");
    var drawing = svg.append("g").attr("aria-hidden", "true");
    var top = svg.append("g");
    if (picture.hasAttribute("tabindex")) ["tabindex", "role", "aria-label"].forEach(function (key) { picture.removeAttribute(key); });

    var controls = element("div", { "class": "ib-controls", role: "group", "aria-label": "Sliders of the figure" });
    (figure.sliders || []).forEach(function (key) {
      var parameter = figure.parameters[key], id = block.id + "-" + key;
      var input = element("input", { type: "range", id: id, name: key, min: 0, max: parameter.steps, step: 1, value: place(parameter, state[key]), autocomplete: "off" });
      var output = element("output", { "for": id, "aria-live": "off" });
      input.addEventListener("input", function () { stop(); var patch = {}; patch[key] = value(parameter, Number(input.value)); set(patch); });
      controls.append(element("div", { "class": "ib-control" }, [element("label", { "for": id }, [parameter.label]), input, output]));
      inputs[key] = { input: input, output: output };
    });

    var actions = element("div", { "class": "ib-actions", role: "group", "aria-label": "Buttons of the figure" });
    function button(label, act) {
      var made = element("button", { type: "button" }, [label]);
      made.addEventListener("click", act);
      actions.append(made);
      return made;
    }
    var play = figure.play && button("Play", function () { frame ? stop() : run(); });
    (figure.presets || []).forEach(function (preset) {
      button(preset.label, function () { stop(); state = Object.assign({}, first); set(preset.state); });
    });
    button("Reset", function () {
      stop();
      state = Object.assign({}, first);
      set({});
      // The address says a setting that is shown, or none.
      if (location.hash.indexOf("#" + name + "&") === 0) history.replaceState(null, "", "#" + name);
    });
    var link = button("Copy link", function () {
      history.replaceState(null, "", written(name, figure, state, first));
      function tell(what) {
        link.textContent = heard.textContent = what;
        setTimeout(function () { link.textContent = "Copy link"; }, 2500);
      }
      var copied = navigator.clipboard ? navigator.clipboard.writeText(location.href) : Promise.reject();
      copied.then(function () { tell("Link copied"); }, function () { tell("Link in address bar"); });
    });
    link.classList.add("ib-link");
    var side = element("div", { "class": "ib-side" }, figure.sliders ? [controls, actions] : [actions]);
    if (figure.readout) { words = element("p", { "class": "ib-readout", "aria-live": "off" }); side.prepend(words); }
    var heard = element("p", { "class": "ib-live", "aria-live": "polite" });
    picture.style.setProperty("--ib-width", figure.width + "px");
    picture.after(side, heard);

    (figure.handles || []).forEach(function (handle) {
      var group = top.append("g").attr("class", "ib-handle").attr("tabindex", 0).attr("role", "slider")
        .attr("aria-roledescription", "point to move").attr("aria-label", handle.label).attr("data-handle", handle.name);
      group.append("circle").attr("class", "reach").attr("r", 22);
      group.append("circle").attr("class", "ring").attr("r", 13);
      group.append("path").attr("class", "dot").attr("d", d3.symbol(handle.symbol || d3.symbolCircle, handle.size || 110)())
        .style("fill", "var(--ib-" + (handle.color || "blue") + ")");
      group.call(d3.drag().container(function () { return svg.node(); })
        .subject(function () { var at = where(handle); return { x: at[0], y: at[1] }; })
        .on("start", function () { stop(); group.classed("held", true); })
        .on("drag", function (event) { moveTo(handle, event.x, event.y); })
        .on("end", function () { group.classed("held", false); }));
      group.on("keydown", function (event) {
        var sideways = { ArrowLeft: -1, ArrowRight: 1 }[event.key], up = { ArrowDown: -1, ArrowUp: 1 }[event.key];
        var key = sideways ? handle.x : up ? handle.y : undefined;
        if (!sideways && !up) return;
        event.preventDefault();
        if (handle.x === undefined) key = handle.y;
        if (handle.y === undefined) key = handle.x;
        var parameter = figure.parameters[key], k = (sideways || up) * (event.shiftKey ? 10 : 1), patch = {};
        stop();
        // From where it is by whole steps, and not to a place of the slider.
        patch[key] = parameter.spacing === "geometric"
          ? state[key] * Math.pow(parameter.to / parameter.from, k / parameter.steps)
          : state[key] + k * (parameter.to - parameter.from) / parameter.steps;
        set(patch);
      });
      handles.push({ handle: handle, group: group });
    });

    function where(handle) {
      var on = panels[handle.panel || 0];
      var at = handle.at ? handle.at(numbers, state) : [state[handle.x], state[handle.y]];
      return [on.x(at[0]), on.y(at[1])];
    }
    function moveTo(handle, px, py) {
      var on = panels[handle.panel || 0], at = [on.x.invert(px), on.y.invert(py)], patch = {};
      if (handle.move) patch = handle.move(at[0], at[1], state, numbers);
      else {
        if (handle.x !== undefined) patch[handle.x] = at[0];
        if (handle.y !== undefined) patch[handle.y] = at[1];
      }
      set(patch);
    }
    function set(patch) {
      state = changed(figure, state, patch);
      show();
      clearTimeout(timer);
      timer = setTimeout(function () { heard.textContent = svg.attr("aria-label"); }, 700);
    }
    function show() {
      numbers = figure.compute(state);
      draw();
    }
    function draw() {
      var width = Math.min(picture.clientWidth || figure.width, figure.width);
      var height = Math.round(typeof figure.height === "function" ? figure.height(width) : figure.height);
      svg.attr("viewBox", "0 0 " + width + " " + height).attr("width", width).attr("height", height)
        .style("max-width", width + "px").style("min-width", "0").attr("aria-label", figure.tell(numbers, state));
      drawing.selectAll("*").remove();
      canvas = { name: block.id, clips: 0, group: drawing, width: width, height: height, narrow: width < 460, set: function (patch) { stop(); set(patch); } };
      panels = figure.draw(canvas, numbers, state);
      handles.forEach(function (each) {
        var at = where(each.handle), told = [each.handle.x, each.handle.y].filter(function (key) { return key !== undefined; });
        each.group.attr("transform", "translate(" + at[0] + "," + at[1] + ")")
          .attr("aria-valuemin", figure.parameters[told[0]].from).attr("aria-valuemax", figure.parameters[told[0]].to)
          .attr("aria-valuenow", Number(state[told[0]].toPrecision(6)))
          .attr("aria-valuetext", each.handle.tell ? spoken(each.handle.tell(numbers, state)) : told.map(function (key) { return spoken(figure.parameters[key].label + " " + text(figure.parameters[key], state[key])); }).join(", "));
      });
      Object.keys(inputs).forEach(function (key) {
        var parameter = figure.parameters[key], shown = text(parameter, state[key]);
        inputs[key].input.value = place(parameter, state[key]);
        inputs[key].input.setAttribute("aria-valuetext", spoken(shown));
        inputs[key].output.textContent = shown;
      });
      if (words) words.textContent = figure.readout(numbers, state);
    }
    function stop() {
      if (frame) cancelAnimationFrame(frame);
      clearTimeout(waiting);
      frame = waiting = 0;
      if (play) play.textContent = "Play";
    }
    function run() {
      // The played parameter goes from its first value to its last; in five steps for who asked for less motion.
      var parameter = figure.parameters[figure.play], still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      var patch = {}, from = performance.now(), lasts = figure.lasts || 3000;
      if (play) play.textContent = "Stop";
      function step(now) {
        var share = Math.min(1, Math.max(0, (now - from) / lasts));
        if (still) share = Math.ceil(share * 5) / 5;
        patch[figure.play] = value(parameter, share * parameter.steps);
        set(patch);
        if (share === 1) return stop();
        if (still) waiting = setTimeout(function () { step(performance.now()); }, lasts / 5);
        else frame = requestAnimationFrame(step);
      }
      frame = requestAnimationFrame(step);
    }

    function fromAddress() {
      var there = read(name, figure, first, location.hash);
      if (!there) return;
      stop();
      state = there;
      set({});
      holder.scrollIntoView({ block: "center", behavior: "instant" });
    }
    numbers = figure.compute(state);
    return function () {
      holder.classList.add("ib-is-live");
      var note = block.querySelector(".ib-note");
      if (note) note.remove();
      draw();
      if (window.ResizeObserver) {
        var seen = picture.clientWidth;
        new ResizeObserver(function () {
          if (picture.clientWidth && picture.clientWidth !== seen) { seen = picture.clientWidth; draw(); }
        }).observe(picture);
      }
      window.addEventListener("hashchange", fromAddress);
      fromAddress();
    };
  }

  live.frame = {
    number: number, power: power, spoken: spoken, value: value, place: place, start: start, changed: changed,
    written: written, read: read, panel: panel, curve: curve,
  };
  // Each is computed in one task and drawn in another, so that the page answers in between.
  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("[data-ib-figure]").forEach(function (holder) {
      var finish;
      setTimeout(function () { finish = begin(holder); });
      setTimeout(function () { if (finish) finish(); });
    });
  });
})(window.ibtoolsLive = window.ibtoolsLive || {});
