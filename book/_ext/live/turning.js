// A linear classifier trained on and on: the line where it is undecided turns towards the line of
// largest margin. The reader moves the samples and the start, and lets the loss fall.
//
// The loss is Σ exp(−⟨z,w⟩), z = yx. Its flow is followed in s = log(1/loss) instead of time: with
// g = ∇s = Σ p z, and p the share of each sample in the loss, dw/ds = g/|g|², so that s grows by itself.
(function (live) {
  "use strict";
  const FIRST = 0.1, LAST = 1e6, STEPS = 70, EDGE = 7.6, LEVELS = 8;
  const NAMES = ["x₁", "x₂", "x₃"];

  function inner(a, b) {
    return a[0] * b[0] + a[1] * b[1];
  }

  function logInverseLoss(Z, w) {
    const margins = Z.map((z) => inner(z, w));
    const least = Math.min(...margins);
    return least - Math.log(margins.reduce((sum, q) => sum + Math.exp(least - q), 0));
  }

  // The weights are kept as w = v + sŵ, with ŵ of margin 1: v has a limit, and the samples' shares
  // are known to as many digits late as early. `ahead` is ⟨z,ŵ⟩ − 1, which is 0 for support vectors.
  function pull(course, s, v) {
    const { Z, ahead } = course;
    const p = [];
    let least = Infinity, total = 0, first = 0, second = 0;
    for (let j = 0; j < Z.length; j++) {
      p[j] = inner(Z[j], v) + s * ahead[j];
      if (p[j] < least) least = p[j];
    }
    for (let j = 0; j < Z.length; j++) {
      p[j] = Math.exp(least - p[j]);
      total += p[j];
    }
    for (let j = 0; j < Z.length; j++) {
      p[j] /= total;
      first += p[j] * Z[j][0];
      second += p[j] * Z[j][1];
    }
    return { p, g: [first, second] };
  }

  function velocity(course, s, v) {
    const { g } = pull(course, s, v);
    const square = inner(g, g);
    return [g[0] / square - course.hat[0], g[1] / square - course.hat[1]];
  }

  // Derivative of the velocity: (2gg' − |g|²)/|g|⁴ times the covariance of the z under p.
  function jacobian(course, s, v) {
    const { p, g } = pull(course, s, v);
    const square = inner(g, g);
    const spread = [0, 1].map((i) => [0, 1].map((k) => course.Z.reduce((sum, z, j) => sum + p[j] * (z[i] - g[i]) * (z[k] - g[k]), 0)));
    const turn = [0, 1].map((i) => [0, 1].map((k) => ((i === k ? -square : 0) + 2 * g[i] * g[k]) / square ** 2));
    return turn.map((row) => [0, 1].map((k) => row[0] * spread[0][k] + row[1] * spread[1][k]));
  }

  // A step by linearly implicit Euler steps of sizes h, h/2, h/3, …, extrapolated to size 0
  // (Deuflhard 1985) until it is exact enough: late, where the flow is stiff, steps may be long.
  function leap(course, s, v, h, tolerance) {
    const J = jacobian(course, s, v);
    let before = [];
    for (let n = 1; n <= LEVELS; n++) {
      const step = h / n;
      const [[a, b], [c, d]] = [[1 - step * J[0][0], -step * J[0][1]], [-step * J[1][0], 1 - step * J[1][1]]];
      const det = a * d - b * c;
      let now = v;
      for (let i = 1; i <= n; i++) {
        const f = velocity(course, s + i * step, now);
        now = [now[0] + (step * (d * f[0] - b * f[1])) / det, now[1] + (step * (a * f[1] - c * f[0])) / det];
      }
      const row = [now];
      for (let j = 1; j < n; j++) {
        const [fine, rough] = [row[j - 1], before[j - 1]];
        const factor = 1 / (n / (n - j) - 1);
        row.push([fine[0] + factor * (fine[0] - rough[0]), fine[1] + factor * (fine[1] - rough[1])]);
      }
      before = row;
      if (n < 3) continue;
      const [rough, fine] = before.slice(-2);
      const ratio = Math.hypot(fine[0] - rough[0], fine[1] - rough[1]) / tolerance;
      if (ratio <= 1) return { v: fine, factor: n < LEVELS ? 3 : 0.9 * Math.max(ratio, 1e-6) ** (-1 / LEVELS) };
    }
    return null;
  }

  // v when s has grown by each of some increasing amounts.
  function flow(course, amounts) {
    const found = [];
    let v = course.v, grown = 0, h = 0.1;
    for (const amount of amounts) {
      while (grown < amount) {
        const rest = amount - grown;
        const step = Math.min(h, rest);
        const trial = leap(course, course.s + grown, v, step, 1e-9 + 1e-12 * Math.hypot(...v));
        if (!trial) {
          h = step / 3;
          continue;
        }
        v = trial.v;
        grown = step === rest ? amount : grown + step;
        h = Math.max(h, step * trial.factor);
      }
      found.push(v);
    }
    return found;
  }

  // The point of the convex hull of the z that is nearest to 0: of all corners, and of all feet on
  // edges, the one that no z lies in front of. None, if 0 is in the hull.
  function nearest(Z) {
    const candidates = Z.map((z, j) => ({ point: z, support: [j], shares: [1] }));
    for (let i = 0; i < Z.length; i++) {
      for (let j = 0; j < i; j++) {
        const edge = [Z[i][0] - Z[j][0], Z[i][1] - Z[j][1]];
        const share = -inner(Z[j], edge) / inner(edge, edge);
        if (share > 0 && share < 1) {
          candidates.push({ point: Z[j].map((v, k) => v + share * edge[k]), support: [j, i], shares: [1 - share, share] });
        }
      }
    }
    const size = Math.max(...Z.map((z) => inner(z, z)));
    const best = candidates.find(({ point }) => {
      const square = inner(point, point);
      return square > 1e-12 * size && Z.every((z) => inner(z, point) >= square - 1e-12 * size);
    });
    return best || null;
  }

  // The angle between v + sŵ and ŵ.
  function degreesLeft(course, s, v) {
    const { hat } = course;
    const across = Math.abs(hat[0] * v[1] - hat[1] * v[0]);
    return (Math.atan2(across, inner(hat, v) + s * inner(hat, hat)) * 180) / Math.PI;
  }

  function compute(state) {
    const labels = live.turning.data.y;
    const samples = labels.map((_, j) => [state["x" + (j + 1) + "1"], state["x" + (j + 1) + "2"]]);
    const Z = samples.map((x, j) => x.map((v) => labels[j] * v));
    const start = [state.start1, state.start2];
    const best = nearest(Z);
    const begun = logInverseLoss(Z, start);
    if (!best) return { samples, labels, start, separable: false, begun: begun / Math.LN10 };
    const gamma = Math.hypot(...best.point);
    const hat = best.point.map((value) => value / gamma ** 2);
    const course = {
      Z, hat, s: begun,
      ahead: Z.map((z, j) => (best.support.includes(j) ? 0 : Math.max(0, inner(z, hat) - 1))),
      v: start.map((value, k) => value - begun * hat[k]),
    };

    // The moments: those that the picture draws, and now.
    const amount = Math.max(0, state.power * Math.LN10 - begun);
    const powers = Array.from({ length: STEPS + 1 }, (_, k) => FIRST * (LAST / FIRST) ** (k / STEPS));
    const drawn = powers.map((power) => power * Math.LN10 - begun);
    const wide = (1.5 * EDGE + Math.hypot(...start)) * Math.max(...Z.map((z) => Math.hypot(...z)));
    const near = Array.from({ length: 121 }, (_, k) => wide * (k / 120) ** 2);
    const amounts = [...new Set([amount, ...near, ...drawn.filter((grown) => grown > 0)])].sort((a, b) => a - b);
    const places = new Map(flow(course, amounts).map((v, k) => [amounts[k], v]));
    const weights = (grown) => places.get(grown).map((value, k) => value + (begun + grown) * hat[k]);

    const v = places.get(amount);
    const s = begun + amount;
    const now = weights(amount);
    const norm = Math.hypot(...now);
    const margins = Z.map((z, j) => (inner(z, v) + s * (1 + course.ahead[j])) / (norm || 1));
    // Two support vectors: the offset solves ⟨z, ω⟩ = −log λ, with λ the multipliers of ŵ.
    let late = null;
    if (best.support.length === 2) {
      const [a, b] = best.support.map((j) => Z[j]);
      const [u, v] = best.shares.map((share) => -Math.log(share / gamma ** 2));
      const det = a[0] * b[1] - a[1] * b[0];
      const offset = [(u * b[1] - v * a[1]) / det, (v * a[0] - u * b[0]) / det];
      late = (Math.abs(best.point[0] * offset[1] - best.point[1] * offset[0]) * 180) / Math.PI;
    }
    return {
      samples,
      labels,
      start,
      separable: true,
      begun: begun / Math.LN10,
      early: state.power * Math.LN10 < begun,
      path: near.map(weights).filter((w) => Math.hypot(...w) < 3 * EDGE),
      curve: powers.filter((_, k) => drawn[k] > 0)
        .map((power) => [power, degreesLeft(course, power * Math.LN10, places.get(power * Math.LN10 - begun))]),
      now,
      power: s / Math.LN10,
      norm,
      margins,
      margin: Math.min(...margins),
      wrong: margins.filter((q) => q <= 0).length,
      best: gamma,
      direction: best.point.map((v) => v / gamma),
      support: best.support,
      // Degrees times log(1/loss): what is left late, over the logarithm; and what is left now.
      late,
      angle: degreesLeft(course, s, v),
    };
  }

  const NOT_SEPARABLE = "No line through the origin has both classes on its two sides";

  function small(angle) {
    return live.frame.number(angle, angle >= 1 ? 1 : angle >= 0.1 ? 2 : 3);
  }
  function loss(numbers) {
    if (numbers.power < 10) return live.frame.power(10 ** -numbers.power);
    return "10⁻" + String(Math.round(numbers.power)).replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
  }
  function margin(numbers) {
    return live.frame.number(numbers.margin, 4) + " of " + live.frame.number(numbers.best, 4);
  }
  function supports(numbers) {
    const names = numbers.support.map((j) => NAMES[j]).sort();
    return names.length > 1 ? "the support vectors are " + names.join(" and ") : "the support vector is " + names[0];
  }

  function drawPlane(panel, numbers) {
    const inside = panel.group;
    const far = 3 * EDGE;
    const line = (w, off = 0) => {
      const length = Math.hypot(...w);
      const n = w.map((v) => v / length);
      return live.frame.curve(panel, [-far, far].map((t) => [off * n[0] - t * n[1], off * n[1] + t * n[0]]));
    };
    const stroke = (d, color, width, dash) => inside.append("path").attr("d", d)
      .style("stroke", color).style("stroke-width", width).style("stroke-dasharray", dash || null);
    if (numbers.separable) {
      stroke(live.frame.curve(panel, numbers.path), "var(--ib-purple)", 1.4);
      stroke(line(numbers.direction), "var(--ib-muted)", 1.8, "7 5");
      if (numbers.norm > 0) {
        stroke(line(numbers.now), "var(--ib-green)", 2.8);
        if (numbers.margin > 0) [-1, 1].forEach((side) => stroke(line(numbers.now, side * numbers.margin), "var(--ib-green)", 1.4, "2 3"));
        inside.append("circle").attr("r", 4.5).attr("cx", panel.x(numbers.now[0])).attr("cy", panel.y(numbers.now[1]))
          .style("fill", "var(--ib-purple)");
      }
      numbers.support.forEach((j) => inside.append("circle").attr("r", 18)
        .attr("cx", panel.x(numbers.samples[j][0])).attr("cy", panel.y(numbers.samples[j][1]))
        .style("stroke", "var(--ib-muted)").style("stroke-width", 1.2));
    } else {
      panel.over.append("text").attr("class", "halo").attr("text-anchor", "middle")
        .attr("x", (panel.box.left + panel.box.right) / 2).attr("y", panel.box.bottom - 12).text("not separable by a line through 0");
    }
    const label = (at, words) => {
      const left = panel.x(at[0]) + 20 + 7.5 * words.length > panel.box.right;
      panel.over.append("text").attr("class", "halo").attr("text-anchor", left ? "end" : "start").attr("x", panel.x(at[0]) + (left ? -17 : 17))
        .attr("y", panel.y(at[1]) + (at[1] > 0.8 * EDGE ? 18 : -9)).text(words);
    };
    numbers.samples.forEach((x, j) => label(x, NAMES[j]));
    label(numbers.start, "start w(0)");
  }

  function drawLegend(canvas, box) {
    const keys = [["undecided", "var(--ib-green)", 2.8], ["largest margin", "var(--ib-muted)", 1.8, "7 5"], ["weights w", "var(--ib-purple)", 1.4]];
    const over = canvas.group.append("g");
    const room = (box.right - box.left) / 3;
    const [key, places] = room > 115 ? [19, [0, 0.9, 2.15]] : [12, [0, 0.93, 2.18]];
    places.forEach((at, i) => {
      const [words, color, width, dash] = keys[i];
      const left = box.left + at * room;
      over.append("line").attr("x1", left).attr("x2", left + key).attr("y1", box.top - 14).attr("y2", box.top - 14)
        .style("stroke", color).style("stroke-width", width).style("stroke-dasharray", dash || null);
      over.append("text").attr("x", left + key + 4).attr("y", box.top - 10).text(words);
    });
  }

  function drawAngle(panel, numbers) {
    if (!numbers.separable) return;
    const inside = panel.group;
    const put = (points, color, width, dash) => inside.append("path").attr("d", live.frame.curve(panel, points))
      .style("stroke", color).style("stroke-width", width).style("stroke-dasharray", dash || null);
    const shown = (angle) => Math.max(angle, 1e-9);
    put(numbers.curve.map(([power, angle]) => [power, shown(angle)]), "var(--ib-green)", 2.4);
    if (numbers.late > 0) {
      put([1, LAST].map((power) => [power, numbers.late / (power * Math.LN10)]), "currentColor", 1.4, "2 3");
      panel.over.append("text").attr("class", "halo").attr("x", panel.x(2e3)).attr("y", panel.y(numbers.late / (2e3 * Math.LN10)) - 12).text("predicted");
    }
  }

  const parameters = {
    power: { label: "log₁₀(1/ℒ)", from: FIRST, to: LAST, start: 1, steps: STEPS, spacing: "geometric" },
    start1: { label: "w₁", from: -7, to: 7, start: -4, steps: 140 },
    start2: { label: "w₂", from: -7, to: 7, start: 6, steps: 140 },
  };
  [[3, -1], [-1, -2], [4, 4]].forEach((x, j) => x.forEach((value, k) => {
    parameters["x" + (j + 1) + (k + 1)] = { label: "x₁x₂".slice(2 * k, 2 * k + 2), from: -7, to: 7, start: value, steps: 140 };
  }));

  live.turning = {
    width: 760,
    height: (width) => (width < 620 ? width + 262 : Math.round(0.54 * width) + 40),
    lasts: 6000,
    parameters,
    sliders: ["power"],
    play: "power",
    presets: [
      { label: "Where one would stop", state: { power: 2 } },
      { label: "Far beyond", state: { power: 100 } },
      { label: "From the other side", state: { power: 1, start1: 6, start2: -4 } },
      { label: "Not separable", state: { x31: -4, x32: 1 } },
    ],
    handles: [
      ...[1, -1, 1].map((label, j) => ({
        name: "x" + (j + 1), label: "sample " + (j + 1) + ", class " + (label > 0 ? "of discs" : "of squares"),
        x: "x" + (j + 1) + "1", y: "x" + (j + 1) + "2", panel: 0,
        color: label > 0 ? "blue" : "vermillion", symbol: label > 0 ? window.d3.symbolCircle : window.d3.symbolSquare,
      })),
      { name: "start", label: "start of the weights", x: "start1", y: "start2", panel: 0, color: "purple", symbol: window.d3.symbolDiamond, size: 90 },
      {
        name: "power", label: "loss", x: "power", panel: 1, color: "green", size: 70,
        at: (numbers, state) => [state.power, Math.max(numbers.separable ? numbers.angle : 1e-6, 1e-6)],
      },
    ],
    mend: (next) => {
      // To hundredths, which a link can hold.
      const mended = {};
      Object.keys(next).filter((name) => name !== "power").forEach((name) => (mended[name] = Math.round(100 * next[name]) / 100));
      return mended;
    },
    compute,
    draw: (canvas, numbers) => {
      const wide = canvas.width >= 620;
      const side = wide ? Math.round(0.54 * canvas.width) - 46 : canvas.width - 54;
      const ticks = [-5, 0, 5];
      const plane = live.frame.panel(canvas, {
        x: [-EDGE, EDGE], y: [-EDGE, EDGE], xTicks: ticks, yTicks: ticks, xLabel: "first coordinate", yLabel: "second coordinate",
        box: { left: 46, right: 46 + side, top: 30, bottom: 30 + side },
      });
      const low = wide ? 30 : side + 110;
      const errors = live.frame.panel(canvas, {
        x: [FIRST, 2 * LAST], y: [1e-6, 250], xType: "log", yType: "log", xLabel: "log₁₀(1/ℒ)", yLabel: "angle, degrees", yRoom: 46,
        title: numbers.separable ? small(numbers.angle) + "° left" : "",
        box: wide
          ? { left: side + 118, right: canvas.width - 8, top: 30, bottom: 30 + side }
          : { left: 58, right: canvas.width - 8, top: low, bottom: low + 160 },
      });
      drawPlane(plane, numbers);
      drawLegend(canvas, plane.box);
      drawAngle(errors, numbers);
      return [plane, errors];
    },
    readout: (numbers) =>
      !numbers.separable
        ? NOT_SEPARABLE + ": whatever w is, some margin is not positive. Move a sample."
        : (numbers.early ? "The start's loss is smaller already, " : "At a loss of ") + loss(numbers) + ": margin " + margin(numbers) +
          "; " + small(numbers.angle) + "° are left to the line of largest margin; " + supports(numbers) + ".",
    tell: (numbers) => {
      const where = numbers.samples.map((x, j) => NAMES[j] + " of class " + (numbers.labels[j] > 0 ? "+" : "−") + " at (" + x.map((v) => live.frame.number(v, 1)).join(", ") + ")");
      return "A plane with three samples, " + where.join(", ") + ", and a linear classifier started at (" +
        numbers.start.map((v) => live.frame.number(v, 1)).join(", ") + "). " +
        (numbers.separable
          ? "At a loss of " + live.frame.spoken(loss(numbers)) + " the undecided line is " + live.frame.spoken(small(numbers.angle)) +
            " degrees from the line of largest margin, the margin is " + live.frame.spoken(margin(numbers)) + "; " + supports(numbers) +
            ". Beside it the angle against the logarithm of the loss."
          : NOT_SEPARABLE + ".");
    },
  };
})(window.ibtoolsLive = window.ibtoolsLive || {});
