// Two samples in a plane and the neurons of a two-layer leaky ReLU network as points of it: which
// neuron is active on which sample, and where gradient descent moves it. The reader turns the samples.
(function (live) {
  "use strict";
  const LAST = 40, PUSH = 1;

  // Weights before and after each step, from the weights of m neurons of sign + and then m of sign
  // −; `push` is the step of a single neuron, η/(nm).
  function path(start, samples, labels, slope, push, steps) {
    const m = start.length / 2;
    const signs = start.map((_, r) => (r < m ? 1 : -1));
    const found = [start.map((w) => w.slice())];
    for (let t = 0; t < steps; t++) {
      const weights = found[t];
      const slopes = active(weights, samples).map((row) => row.map((on) => (on ? 1 : slope)));
      const pulls = samples.map((x, i) => {
        let output = 0;
        weights.forEach((w, r) => {
          output += (signs[r] / m) * slopes[r][i] * (w[0] * x[0] + w[1] * x[1]);
        });
        return labels[i] / (1 + Math.exp(labels[i] * output));
      });
      found.push(weights.map((w, r) => w.map((value, k) => {
        let move = 0;
        samples.forEach((x, i) => (move += slopes[r][i] * pulls[i] * x[k]));
        return value + push * signs[r] * move;
      })));
    }
    return found;
  }

  // Which neuron is active on which sample.
  function active(weights, samples) {
    return weights.map((w) => samples.map((x) => w[0] * x[0] + w[1] * x[1] >= 0));
  }

  // The angle, in degrees, within which all of some weights lie.
  function spread(weights) {
    const angles = weights.map(([x, y]) => Math.atan2(y, x)).sort((a, b) => a - b);
    let gap = 0;
    angles.forEach((angle, i) => {
      const next = i + 1 < angles.length ? angles[i + 1] : angles[0] + 2 * Math.PI;
      gap = Math.max(gap, next - angle);
    });
    return 360 - (gap * 180) / Math.PI;
  }

  function direction(degrees) {
    const angle = (degrees * Math.PI) / 180;
    return [Math.cos(angle), Math.sin(angle)];
  }

  function compute(state) {
    const start = live.neurons.data.start.map((w) => w.map((value) => state.scale * value));
    const m = start.length / 2;
    const samples = [direction(state.angle1), direction(state.angle2)];
    const labels = [1, state.label2];
    const weights = path(start, samples, labels, state.slope, PUSH, state.step);
    const now = weights[weights.length - 1];
    const pattern = active(now, samples);
    const own = now.map((_, r) => labels.map((label) => (r < m ? 1 : -1) * label > 0));
    const count = (wrong) => own.flatMap((row, r) => row.map((mine, i) => wrong(mine, pattern[r][i]))).filter(Boolean).length;
    const margins = samples.map((x, i) => labels[i] * now.reduce((sum, w, r) => {
      const z = w[0] * x[0] + w[1] * x[1];
      return sum + ((r < m ? 1 : -1) / m) * (z >= 0 ? z : state.slope * z);
    }, 0));
    return {
      samples,
      labels,
      path: weights,
      now,
      pattern,
      own,
      sleeping: count((mine, on) => mine && !on),
      firing: count((mine, on) => !mine && on),
      margins,
      product: samples[0][0] * samples[1][0] + samples[0][1] * samples[1][1],
      spread: [spread(now.slice(0, m)), spread(now.slice(m))],
      radius: 1.12 * Math.max(1.15, ...weights.flat().map((w) => Math.hypot(...w))),
    };
  }

  function sign(r, m) {
    return r < m ? "+" : "−";
  }
  function color(r, m) {
    return r < m ? "var(--ib-blue)" : "var(--ib-vermillion)";
  }
  function when(step) {
    return step === 0 ? "At the start" : "After step " + step;
  }

  function drawPattern(canvas, numbers, box, follow) {
    const m = numbers.now.length / 2;
    const over = canvas.group.append("g");
    const width = (box.right - box.left) / 2;
    const height = (box.bottom - box.top) / (2 * m + 1);
    const middle = (r) => box.top + (r + 0.5 + (r < m ? 0 : 1)) * height;
    numbers.samples.forEach((_, i) => {
      over.append("text").attr("text-anchor", "middle").attr("x", box.left + (i + 0.5) * width).attr("y", box.top - 9)
        .text((i ? "x₂" : "x₁") + (numbers.labels[i] > 0 ? " (+)" : " (−)"));
    });
    [0, m].forEach((r) => {
      over.append("text").attr("text-anchor", "middle")
        .attr("transform", "translate(" + (box.left - 10) + "," + (middle(r) + middle(r + m - 1)) / 2 + ")rotate(-90)")
        .text("neurons of sign " + sign(r, m));
    });
    const side = Math.min(12, height - 4);
    numbers.now.forEach((_, r) => {
      const row = over.append("g").attr("class", "row-" + r);
      row.append("rect").attr("class", "band").attr("x", box.left).attr("width", 2 * width)
        .attr("y", middle(r) - height / 2).attr("height", height).style("fill", "var(--ib-grid)").style("fill-opacity", 0);
      row.append("line").attr("x1", box.left).attr("x2", box.right).attr("y1", middle(r) + height / 2).attr("y2", middle(r) + height / 2)
        .style("stroke", "var(--ib-grid)");
      numbers.pattern[r].forEach((on, i) => {
        const x = box.left + (i + 0.5) * width;
        const y = middle(r);
        const half = side / 2;
        if (on) {
          const right = numbers.own[r][i];
          row.append("rect").attr("x", x - half).attr("y", y - half).attr("width", side).attr("height", side)
            .style("fill", right ? "var(--ib-blue)" : "none")
            .style("stroke", right ? "var(--ib-blue)" : "var(--ib-vermillion)").style("stroke-width", 1.8);
        } else if (numbers.own[r][i]) {
          row.append("path").attr("d", "M" + (x - half) + "," + (y - half) + "l" + side + "," + side + "m0," + -side + "l" + -side + "," + side)
            .style("stroke", "var(--ib-vermillion)").style("stroke-width", 2.2);
        } else {
          row.append("circle").attr("cx", x).attr("cy", y).attr("r", 1.6).style("fill", "var(--ib-muted)");
        }
      });
      row.on("mouseenter", () => follow(r, true)).on("mouseleave", () => follow(r, false));
    });
  }

  function drawPlane(panel, numbers, state, follow) {
    const inside = panel.group;
    const m = numbers.now.length / 2;
    const R = numbers.radius;
    const at = (w) => "translate(" + panel.x(w[0]) + "," + panel.y(w[1]) + ")";
    const size = panel.x(R) - panel.x(0);
    inside.append("circle").attr("cx", panel.x(0)).attr("cy", panel.y(0)).attr("r", size).style("stroke", "var(--ib-grid)").style("stroke-width", 1.5);
    const turns = [];
    numbers.samples.forEach((x, i) => {
      const across = [-x[1] * R, x[0] * R];
      inside.append("path").attr("d", live.frame.curve(panel, [across, across.map((v) => -v)])).style("stroke", "var(--ib-muted)").style("stroke-width", 1.1);
      inside.append("path").attr("d", live.frame.curve(panel, [[0, 0], x])).style("stroke", "currentColor").style("stroke-width", 2.4);
      inside.append("path").attr("d", live.frame.curve(panel, [x, x.map((v) => 0.86 * R * v)])).style("stroke", "currentColor").style("stroke-width", 0.8).style("stroke-dasharray", "2 3");
      turns.push(state[i ? "angle2" : "angle1"] - 90, state[i ? "angle2" : "angle1"] + 90);
    });
    // The cells between the lines, each with the name of its pattern.
    const ends = turns.map((angle) => ((angle % 360) + 360) % 360).sort((a, b) => a - b);
    ends.forEach((from, k) => {
      const to = k + 1 < ends.length ? ends[k + 1] : ends[0] + 360;
      if (to - from < 24) return;
      const middle = direction((from + to) / 2);
      const [[first, second]] = active([middle], numbers.samples);
      const name = first ? (second ? "both" : "only x₁") : second ? "only x₂" : "neither";
      const far = first && second ? 0.52 : 0.7;
      inside.append("text").attr("class", "muted halo").attr("text-anchor", "middle")
        .attr("x", panel.x(far * R * middle[0])).attr("y", panel.y(far * R * middle[1]) + 4).text(name);
    });
    numbers.now.forEach((w, r) => {
      const own = numbers.own[r].every((mine, i) => mine === numbers.pattern[r][i]);
      const length = Math.hypot(...w) || 1;
      const u = w.map((value) => value / length);
      const rim = (share) => [panel.x(share * R * u[0]), panel.y(share * R * u[1])];
      inside.append("path").attr("d", live.frame.curve(panel, numbers.path.map((all) => all[r])))
        .style("stroke", color(r, m)).style("stroke-width", 0.8);
      inside.append("path").attr("d", "M" + rim(0.94) + "L" + rim(1)).style("stroke", color(r, m)).style("stroke-width", 2.4);
      const symbol = r < m ? window.d3.symbolCircle : window.d3.symbolSquare;
      inside.append("path").attr("class", "neuron-" + r).attr("d", window.d3.symbol(symbol, 66)()).attr("transform", at(w))
        .style("fill", own ? color(r, m) : "var(--ib-background)").style("stroke", color(r, m)).style("stroke-width", 1.6)
        .style("pointer-events", "all")
        .on("mouseenter", () => follow(r, true)).on("mouseleave", () => follow(r, false));
    });
  }

  function told(numbers) {
    const degrees = numbers.spread.map((value) => Math.round(value) + "°");
    return numbers.sleeping + " of 16 pairs of a neuron and a sample of its sign are inactive, " + numbers.firing +
      " of 16 pairs with another sample are active; neurons of sign + lie within " + degrees[0] + ", of sign − within " + degrees[1] + " of each other";
  }

  live.neurons = {
    width: 640,
    height: (width) => (width < 540 ? width + 350 : Math.round(width * 0.64) + 40),
    lasts: 6000,
    parameters: {
      step: { label: "step", from: 0, to: LAST, start: 1, steps: LAST, digits: 0 },
      scale: { label: "scale σ₀", from: 0.02, to: 1.28, start: 0.3, steps: 36, spacing: "geometric", text: (v) => v.toPrecision(2) },
      slope: { label: "slope ρ", from: 0, to: 1, start: 0.3, steps: 20 },
      label2: { label: "label of x₂", from: -1, to: 1, start: -1, steps: 1, text: (v) => (v > 0 ? "+" : "−") },
      angle1: { label: "angle of x₁", from: -180, to: 180, start: 20, steps: 360, text: (v) => Math.round(v) + "°" },
      angle2: { label: "angle of x₂", from: -180, to: 180, start: 104, steps: 360, text: (v) => Math.round(v) + "°" },
    },
    sliders: ["step", "scale", "slope", "label2"],
    play: "step",
    presets: [
      { label: "One step is enough", state: { scale: 0.05, step: 1 } },
      { label: "One kind of mistake is left", state: { scale: 0.3, step: 1 } },
      { label: "A start too large", state: { scale: 0.8, step: 10 } },
      { label: "Samples too alike", state: { scale: 0.05, step: 10, angle2: 80 } },
      { label: "One label", state: { scale: 0.05, step: 1, label2: 1 } },
    ],
    handles: [1, 2].map((i) => ({
      name: "x" + i, label: "sample " + i, x: "angle" + i, panel: 0, size: 60, color: "muted",
      at: (numbers) => numbers.samples[i - 1].map((v) => 0.86 * numbers.radius * v),
      move: (x, y) => ({ ["angle" + i]: (Math.atan2(y, x) * 180) / Math.PI }),
    })),
    mend: (next) => ({
      step: Math.round(next.step),
      label2: next.label2 > 0 ? 1 : -1,
      angle1: Math.round(next.angle1),
      angle2: Math.round(next.angle2),
    }),
    compute,
    draw: (canvas, numbers, state) => {
      const wide = canvas.width >= 540;
      const R = numbers.radius;
      const side = wide ? Math.round(canvas.width * 0.64) : canvas.width - 40;
      const left = wide ? canvas.width - side - 4 : 36;
      const panel = live.frame.panel(canvas, {
        x: [-R, R], y: [-R, R], grid: false, xTicks: R < 2 ? [-1, 0, 1] : undefined, yTicks: R < 2 ? [-1, 0, 1] : undefined,
        box: { left, right: left + side, top: 10, bottom: 10 + side },
      });
      panel.over.append("text").attr("class", "halo").attr("x", panel.box.left + 8).attr("y", panel.box.bottom - 10)
        .text("x₁ᵀx₂ = " + live.frame.number(numbers.product, 2));
      const follow = (r, on) => {
        canvas.group.select(".neuron-" + r).style("stroke-width", on ? 5 : 1.6);
        canvas.group.select(".row-" + r + " .band").style("fill-opacity", on ? 1 : 0);
      };
      const box = wide
        ? { left: 26, right: 150, top: 30, bottom: 10 + side }
        : { left: 90, right: canvas.width - 90, top: side + 66, bottom: side + 66 + 300 };
      drawPlane(panel, numbers, state, follow);
      drawPattern(canvas, numbers, box, follow);
      numbers.samples.forEach((x, i) => {
        const knob = x.map((v) => 0.86 * R * v);
        panel.over.append("text").attr("class", "halo").attr("text-anchor", "middle")
          .attr("x", panel.x(knob[0]) - 24 * x[1]).attr("y", panel.y(knob[1]) - 24 * x[0] + 5).text(i ? "x₂" : "x₁");
      });
      return [panel];
    },
    readout: (numbers, state) =>
      when(state.step) + ": " + told(numbers) + ". Margins " + numbers.margins.map((q) => live.frame.number(q, 2)).join(" and ") + ".",
    tell: (numbers, state) =>
      "Two samples in a plane with inner product " + live.frame.number(numbers.product, 2) + " and sixteen neurons as points of it, from scale " +
      live.frame.number(state.scale, 2) + " with slope " + live.frame.number(state.slope, 2) + "; beside it which neuron is active on which sample. " +
      when(state.step) + ": " + told(numbers) + ".",
  };
})(window.ibtoolsLive = window.ibtoolsLive || {});
