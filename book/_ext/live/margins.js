// Margins of all samples as the loss falls, of which a run of the package keeps record: the reader
// plays it, and looks at the images in a bar. The bars start at the least margin.
(function (live) {
  "use strict";
  const LAST = 47, WIDTH = 0.02, BARS = 70, FROM = -0.1, TO = 1.3;

  // What the page is given are whole numbers, and after the first record their differences.
  const decoded = new WeakMap();
  function records(data) {
    if (!decoded.has(data)) {
      const sums = (rows) => {
        const total = rows[0].map(() => 0);
        return rows.map((row) => row.map((step, j) => (total[j] += step)));
      };
      decoded.set(data, {
        margins: sums(data.margins).map((row) => row.map((q) => q / 1e6)),
        weights: sums(data.weights).map((row) => row.map((w) => w / 100)),
      });
    }
    return decoded.get(data);
  }

  // The bars from the least margin on: who is in each, the smallest first.
  function barsOf(margins, least) {
    const bars = Array.from({ length: BARS }, () => []);
    margins.map((_, j) => j).sort((i, j) => margins[i] - margins[j])
      .forEach((j) => bars[Math.min(BARS - 1, Math.floor((margins[j] - least) / WIDTH))].push(j));
    return bars;
  }

  function compute(state) {
    const data = live.margins.data;
    const { margins, weights } = records(data);
    const now = margins[state.record];
    const least = Math.min(...now);
    const bars = barsOf(now, least);
    const supports = new Set(data.support);
    const right = (row) => row.filter((q) => q > 0).length;
    return {
      power: data.powers[state.record],
      margins: now,
      least,
      wrong: now.length - right(now),
      near: now.filter((q) => q < 1.1 * least).length,
      bars,
      marked: bars.map((bar) => bar.filter((j) => supports.has(j)).length),
      supports,
      bar: bars[state.bar],
      from: least + state.bar * WIDTH,
      course: margins.map((row) => [right(row) / row.length, Math.min(...row)]),
      weights: weights[state.record],
      outputs: data.outputs[state.record],
    };
  }

  // An image as the browser wants it, ink on paper in every theme; made once.
  const made = new Map();
  function image(letters) {
    if (!made.has(letters)) {
      const side = Math.round(Math.sqrt(letters.length));
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = side;
      const context = canvas.getContext("2d");
      const pixels = context.createImageData(side, side);
      for (let i = 0; i < letters.length; i++) {
        const grey = 255 - Math.round((255 * (letters.charCodeAt(i) - 97)) / 16);
        pixels.data.set([grey, grey, grey, 255], 4 * i);
      }
      context.putImageData(pixels, 0, 0);
      made.set(letters, canvas.toDataURL());
    }
    return made.get(letters);
  }

  function power(value) {
    const size = Math.abs(value);
    return live.frame.number(value, size < 10 ? 2 : size < 100 ? 1 : 0);
  }
  function between(numbers, k) {
    return live.frame.number(numbers.least + k * WIDTH, 3) + " to " + live.frame.number(numbers.least + (k + 1) * WIDTH, 3);
  }
  // How many images are in a bar, and what they are: two halves of a sentence.
  function counted(numbers, k) {
    const size = numbers.bars[k].length;
    const marked = numbers.marked[k];
    const all = (size === 1 ? "1 image" : (size || "no") + " images") + " with margin " + between(numbers, k);
    if (!size) return [all];
    if (size === 1) return [all, marked ? "a support vector" : "no support vector"];
    return [all, (marked || "none") + " of them " + (marked === 1 ? "a support vector" : "support vectors")];
  }
  function count(numbers, k) {
    return counted(numbers, k).join(", ");
  }

  function drawBars(canvas, panel, numbers, chosen, look, choose) {
    const inside = panel.group;
    const zero = panel.y(0);
    [[0, "currentColor", null], [numbers.least, "var(--ib-vermillion)", "6 4"]].forEach(([at, color, dash]) => {
      inside.append("line").attr("x1", panel.x(at)).attr("x2", panel.x(at)).attr("y1", panel.box.top).attr("y2", panel.box.bottom)
        .style("stroke", color).style("stroke-width", 1.4).style("stroke-dasharray", dash);
    });
    // Right of its line, as the one at zero is on the left; beside the handle, where that is as high.
    const aside = panel.y(numbers.bar.length) < panel.box.top + 34 && panel.x(numbers.from) < panel.x(numbers.least) + 40 ? 26 : 6;
    panel.over.append("text").attr("class", "halo").attr("x", panel.x(numbers.least) + aside).attr("y", panel.box.top + 14)
      .text("least margin");
    numbers.bars.forEach((bar, k) => {
      const left = panel.x(numbers.least + k * WIDTH);
      const width = panel.x(numbers.least + (k + 1) * WIDTH) - left;
      if (left > panel.box.right) return;
      const part = (from, to, color) => {
        if (from === to) return;
        inside.append("rect").attr("x", left + 0.5).attr("width", Math.max(1, width - 1)).attr("y", panel.y(to))
          .attr("height", panel.y(from) - panel.y(to)).style("fill", color)
          .style("stroke", k === chosen ? "currentColor" : "none").style("stroke-width", 1.6);
      };
      part(0, numbers.marked[k], "var(--ib-vermillion)");
      part(numbers.marked[k], bar.length, "var(--ib-blue)");
      if (!bar.length) return;
      inside.append("rect").attr("class", "bar").attr("x", left).attr("width", width).attr("y", panel.box.top).attr("height", zero - panel.box.top)
        .style("fill", "transparent").style("pointer-events", "all").style("cursor", "pointer")
        .on("mouseenter", () => look(k)).on("mouseleave", () => look(chosen)).on("click", () => choose(k));
    });
    // The chosen bar, also where it is empty.
    const edge = (k) => panel.x(numbers.least + k * WIDTH);
    panel.over.append("path").attr("d", "M" + edge(chosen) + "," + (zero + 2.5) + "H" + edge(chosen + 1))
      .style("stroke", "var(--ib-sky)").style("stroke-width", 5);
    const keys = [["support vectors of the limit", "var(--ib-vermillion)"], ["other images", "var(--ib-blue)"]];
    keys.forEach(([words, color], i) => {
      panel.over.append("rect").attr("x", panel.box.right - 12).attr("y", panel.box.top + (canvas.width < 560 ? 24 : 4) + 20 * i).attr("width", 12).attr("height", 12).style("fill", color);
      panel.over.append("text").attr("class", "halo").attr("text-anchor", "end").attr("x", panel.box.right - 18).attr("y", panel.box.top + (canvas.width < 560 ? 35 : 15) + 20 * i).text(words);
    });
  }

  // The images of a bar, those of support vectors framed.
  function drawDigits(group, numbers, k, box) {
    group.selectAll("*").remove();
    const step = 34;
    const across = Math.floor((box.right - box.left) / step);
    const room = across * box.rows;
    const bar = numbers.bars[k];
    const rest = bar.length - room;
    const words = box.narrow ? counted(numbers, k) : [count(numbers, k)];
    words.forEach((line, i) => group.append("text").attr("x", box.left).attr("y", box.top + 19 * i - (box.narrow ? 19 : 0)).text(line));
    if (rest > 0) group.append("text").attr("class", "muted").attr("x", box.left).attr("y", box.top + 24 + box.rows * step).text("and " + rest + " more");
    bar.slice(0, room).forEach((j, i) => {
      const [x, y] = [box.left + (i % across) * step, box.top + 12 + Math.floor(i / across) * step];
      group.append("image").attr("href", image(live.margins.data.pixels[j])).attr("x", x + 2).attr("y", y + 2)
        .attr("width", step - 6).attr("height", step - 6).style("image-rendering", "pixelated");
      group.append("rect").attr("x", x + 1).attr("y", y + 1).attr("width", step - 4).attr("height", step - 4)
        .style("stroke", numbers.supports.has(j) ? "var(--ib-vermillion)" : "var(--ib-grid)").style("stroke-width", numbers.supports.has(j) ? 2.4 : 1);
    });
  }

  function drawCourse(panel, numbers, state) {
    const put = (points, color, width, dash) => panel.group.append("path").attr("d", live.frame.curve(panel, points))
      .style("stroke", color).style("stroke-width", width).style("stroke-dasharray", dash || null);
    const limit = numbers.course[LAST][1];
    put(numbers.course.map(([right], k) => [k, 100 * right]), "var(--ib-muted)", 2, "7 4");
    put(numbers.course.map(([, least], k) => [k, (100 * least) / limit]), "var(--ib-vermillion)", 2.4);
    const label = (words, k, y, dy) => panel.over.append("text").attr("class", "halo").attr("x", panel.x(k)).attr("y", panel.y(y) + dy).text(words);
    label("images that are right", 15, 100, -7);
    label("least margin ÷ its last", 22, (100 * numbers.course[22][1]) / limit, 22);
    put([[state.record, -50], [state.record, 130]], "currentColor", 1.4);
  }

  // The input weights of a neuron: a square for each, as large as the weight.
  function drawNeurons(group, numbers, box) {
    group.append("text").attr("x", box.left).attr("y", box.top - 9).text("input weights of four neurons");
    const across = box.across;
    const side = Math.min((box.right - box.left) / across - 10, 92);
    numbers.outputs.forEach((output, i) => {
      const left = box.left + (i % across) * (side + 10);
      const top = box.top + Math.floor(i / across) * (side + 26);
      group.append("rect").attr("x", left).attr("y", top).attr("width", side).attr("height", side).style("stroke", "var(--ib-muted)").style("stroke-width", 0.8);
      numbers.weights.slice(64 * i, 64 * (i + 1)).forEach((w, p) => {
        if (Math.abs(w) < 0.02) return;
        const size = (side / 8) * Math.sqrt(Math.abs(w)) * 0.95;
        group.append("rect").attr("x", left + ((p % 8) + 0.5) * (side / 8) - size / 2).attr("y", top + (Math.floor(p / 8) + 0.5) * (side / 8) - size / 2)
          .attr("width", size).attr("height", size).style("fill", w > 0 ? "var(--ib-blue)" : "var(--ib-vermillion)");
      });
      group.append("text").attr("x", left).attr("y", top + side + 15).text("a = " + live.frame.number(output, 2));
    });
  }

  live.margins = {
    width: 760,
    height: (width) => (width < 560 ? 1022 : 694),
    lasts: 8000,
    parameters: {
      record: { label: "log₁₀(1/loss)", from: 0, to: LAST, start: 14, steps: LAST, text: (k) => power(live.margins.data.powers[Math.round(k)]) },
      bar: { label: "bar", from: 0, to: BARS - 1, start: 12, steps: BARS - 1, text: (k) => String(Math.round(k) + 1) },
    },
    sliders: ["record"],
    play: "record",
    presets: [
      { label: "Before zero error", state: { record: 6, bar: 0 } },
      { label: "Where one stops", state: { record: 16, bar: 0 } },
      { label: "At the wall", state: { record: LAST, bar: 0 } },
    ],
    handles: [
      {
        name: "bar", label: "bar of the histogram", x: "bar", panel: 0, color: "sky", size: 60,
        at: (numbers) => [numbers.from + WIDTH / 2, numbers.bar.length],
        move: (x, y, state, numbers) => ({ bar: (x - numbers.least) / WIDTH - 0.5 }),
        tell: (numbers, state) => "bar " + (state.bar + 1) + ", " + count(numbers, state.bar),
      },
      {
        name: "record", label: "loss", x: "record", panel: 1, color: "muted", size: 70,
        at: (numbers, state) => [state.record, -45],
        tell: (numbers) => "log₁₀(1/loss) " + power(numbers.power),
      },
    ],
    mend: (next) => {
      const record = Math.round(next.record);
      const row = records(live.margins.data).margins[record];
      const last = Math.floor((Math.min(Math.max(...row), TO - WIDTH) - Math.min(...row)) / WIDTH);
      return { record, bar: Math.max(0, Math.min(last, Math.round(next.bar))) };
    },
    compute,
    draw: (canvas, numbers, state) => {
      const wide = canvas.width >= 560;
      const tallest = Math.max(60, 1.08 * Math.max(...numbers.bars.map((bar) => bar.length)));
      const edges = { left: 52, right: canvas.width - 8 };
      const histogram = live.frame.panel(canvas, {
        x: [FROM, TO], y: [0, tallest], xLabel: "margin ÷ ‖θ‖³", yLabel: "images", yRoom: 38, box: { ...edges, top: 26, bottom: 256 },
        title: numbers.wrong + " of " + numbers.margins.length + " wrong, least margin " + live.frame.number(numbers.least, 4),
      });
      const digits = canvas.group.append("g");
      const shelf = { left: wide ? 8 : 4, right: canvas.width - 4, top: wide ? 318 : 337, rows: wide ? 2 : 4, narrow: !wide };
      const look = (k) => drawDigits(digits, numbers, k, shelf);
      drawBars(canvas, histogram, numbers, state.bar, look, (k) => canvas.set({ bar: k }));
      look(state.bar);
      const low = shelf.top + 34 * shelf.rows + 66;
      const powers = live.margins.data.powers;
      // Where between the records a tick of the loss stands.
      const at = window.d3.scaleLinear(powers.map(Math.asinh), powers.map((_, k) => k));
      const marks = [-2, 1, 10, 1e3, 1e6].filter((value) => value >= powers[0] && value <= powers[LAST]);
      const ticks = marks.map((value) => at(Math.asinh(value)));
      const course = live.frame.panel(canvas, {
        x: [0, LAST], y: [-60, 125], yTicks: [0, 50, 100], xTicks: ticks, xFormat: (k) => live.frame.number(marks[ticks.indexOf(k)], 0),
        xLabel: "log₁₀(1/loss)", yLabel: "percent", yRoom: 38,
        box: { left: 52, right: wide ? Math.round(0.52 * canvas.width) : canvas.width - 14, top: low, bottom: low + 166 },
      });
      drawCourse(course, numbers, state);
      drawNeurons(canvas.group.append("g"), numbers, wide
        ? { left: Math.round(0.52 * canvas.width) + 46, right: canvas.width, top: low + 4, across: canvas.width > 700 ? 3 : 2 }
        : { left: 52, right: canvas.width, top: low + 244, across: 2 });
      return [histogram, course];
    },
    readout: (numbers, state) =>
      "At log₁₀(1/loss) = " + power(numbers.power) + ": " + (numbers.wrong ? numbers.wrong + (numbers.wrong === 1 ? " image is" : " images are") + " wrong" : "all images are right") +
      ", the least margin is " + live.frame.number(numbers.least, 4) +
      (numbers.least > 0 ? ", and " + numbers.near + (numbers.near === 1 ? " image is" : " images are") + " within ten percent of it." : "."),
    tell: (numbers, state) =>
      "Histogram of the margins of " + numbers.margins.length + " images over the cube of the norm at log₁₀(1/loss) = " + power(numbers.power) +
      ": " + numbers.wrong + " are wrong, the least margin is " + live.frame.number(numbers.least, 4) + ". Chosen is bar " + (state.bar + 1) + ": " +
      count(numbers, state.bar) + ". Below, those images; how many are right and the least margin against the loss; and the input weights of four neurons.",
  };
})(window.ibtoolsLive = window.ibtoolsLive || {});
