// Zooming of the charts of a report. All charts over time show the same stretch; the others are zoomed one by one.
(() => {
  const LEFT = 46, TOP = 10, WIDTH = 520, HEIGHT = 190, PLOT_W = 464, PLOT_H = 156, ROW_W = 1000, ROW_H = 20;
  const SVG = document.querySelector("svg")?.namespaceURI;
  const CLOSEST_S = 0.05, DRAG_PX = 5;
  const number = (element, name) => Number(element.dataset[name]);
  const timed = [...document.querySelectorAll('svg[data-zoom="time"], svg[data-zoom="row"]')];
  const local = [...document.querySelectorAll('svg[data-zoom="value"], svg[data-zoom="plan"]')];
  const bar = document.querySelector(".zoombar");
  if (!bar || timed.length === 0) {
    return;
  }
  const whole = { start: 0, end: Math.max(...timed.map((svg) => number(svg, "x1"))) };
  let shown = { ...whole };

  const clock = (seconds, step) => {
    const digits = step < 0.1 ? 2 : 1;
    if (whole.end < 120 || step < 1) {
      return seconds < 120 ? `${seconds.toFixed(digits)} s`
        : `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(digits).padStart(digits + 3, "0")}`;
    }
    const all = Math.round(seconds), hours = Math.floor(all / 3600), minutes = Math.floor(all / 60) % 60;
    const rest = String(all % 60).padStart(2, "0");
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
  };
  const stepOf = (span, about) => {
    const power = 10 ** Math.floor(Math.log10(span / about));
    return power * [1, 2, 5, 10].find((factor) => power * factor >= span / about);
  };
  const make = (name, attributes) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) {
      element.setAttribute(key, value);
    }
    return element;
  };

  // The part of a chart that is drawn into, its size in its own units, and its edges on the screen.
  const isRow = (svg) => svg.dataset.zoom === "row";
  const plotOf = (svg) => (isRow(svg) ? svg : svg.querySelector(".plot"));
  const sizeOf = (svg) => (isRow(svg) ? [ROW_W, ROW_H] : [PLOT_W, PLOT_H]);
  const edgesOf = (svg) => {
    const box = svg.getBoundingClientRect();
    if (isRow(svg)) {
      return { left: box.left, width: box.width, top: box.top, height: box.height };
    }
    const scale = box.width / WIDTH;
    return { left: box.left + LEFT * scale, width: PLOT_W * scale, top: box.top + TOP * scale, height: PLOT_H * scale };
  };
  const viewOf = (svg) => {
    const box = plotOf(svg).viewBox.baseVal;
    return { x: box.x, y: box.y, width: box.width, height: box.height };
  };
  const toUnits = (svg, clientX, clientY) => {
    const edges = edgesOf(svg), view = viewOf(svg);
    return [view.x + ((clientX - edges.left) / edges.width) * view.width,
      view.y + ((clientY - edges.top) / edges.height) * view.height];
  };
  const toValue = (svg, units) =>
    number(svg, "x0") + (units / sizeOf(svg)[0]) * (number(svg, "x1") - number(svg, "x0"));

  const label = (svg) => {
    const view = viewOf(svg), isTime = svg.dataset.zoom === "time";
    const axis = (group, low, high, about, place) => {
      const step = stepOf(high - low, about), found = [];
      for (let i = Math.ceil(low / step - 1e-9); i <= Math.floor(high / step + 1e-9); i += 1) {
        found.push(place(i * step, step));
      }
      group.replaceChildren(...found);
    };
    const text = (at, y, words, anchor) => {
      const element = make("text", { class: "tick", x: at.toFixed(1), y: y.toFixed(1), "text-anchor": anchor });
      element.textContent = words;
      return element;
    };
    const plain = (value, step) => String(Number(value.toFixed(Math.max(0, -Math.floor(Math.log10(step))))));
    const low = toValue(svg, view.x), high = toValue(svg, view.x + view.width);
    axis(svg.querySelector(".xs"), low, high, 5, (value, step) => {
      const at = LEFT + ((value - low) / (high - low)) * PLOT_W;
      const anchor = at < LEFT + 14 ? "start" : at > LEFT + PLOT_W - 14 ? "end" : "middle";
      return text(at, HEIGHT - 7, isTime ? clock(value, step) : plain(value, step), anchor);
    });
    if (svg.dataset.zoom === "plan") {
      const y0 = number(svg, "y0"), y1 = number(svg, "y1");
      const top = y1 - (view.y / PLOT_H) * (y1 - y0), bottom = y1 - ((view.y + view.height) / PLOT_H) * (y1 - y0);
      axis(svg.querySelector(".ys"), bottom, top, 4, (value, step) =>
        text(LEFT - 6, TOP + ((top - value) / (top - bottom)) * PLOT_H + 4, plain(value, step), "end"));
    }
  };
  const setView = (svg, x, y, width, height) => {
    plotOf(svg).setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
    if (!isRow(svg)) {
      label(svg);
    }
  };
  const show = (start, end) => {
    const length = Math.min(Math.max(end - start, CLOSEST_S), whole.end);
    const from = Math.min(Math.max(start, 0), whole.end - length);
    shown = { start: from, end: from + length };
    for (const svg of timed) {
      const [width, height] = sizeOf(svg), x0 = number(svg, "x0"), all = number(svg, "x1") - x0;
      setView(svg, ((from - x0) / all) * width, 0, (length / all) * width, height);
    }
    for (const ticks of document.querySelectorAll(".ticks")) {
      [...ticks.children].forEach((tick, i) => { tick.textContent = clock(from + (length * i) / 4, length / 4); });
    }
    const words = `${clock(from, length / 4)} \u2013 ${clock(from + length, length / 4)}`;
    const isWhole = length >= whole.end;
    bar.querySelector(".shown").textContent = isWhole ? "drag on a chart to zoom" : words;
    document.documentElement.classList.toggle("zoomed", !isWhole);
  };
  const zoom = (factor, middle = (shown.start + shown.end) / 2) => {
    const length = (shown.end - shown.start) * factor, share = (middle - shown.start) / (shown.end - shown.start);
    show(middle - length * share, middle + length * (1 - share));
  };
  const shift = (share) => {
    const step = (shown.end - shown.start) * share;
    show(shown.start + step, shown.end + step);
  };
  const mark = (start, end) => {
    document.querySelectorAll(".focus").forEach((element) => element.remove());
    for (const svg of timed) {
      const [width, height] = sizeOf(svg), all = number(svg, "x1") - number(svg, "x0");
      const at = ((start - number(svg, "x0")) / all) * width;
      plotOf(svg).prepend(make("rect", { class: "focus", x: at, y: 0, width: ((end - start) / all) * width, height }));
    }
  };
  const zoomLocal = (svg, factor, at) => {
    const view = viewOf(svg), [fullW, fullH] = sizeOf(svg);
    const [x, y] = at ?? [view.x + view.width / 2, view.y + view.height / 2];
    const width = Math.min(view.width * factor, fullW), ratio = width / view.width;
    const left = Math.min(Math.max(x - (x - view.x) * ratio, 0), fullW - width);
    if (svg.dataset.zoom !== "plan") {
      setView(svg, left, 0, width, fullH);
      return;
    }
    const height = view.height * ratio;
    setView(svg, left, Math.min(Math.max(y - (y - view.y) * ratio, 0), fullH - height), width, height);
  };
  const reset = (svg) => (timed.includes(svg) ? show(whole.start, whole.end) : setView(svg, 0, 0, PLOT_W, PLOT_H));

  const select = (svg, from, to) => {
    const [x0, x1] = [Math.min(from[0], to[0]), Math.max(from[0], to[0])];
    if (timed.includes(svg)) {
      show(toValue(svg, x0), toValue(svg, x1));
    } else if (svg.dataset.zoom === "plan") {
      const view = viewOf(svg), share = Math.max(x1 - x0, 1) / view.width;
      const height = view.height * share, middle = (from[1] + to[1]) / 2;
      setView(svg, x0, Math.min(Math.max(middle - height / 2, 0), PLOT_H - height), Math.max(x1 - x0, 1), height);
    } else {
      setView(svg, x0, 0, Math.max(x1 - x0, 1), PLOT_H);
    }
  };
  const draggable = (svg) => {
    let from = null, begun = null, box = null, wasDragged = false;
    svg.addEventListener("pointerdown", (event) => {
      if (event.button === 0) {
        wasDragged = false;
        begun = event.clientX;
        from = toUnits(svg, event.clientX, event.clientY);
      }
    });
    svg.addEventListener("pointermove", (event) => {
      if (from === null) {
        return;
      }
      if (!wasDragged && Math.abs(event.clientX - begun) > DRAG_PX) {
        wasDragged = true;
        svg.setPointerCapture(event.pointerId);
        box = make("rect", { class: "select", y: viewOf(svg).y, height: viewOf(svg).height });
        plotOf(svg).append(box);
      }
      if (box) {
        const to = toUnits(svg, event.clientX, event.clientY);
        box.setAttribute("x", Math.min(from[0], to[0]));
        box.setAttribute("width", Math.abs(to[0] - from[0]));
      }
    });
    const end = (event) => {
      if (box && event.type === "pointerup") {
        select(svg, from, toUnits(svg, event.clientX, event.clientY));
      }
      box?.remove();
      from = box = null;
    };
    svg.addEventListener("pointerup", end);
    svg.addEventListener("pointercancel", end);
    svg.addEventListener("dragstart", (event) => event.preventDefault());
    svg.addEventListener("click", (event) => {
      if (wasDragged) {
        event.preventDefault();
        event.stopPropagation();
      }
    }, true);
  };
  const zoomable = (svg) => {
    const isTimed = timed.includes(svg);
    draggable(svg);
    svg.addEventListener("dblclick", () => reset(svg));
    svg.addEventListener("wheel", (event) => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const factor = event.deltaY > 0 ? 1.25 : 0.8, at = toUnits(svg, event.clientX, event.clientY);
        isTimed ? zoom(factor, toValue(svg, at[0])) : zoomLocal(svg, factor, at);
      }
    }, { passive: false });
    if (isRow(svg)) {
      return;
    }
    svg.setAttribute("tabindex", "0");
    svg.addEventListener("keydown", (event) => {
      const keys = {
        "+": () => (isTimed ? zoom(0.5) : zoomLocal(svg, 0.5)),
        "-": () => (isTimed ? zoom(2) : zoomLocal(svg, 2)),
        0: () => reset(svg),
        ArrowLeft: () => isTimed && shift(-0.25),
        ArrowRight: () => isTimed && shift(0.25),
      };
      if (keys[event.key]) {
        event.preventDefault();
        keys[event.key]();
      }
    });
  };

  // The value under the pointer, read off the drawn line.
  const drawn = new WeakMap();
  const pointsOf = (path) => {
    if (!drawn.has(path)) {
      const found = [...path.getAttribute("d").matchAll(/[ML]([-\d.]+) ([-\d.]+)/g)];
      drawn.set(path, found.map((match) => [Number(match[1]), Number(match[2])]));
    }
    return drawn.get(path);
  };
  const nearest = (points, x) => {
    let low = 0, high = points.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle][0] < x) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low > 0 && x - points[low - 1][0] < points[low][0] - x ? points[low - 1] : points[low];
  };
  const readable = (svg) => {
    const note = svg.closest("figure").querySelector(".note");
    if (!note) {
      return;
    }
    const unit = note.textContent, y0 = number(svg, "y0"), y1 = number(svg, "y1");
    svg.addEventListener("pointermove", (event) => {
      const [x] = toUnits(svg, event.clientX, event.clientY);
      const values = [...svg.querySelectorAll("path.line")].map((path) => {
        const point = nearest(pointsOf(path), x);
        return point ? Number((y1 - (point[1] / PLOT_H) * (y1 - y0)).toPrecision(3)) : "\u2013";
      });
      note.textContent = `${clock(toValue(svg, x), 0.01)}: ${values.join(" \u00b7 ")} ${unit}`;
    });
    svg.addEventListener("pointerleave", () => { note.textContent = unit; });
  };

  for (const svg of [...timed, ...local]) {
    zoomable(svg);
  }
  timed.filter((svg) => !isRow(svg)).forEach(readable);
  const actions = {
    in: () => zoom(0.5),
    out: () => zoom(2),
    earlier: () => shift(-0.5),
    later: () => shift(0.5),
    all: () => { show(whole.start, whole.end); local.forEach(reset); },
  };
  bar.addEventListener("click", (event) => actions[event.target.dataset.do]?.());
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.show");
    if (!link) {
      return;
    }
    event.preventDefault();
    const start = number(link, "start"), end = number(link, "end");
    const around = Math.max(1.5 * (end - start), whole.end / 100, 0.5);
    mark(start, end);
    show(start - around, end + around);
    const section = document.getElementById(link.hash.slice(1));
    const chart = section.querySelector('svg[data-zoom="time"]') ?? document.querySelector("#timeline .bars");
    chart.scrollIntoView({ block: "center" });
    chart.focus({ preventScroll: true });
  });
  bar.hidden = false;
  show(whole.start, whole.end);
})();
