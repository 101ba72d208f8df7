// A diagonal linear network from a tiny start: the reader moves the true weights, the scale and the
// time, and sees which coordinates are on. The data are noiseless samples X of the true weights.
(function (live) {
  "use strict";
  const LAST = 7, MOMENTS = 281, TRUE = [1, 2, 3, 4, 5];
  const SUBSCRIPTS = "₀₁₂₃₄₅";

  function inner(a, b) {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  }

  // XᵀX: all that the flow needs to know of noiseless samples.
  function gramOf(X) {
    const d = X[0].length;
    const gram = Array.from({ length: d }, () => new Float64Array(d));
    for (const row of X) {
      for (let i = 0; i < d; i++) for (let k = 0; k < d; k++) gram[i][k] += row[i] * row[k];
    }
    return gram;
  }

  // Dormand and Prince's pair of orders 5 and 4, with its continuous extension.
  const ERROR = [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40];
  const DENSE = [
    -12715105075 / 11282082432, 0, 87487479700 / 32700410799, -10690763975 / 1880347072,
    701980252875 / 199316789632, -1453857185 / 822651844, 69997945 / 29380423,
  ];

  // States at increasing moments of the autonomous equation state' = field(state), from time 0.
  function integrate(field, start, moments, tolerance) {
    const size = start.length;
    const found = [];
    const state = Float64Array.from(start);
    const trial = new Float64Array(size);
    const [a, b, c, d, e, f, g] = Array.from({ length: 7 }, () => new Float64Array(size));
    let time = 0;
    let h = 1e-3;
    field(state, a);
    while (found.length < moments.length && moments[found.length] <= 0) found.push(state.slice());
    while (found.length < moments.length) {
      for (let i = 0; i < size; i++) trial[i] = state[i] + (h / 5) * a[i];
      field(trial, b);
      for (let i = 0; i < size; i++) trial[i] = state[i] + (h / 40) * (3 * a[i] + 9 * b[i]);
      field(trial, c);
      for (let i = 0; i < size; i++) {
        trial[i] = state[i] + h * ((44 / 45) * a[i] - (56 / 15) * b[i] + (32 / 9) * c[i]);
      }
      field(trial, d);
      for (let i = 0; i < size; i++) {
        trial[i] = state[i] + (h / 6561) *
          (19372 * a[i] - 76080 * b[i] + 64448 * c[i] - 1908 * d[i]);
      }
      field(trial, e);
      for (let i = 0; i < size; i++) {
        trial[i] = state[i] + h * ((9017 / 3168) * a[i] - (355 / 33) * b[i] +
          (46732 / 5247) * c[i] + (49 / 176) * d[i] - (5103 / 18656) * e[i]);
      }
      field(trial, f);
      for (let i = 0; i < size; i++) {
        trial[i] = state[i] + h * ((35 / 384) * a[i] + (500 / 1113) * c[i] +
          (125 / 192) * d[i] - (2187 / 6784) * e[i] + (11 / 84) * f[i]);
      }
      field(trial, g);
      let worst = 0;
      for (let i = 0; i < size; i++) {
        const off = Math.abs(ERROR[0] * a[i] + ERROR[2] * c[i] + ERROR[3] * d[i] +
          ERROR[4] * e[i] + ERROR[5] * f[i] + ERROR[6] * g[i]);
        // A trial step that overflowed compares with nothing.
        if (!(off <= worst)) worst = off;
      }
      const ratio = (h * worst) / tolerance;
      if (!(ratio <= 1)) {
        h *= Number.isFinite(ratio) ? Math.max(0.2, 0.9 * Math.pow(ratio, -0.2)) : 0.2;
        continue;
      }
      while (found.length < moments.length && moments[found.length] <= time + h) {
        const at = (moments[found.length] - time) / h;
        const between = new Float64Array(size);
        for (let i = 0; i < size; i++) {
          const curve = DENSE[0] * a[i] + DENSE[2] * c[i] + DENSE[3] * d[i] +
            DENSE[4] * e[i] + DENSE[5] * f[i] + DENSE[6] * g[i];
          const rise = trial[i] - state[i];
          const bend = h * a[i] - rise;
          const rest = rise - h * g[i] - bend;
          between[i] = state[i] +
            at * (rise + (1 - at) * (bend + at * (rest + (1 - at) * h * curve)));
        }
        found.push(between);
      }
      time += h;
      state.set(trial);
      a.set(g);
      h *= Math.min(5, 0.9 * Math.pow(Math.max(ratio, 1e-10), -0.2));
    }
    return found;
  }

  // Below it a weight is no more than a rounding error of the others.
  const NOTHING = 1e-15;

  // Weights at rescaled times, from scale α and shape 0: w = 2α sinh 2P, P' = Xᵀy − XᵀXw. The
  // exponent is asked for, not α times it, so that α may be as small as one likes.
  function path(gram, teacher, scale, clock, tolerance = 1e-8) {
    const d = teacher.length;
    const pull = gram.map((row) => inner(row, teacher));
    const largest = Math.max(...pull.map(Math.abs));
    if (!(largest > 0)) return clock.map(() => new Array(d).fill(0));
    const unit = Math.log(1 / (4 * scale)) / (2 * largest);
    const logScale = Math.log(scale);
    function weight(p) {
      return Math.exp(2 * p + logScale) - Math.exp(-2 * p + logScale);
    }
    const least = Math.log(NOTHING);
    function field(P, out) {
      for (let i = 0; i < d; i++) out[i] = unit * pull[i];
      for (let k = 0; k < d; k++) {
        if (2 * Math.abs(P[k]) + logScale < least) continue;
        const w = unit * weight(P[k]);
        const row = gram[k];
        for (let i = 0; i < d; i++) out[i] -= w * row[i];
      }
    }
    return integrate(field, new Float64Array(d), clock, tolerance).map((P) => Array.from(P, weight));
  }

  // Solve a small symmetric positive definite system by Cholesky's factors.
  function solve(matrix, right) {
    const n = right.length;
    const L = matrix.map((row) => row.slice());
    const x = right.slice();
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = L[i][j];
        for (let k = 0; k < j; k++) sum -= L[i][k] * L[j][k];
        L[i][j] = i === j ? Math.sqrt(sum) : sum / L[j][j];
      }
      for (let k = 0; k < i; k++) x[i] -= L[i][k] * x[k];
      x[i] /= L[i][i];
    }
    for (let i = n - 1; i >= 0; i--) {
      for (let k = i + 1; k < n; k++) x[i] -= L[k][i] * x[k];
      x[i] /= L[i][i];
    }
    return x;
  }

  // Non-negative least squares by Lawson and Hanson, from the normal equations.
  function nonNegative(gram, pull) {
    const n = pull.length;
    const x = new Array(n).fill(0);
    const inside = new Set();
    const size = Math.max(1e-300, ...pull.map(Math.abs));
    for (let round = 0; round < 20 * n; round++) {
      const gradient = pull.map((p, i) => p - inner(gram[i], x));
      let next = -1;
      gradient.forEach((g, i) => {
        if (!inside.has(i) && g > 1e-10 * size && (next < 0 || g > gradient[next])) next = i;
      });
      if (next < 0) return x;
      inside.add(next);
      for (;;) {
        const free = [...inside].sort((a, b) => a - b);
        const trial = solve(free.map((i) => free.map((k) => gram[i][k])), free.map((i) => pull[i]));
        if (trial.every((value) => value > 0)) {
          free.forEach((i, k) => (x[i] = trial[k]));
          break;
        }
        let share = 1;
        free.forEach((i, k) => {
          if (trial[k] <= 0) share = Math.min(share, x[i] / (x[i] - trial[k]));
        });
        free.forEach((i, k) => {
          x[i] += share * (trial[k] - x[i]);
          if (x[i] <= 1e-14 * size) {
            x[i] = 0;
            inside.delete(i);
          }
        });
      }
    }
    return x;
  }

  // The rule's jumps until a rescaled time: [time, weights after it] each.
  function jumps(gram, teacher, until) {
    const d = teacher.length;
    const first = gram.map((row) => inner(row, teacher));
    const largest = Math.max(...first.map(Math.abs));
    if (!(largest > 0)) return [];
    const found = [];
    let time = 0;
    let z = new Array(d).fill(0);
    let w = new Array(d).fill(0);
    while (found.length < 200) {
      const pull = first.map((p, i) => {
        const now = p - inner(gram[i], w);
        return Math.abs(now) < 1e-9 * largest ? 0 : now;
      });
      let wait = Infinity;
      pull.forEach((p, i) => {
        const held = Math.abs(z[i]) >= 1 - 1e-9 && z[i] * p >= 0;
        if (p !== 0 && !held) wait = Math.min(wait, (Math.sign(p) - z[i]) / p);
      });
      if (!(time + wait <= until / largest)) break;
      time += wait;
      z = z.map((value, i) => value + wait * pull[i]);
      const free = [];
      z.forEach((value, i) => Math.abs(value) > 1 - 1e-9 && free.push(i));
      const sign = free.map((i) => Math.sign(z[i]));
      const sizes = nonNegative(
        free.map((i, a) => free.map((k, b) => sign[a] * sign[b] * gram[i][k])),
        free.map((i, a) => sign[a] * first[i])
      );
      w = new Array(d).fill(0);
      free.forEach((i, a) => (w[i] = sign[a] * sizes[a]));
      found.push([time * largest, w]);
    }
    return found;
  }

  // All moments at once: the reader moves the time more often than anything else.
  let kept = { key: "" };

  function compute(state) {
    const figure = live.switching;
    if (kept.X !== figure.data.X) kept = { key: "", X: figure.data.X, gram: gramOf(figure.data.X) };
    const d = kept.gram.length;
    const teacher = new Array(d).fill(0);
    TRUE.forEach((i) => (teacher[i - 1] = state["truth" + i]));
    const key = [state.scale, ...teacher].join();
    if (kept.key !== key) {
      const clock = Array.from({ length: MOMENTS }, (_, k) => (k * LAST) / (MOMENTS - 1));
      const w = path(kept.gram, teacher, state.scale, clock);
      kept = { ...kept, key, clock, w, rule: jumps(kept.gram, teacher, LAST) };
    }
    const at = Math.round((state.time / LAST) * (MOMENTS - 1));
    const now = kept.w[at];
    const missing = now.map((value, i) => value - teacher[i]);
    return {
      clock: kept.clock,
      path: kept.w,
      rule: kept.rule,
      now,
      teacher,
      loss: inner(missing, kept.gram.map((row) => inner(row, missing))) / 2,
      on: TRUE.filter((i) => teacher[i - 1] > 0 && now[i - 1] > teacher[i - 1] / 2),
      largestOther: Math.max(...now.slice(TRUE.length).map(Math.abs)),
    };
  }

  function names(indices) {
    const words = indices.map((i) => "w" + SUBSCRIPTS[i]);
    return words.length < 2 ? words.join("") : words.slice(0, -1).join(", ") + " and " + words[words.length - 1];
  }
  function colorOf(i) {
    return "var(--ib-sequence-" + [100, 75, 50, 25, 0][i - 1] + ")";
  }
  // Where a bar stands: the five true coordinates apart, the others close together.
  function place(i) {
    return i < TRUE.length ? i + 1 : TRUE.length + 1.2 + (i - TRUE.length) * 0.075;
  }

  function drawPath(panel, numbers, state) {
    const inside = panel.group;
    const end = numbers.clock.length - 1;
    for (let i = numbers.now.length - 1; i >= 0; i--) {
      const known = i < TRUE.length;
      if (!known && !numbers.path.some((w) => Math.abs(w[i]) > 0.004)) continue;
      inside.append("path").attr("stroke-linejoin", "round")
        .attr("d", live.frame.curve(panel, numbers.path.map((w, k) => [numbers.clock[k], w[i]])))
        .style("stroke", known ? colorOf(i + 1) : "var(--ib-muted)")
        .style("stroke-width", known ? 2.4 : 1);
      if (!known) continue;
      const steps = [[0, 0]];
      numbers.rule.forEach(([time, w]) => steps.push([time, steps[steps.length - 1][1]], [time, w[i]]));
      steps.push([LAST, steps[steps.length - 1][1]]);
      inside.append("path").attr("d", live.frame.curve(panel, steps))
        .style("stroke", colorOf(i + 1)).style("stroke-width", 0.9).style("stroke-dasharray", "3 2.5");
    }
    // Names at the right end, moved apart where curves end together.
    let last = Infinity;
    TRUE.map((i) => [i, numbers.path[end][i - 1]]).sort((a, b) => a[1] - b[1]).forEach(([i, w]) => {
      last = Math.min(panel.y(w) + 4, last - 14);
      panel.over.append("text").attr("x", panel.box.right + 5).attr("y", last).text("w" + SUBSCRIPTS[i]);
    });
    panel.over.append("path").attr("d", live.frame.curve(panel, [[state.time, -0.3], [state.time, 1.3]]))
      .style("stroke", "currentColor").style("stroke-width", 1.4);
  }

  function drawBars(panel, numbers) {
    const zero = panel.y(0);
    numbers.now.forEach((w, i) => {
      const known = i < TRUE.length;
      const half = known ? 0.22 : 0.026;
      const height = Math.max(known ? 1.5 : 0, Math.abs(panel.y(w) - zero));
      panel.group.append("rect").attr("x", panel.x(place(i) - half)).attr("width", panel.x(half) - panel.x(-half))
        .attr("y", w > 0 ? zero - height : zero).attr("height", height)
        .style("fill", known ? colorOf(i + 1) : "var(--ib-muted)");
      if (!known) return;
      panel.group.append("line").attr("x1", panel.x(i + 1)).attr("x2", panel.x(i + 1)).attr("y1", zero).attr("y2", panel.y(numbers.teacher[i]))
        .style("stroke", "currentColor").style("stroke-width", 0.8).style("stroke-dasharray", "2 2.5");
    });
    panel.group.append("line").attr("x1", panel.box.left).attr("x2", panel.box.right).attr("y1", zero).attr("y2", zero)
      .style("stroke", "currentColor").style("stroke-width", 0.8);
  }

  const parameters = {
    scale: { label: "scale α", from: 1e-32, to: 1e-2, start: 1e-8, steps: 30, spacing: "geometric" },
    time: { label: "rescaled time", from: 0, to: LAST, start: 2.5, steps: MOMENTS - 1 },
  };
  TRUE.forEach((i) => {
    parameters["truth" + i] = { label: "true w" + SUBSCRIPTS[i], from: 0, to: 1.2, start: (6 - i) / 5, steps: 60 };
  });

  live.switching = {
    width: 760,
    height: (width) => (width < 560 ? 570 : 340),
    lasts: 5000,
    parameters,
    sliders: ["scale", "time"],
    play: "time",
    presets: [
      { label: "All at once", state: { scale: 1e-2, time: 1 } },
      { label: "One by one", state: { scale: 1e-8, time: 2.5 } },
      { label: "Nearly the rule", state: { scale: 1e-32, time: 2.5 } },
      { label: "Two alike", state: { scale: 1e-32, time: 2.5, truth2: 1 } },
    ],
    handles: [
      { name: "time", label: "time", x: "time", panel: 0, size: 70, color: "muted", at: (numbers, state) => [state.time, 1.3] },
      ...TRUE.map((i) => ({
        name: "truth" + i, label: "true weight " + i, y: "truth" + i, panel: 1, size: 60, color: "vermillion",
        at: (numbers, state) => [i, state["truth" + i]],
      })),
    ],
    mend: (next) => {
      // To the moments that are computed, and to two digits, which a link can hold.
      const mended = { time: Math.round((next.time / LAST) * (MOMENTS - 1)) / 40 };
      TRUE.forEach((i) => (mended["truth" + i] = Math.round(100 * next["truth" + i]) / 100));
      return mended;
    },
    compute,
    draw: (canvas, numbers, state) => {
      const wide = canvas.width >= 560;
      const split = wide ? Math.round(0.56 * canvas.width) : canvas.width;
      const y = [-0.3, 1.3];
      const yTicks = [0, 0.5, 1];
      const course = live.frame.panel(canvas, {
        x: [0, LAST], y, yTicks, xTicks: [0, 1, 2, 3, 4, 5, 6, 7], xLabel: "rescaled time", yLabel: "weight",
        box: { left: 46, right: split - 34, top: 26, bottom: wide ? 298 : 248 },
      });
      const bars = live.frame.panel(canvas, {
        x: [0.4, place(numbers.now.length) + 0.1], y, yTicks, xTicks: TRUE, xFormat: (i) => "w" + SUBSCRIPTS[i],
        yLabel: wide ? "" : "weight", grid: false,
        box: wide
          ? { left: split + 26, right: canvas.width - 6, top: 26, bottom: 298 }
          : { left: 46, right: canvas.width - 6, top: 318, bottom: 532 },
      });
      const middle = (place(TRUE.length) + place(numbers.now.length)) / 2;
      bars.over.append("text").attr("class", "muted").attr("text-anchor", "middle")
        .attr("x", bars.x(middle)).attr("y", bars.box.bottom + 18).text("the others");
      bars.over.append("text").attr("x", bars.box.left + 4).attr("y", bars.box.top - 8)
        .text("at time " + live.frame.number(state.time, 2) + "; drag the true weights");
      drawPath(course, numbers, state);
      drawBars(bars, numbers);
      return [course, bars];
    },
    readout: (numbers, state) =>
      "At rescaled time " + live.frame.number(state.time, 2) + " the loss is " + live.frame.number(numbers.loss, 3) + "; " +
      (numbers.on.length ? "past half of the true size: " + names(numbers.on) : "no true weight is past half of its size") +
      "; largest other weight " + live.frame.number(numbers.largestOther, 3) + ".",
    tell: (numbers, state) =>
      "On the left the weights of a diagonal network against rescaled time from scale " +
      live.frame.spoken(live.frame.power(state.scale)) + ", with the steps of the rule; on the right the weights at time " +
      live.frame.number(state.time, 2) + " beside the true ones: " +
      TRUE.map((i) => live.frame.number(numbers.now[i - 1], 2) + " of " + live.frame.number(numbers.teacher[i - 1], 2)).join(", ") +
      "; the largest of the others is " + live.frame.number(numbers.largestOther, 2) + ".",
  };
})(window.ibtoolsLive = window.ibtoolsLive || {});
