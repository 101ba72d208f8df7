// One sample, two weights: a diagonal network trained to zero error, and why it ends where it ends.
//
// The sample has label 1 and is known by its line of solutions, x·w = 1, whose nearest point to 0,
// x/|x|², is a handle. The start is the other. In the mirror variable the flow moves along x, so
// that its path is a curve with one unknown ν: w = (√k/2) sinh(2νx + c).
(function (live) {
  "use strict";

  function solved(f, target) {
    // Where an increasing function takes a value: a bracket from 0 on, then the method of Ridders.
    var low = 0, high = 0, atLow = f(0) - target, atHigh = atLow;
    if (atLow === 0) return 0;
    for (var step = 1; atHigh < 0; step *= 2) { low = high; atLow = atHigh; high += step; atHigh = f(high) - target; }
    for (step = 1; atLow > 0; step *= 2) { high = low; atHigh = atLow; low -= step; atLow = f(low) - target; }
    for (var k = 0; k < 200 && atLow < 0 && atHigh > 0; k++) {
      var middle = (low + high) / 2, atMiddle = f(middle) - target;
      if (middle === low || middle === high || atMiddle === 0) return middle;
      var next = middle, atNext = atMiddle, root = Math.sqrt(atMiddle * atMiddle - atLow * atHigh);
      if (isFinite(root)) { next = middle - (middle - low) * atMiddle / root; atNext = f(next) - target; }
      if (atMiddle < 0) { low = middle; atLow = atMiddle; } else { high = middle; atHigh = atMiddle; }
      if (next > low && next < high) {
        if (atNext < 0) { low = next; atLow = atNext; } else { high = next; atHigh = atNext; }
      }
      if (high - low <= 4e-16 * Math.max(Math.abs(low), Math.abs(high))) break;
    }
    return atLow === 0 ? low : atHigh === 0 ? high : Math.abs(atLow) < Math.abs(atHigh) ? low : high;
  }

  function compute(state) {
    var shape = state.shape, sqrtK = 4 * state.scale * (1 + shape * shape) / (1 - shape * shape);
    var foot = [state.foot1, state.foot2], square = foot[0] * foot[0] + foot[1] * foot[1];
    var x = [foot[0] / square, foot[1] / square], start = [state.start1, state.start2];
    var offset = start.map(function (w) { return Math.asinh(2 * w / sqrtK); });

    function weights(nu) {
      return x.map(function (along, i) {
        // Of two forms of one formula the one that does not cancel.
        var near = start[i] + sqrtK * Math.sinh(nu * along) * Math.cosh(nu * along + offset[i]);
        var far = sqrtK / 2 * Math.sinh(2 * nu * along + offset[i]);
        return Math.abs(near) < Math.abs(start[i]) / 2 ? far : near;
      });
    }
    function prediction(nu) {
      var w = weights(nu);
      return x[0] * w[0] + x[1] * w[1];
    }
    function potential(w) {
      return w.reduce(function (sum, weight, i) {
        var z = 2 * weight / sqrtK;
        return sum + weight / 2 * (Math.asinh(z) - z / (1 + Math.hypot(1, z)) - offset[i]);
      }, 0);
    }
    var least = potential(start); // its slope vanishes at the start

    var first = x[0] * start[0] + x[1] * start[1], path = [], levelSet = [], points = 100;
    for (var k = 0; k <= points; k++) path.push(weights(solved(prediction, first + (1 - first) * state.trained * k / points)));
    var now = path[points], limit = weights(solved(prediction, 1)), level = potential(now) - least;
    var apart = Math.hypot(now[0] - start[0], now[1] - start[1]);
    if (apart > 0 && level > 0) {
      for (var a = 0; a < 180; a++) {
        var along = [Math.cos(a * Math.PI / 90), Math.sin(a * Math.PI / 90)];
        var radius = solved(function (r) { return potential([start[0] + r * along[0], start[1] + r * along[1]]); }, least + level);
        levelSet.push([start[0] + radius * along[0], start[1] + radius * along[1]]);
      }
    }
    var larger = Math.abs(x[0]) > Math.abs(x[1]) ? 0 : 1, sparse = [0, 0];
    sparse[larger] = 1 / x[larger];
    return {
      sqrtK: sqrtK, x: x, path: path, now: now, limit: limit, level: level, levelSet: levelSet,
      leastL1: sparse, leastL2: foot, tie: Math.abs(Math.abs(x[0]) - Math.abs(x[1])) < 1e-9 * Math.abs(x[larger]),
      share: 1 - (1 - (x[0] * now[0] + x[1] * now[1])) / (1 - first || 1),
    };
  }

  function fixed(w) {
    return "(" + live.frame.number(w[0], 2) + ", " + live.frame.number(w[1], 2) + ")";
  }

  live.plane = {
    width: 440,
    height: function (width) { return width + 6; },
    parameters: {
      scale: { label: "scale α", from: 2.5e-9, to: 25, start: 2.5e-3, steps: 40, spacing: "geometric" },
      shape: { label: "shape s", from: 0, to: 0.99, start: 0, steps: 33 },
      trained: { label: "trained", from: 0, to: 1, start: 1, steps: 50, text: function (v) { return Math.round(100 * v) + " %"; } },
      foot1: { label: "w₁", from: -0.55, to: 0.55, start: 0.2, steps: 55 },
      foot2: { label: "w₂", from: -0.55, to: 0.55, start: 0.4, steps: 55 },
      start1: { label: "w₁", from: -0.75, to: 0.75, start: 0, steps: 75 },
      start2: { label: "w₂", from: -0.75, to: 0.75, start: 0, steps: 75 },
    },
    sliders: ["scale", "shape", "trained"],
    play: "trained",
    presets: [
      { label: "Tiny start", state: { scale: 2.5e-9 } },
      { label: "Large start", state: { scale: 25 } },
    ],
    handles: [
      { name: "line", label: "line of solutions", x: "foot1", y: "foot2", color: "vermillion" },
      { name: "start", label: "start of training", x: "start1", y: "start2", color: "blue" },
    ],
    mend: function (next) {
      // The line neither through 0, where no sample has it, nor so far that its sparse end is out of sight.
      var length = Math.hypot(next.foot1, next.foot2), wanted = Math.max(0.12, Math.min(0.55, length));
      if (length === wanted) return {};
      if (length === 0) return { foot1: 0, foot2: wanted };
      return { foot1: next.foot1 * wanted / length, foot2: next.foot2 * wanted / length };
    },
    compute: compute,
    draw: function (canvas, numbers, state) {
      var frame = live.frame, d3 = window.d3, edge = 0.8, size = canvas.width;
      var plane = frame.panel(canvas, {
        x: [-edge, edge], y: [-edge, edge], xLabel: "w₁", yLabel: "w₂", yRoom: 40,
        box: { left: 54, right: size - 8, top: 26, bottom: size - 36 },
        xTicks: [-0.5, 0, 0.5], yTicks: [-0.5, 0, 0.5], title: "level set at √k = " + frame.power(numbers.sqrtK),
      });
      var inside = plane.group, foot = numbers.leastL2, along = [-foot[1], foot[0]];
      function at(where, w) { return "translate(" + where.x(w[0]) + "," + where.y(w[1]) + ")"; }
      if (numbers.levelSet.length) {
        inside.append("path").attr("d", frame.curve(plane, numbers.levelSet, true))
          .style("fill", "var(--ib-green)").style("fill-opacity", 0.13).style("stroke", "var(--ib-green)").style("stroke-width", 1.6);
      }
      var reach = 3 / Math.hypot(along[0], along[1]);
      inside.append("path").attr("d", frame.curve(plane, [[foot[0] - reach * along[0], foot[1] - reach * along[1]], [foot[0] + reach * along[0], foot[1] + reach * along[1]]]))
        .style("stroke", "var(--ib-vermillion)").style("stroke-width", 1.8);
      inside.append("path").attr("d", frame.curve(plane, numbers.path)).attr("stroke-linejoin", "round")
        .style("stroke", "var(--ib-blue)").style("stroke-width", 3);
      inside.append("path").attr("d", d3.symbol(d3.symbolDiamond, 90)()).attr("transform", at(plane, numbers.leastL1))
        .style("fill", "var(--ib-background)").style("stroke", "var(--ib-vermillion)").style("stroke-width", 1.6);
      inside.append("circle").attr("r", 6).attr("transform", at(plane, numbers.now))
        .style("fill", "var(--ib-blue)").style("stroke", "var(--ib-background)").style("stroke-width", 1.5);
      function label(w, words, dx, dy, anchor) {
        plane.over.append("text").attr("class", "halo").attr("x", plane.x(w[0]) + dx).attr("y", plane.y(w[1]) + dy).attr("text-anchor", anchor || "start").text(words);
      }
      var right = foot[0] >= 0;
      label(foot, "least ℓ₂", right ? 17 : -17, foot[1] >= 0 ? -8 : 18, right ? "start" : "end");
      var sparse = numbers.leastL1, onFirst = sparse[0] !== 0;
      label(sparse, numbers.tie ? "least ℓ₁, a tie" : "least ℓ₁", onFirst ? 0 : (right ? -12 : 12), onFirst ? (foot[1] >= 0 ? 22 : -14) : 5, onFirst ? "middle" : right ? "end" : "start");
      // Where the path is short, the knob of its start would lie under the words.
      var length = Math.hypot(plane.x(numbers.now[0]) - plane.x(state.start1), plane.y(numbers.now[1]) - plane.y(state.start2));
      if (length > 70) label(numbers.path[50], "gradient flow", right ? -11 : 11, 4, right ? "end" : "start");
      // Along the line, on the side that has more room.
      var unit = along.map(function (v) { return 0.4 * v / Math.hypot(along[0], along[1]); });
      var tips = [-1, 1].map(function (side) { return [foot[0] + side * unit[0], foot[1] + side * unit[1]]; });
      function out(tip) { return Math.max(Math.abs(tip[0]), Math.abs(tip[1])); }
      var tip = out(tips[0]) <= out(tips[1]) ? tips[0] : tips[1], turned = Math.atan2(-along[1], along[0]) * 180 / Math.PI;
      if (Math.abs(turned) > 90) turned -= 180 * Math.sign(turned);
      var half = 75 / (plane.x(1) - plane.x(0)) / 0.4, side = tip === tips[0] ? -half : half;
      var inSight = out([tip[0] + side * unit[0], tip[1] + side * unit[1]]) < edge + 0.1 && !(canvas.narrow && size < 400);
      plane.over.append("text").attr("class", "halo").attr("text-anchor", "middle").attr("dy", -7)
        .attr("transform", at(plane, tip) + "rotate(" + turned + ")").text(inSight ? "no error on this line" : "no error");
      label([state.start1, state.start2], "start", right ? -17 : 17, foot[1] >= 0 ? 19 : -10, right ? "end" : "start");
      return [plane];
    },
    readout: function (numbers, state) {
      var w = numbers.now;
      return (state.trained < 1 ? "Now at w = " : "Ends at w = ") + fixed(w) + ": ‖w‖₁ = " +
        live.frame.number(Math.abs(w[0]) + Math.abs(w[1]), 3) + ", ‖w‖₂ = " + live.frame.number(Math.hypot(w[0], w[1]), 3) +
        ". On the line the least are " + live.frame.number(Math.hypot.apply(null, numbers.leastL1), 3) + " and " +
        live.frame.number(Math.hypot.apply(null, numbers.leastL2), 3) + ".";
    },
    tell: function (numbers, state) {
      return "The plane of two weights. The line of solutions of the sample (" + live.frame.number(numbers.x[0], 2) + ", " +
        live.frame.number(numbers.x[1], 2) + ") with label 1; gradient flow runs from " + fixed([state.start1, state.start2]) + " to " +
        fixed(numbers.now) + (state.trained < 1 ? ", " + Math.round(100 * state.trained) + " percent of the way" : ", where a level set of the potential touches the line") +
        ". Square root of k is " + live.frame.spoken(live.frame.power(numbers.sqrtK)) + "; least ℓ₁ norm would be at " + fixed(numbers.leastL1) +
        ", least ℓ₂ norm at " + fixed(numbers.leastL2) + ".";
    },
  };
})(window.ibtoolsLive = window.ibtoolsLive || {});
