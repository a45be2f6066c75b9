// Numbers, labels and axes of all plots, and the plots that have lines; drawn as SVG with D3.
"use strict";

const { servers, plots } = JSON.parse(document.getElementById("data").textContent);
const colour = (server) => `var(--${servers[server].id})`;
const label = (server) => servers[server].label;
const isPeer = (server) => servers[server].kind === "peer" || servers[server].kind === "roofline";
const SYMBOLS = {
  circle: d3.symbolCircle, square: d3.symbolSquare, triangle: d3.symbolTriangle,
  diamond: d3.symbolDiamond, cross: d3.symbolCross, wye: d3.symbolWye, star: d3.symbolStar,
};

// ---- how numbers read at an axis ------------------------------------------------------------

const short = (x) => x >= 1e6 ? `${+(x / 1e6).toPrecision(3)}M`
  : x >= 1e3 ? `${+(x / 1e3).toPrecision(3)}k` : `${+x.toPrecision(3)}`;
const TICKS = {
  rate: short,
  number: short,
  memory: (mib) => `${short(mib)} MiB`,
  time: (us) => us >= 1e6 ? `${short(us / 1e6)} s` : us >= 1e3 ? `${short(us / 1e3)} ms` : `${short(us)} µs`,
};

// Round numbers on a logarithmic scale, as many of each decade as fit.
function roundNumbers([low, high], fit) {
  const decades = d3.range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)) + 1);
  const choices = [[1, 1.5, 2, 3, 4, 5, 6, 8], [1, 2, 3, 5], [1, 2, 5], [1, 3], [1]].map((leads) =>
    d3.merge(decades.map((e) => leads.map((lead) => lead * 10 ** e)))
      .filter((v) => v >= low * 0.999 && v <= high * 1.001));
  return choices.find(fit) || choices[4];
}

// A logarithmic scale with a little room at both ends; small differences do not fill it.
function logScale(values, range) {
  const [low, high] = d3.extent(values).map(Math.log10);
  const more = Math.max(0.04 * (high - low), 0.05, (0.7 - (high - low)) / 2);
  return d3.scaleLog().domain([10 ** (low - more), 10 ** (high + more)]).range(range);
}

// ---- layout -----------------------------------------------------------------------------------

const pen = document.createElement("canvas").getContext("2d");
function textWidth(text, size, weight = 400) {
  pen.font = `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}

const fontFor = (width) => Math.max(12.5, Math.min(22, width / 56));
const isWide = (width) => width >= 700;

function canvas(box, width, height, title) {
  const svg = d3.select(box).html("").append("svg")
    .attr("viewBox", `0 0 ${width} ${height}`).attr("role", "img").attr("aria-label", title);
  return svg;
}

// Words in lines of at most `most` pixels.
function wrapped(text, size, most) {
  const lines = [];
  for (const word of text.split(" ").filter(Boolean)) {
    const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length && textWidth(longer, size) <= most) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

// Moves labels up and down until none covers another: neighbours that touch become one block, and
// a block lies where its labels would like to be on average.
function pushApart(labels, top, bottom) {
  const blocks = [];
  const settle = (block) => {
    let offset = 0;
    const starts = block.labels.map((each) => {
      offset += each.height;
      return each.want - offset + each.height / 2;
    });
    block.height = offset;
    block.start = Math.max(top, Math.min(bottom - offset, d3.mean(starts)));
  };
  for (const each of labels.slice().sort((a, b) => a.want - b.want)) {
    blocks.push({ labels: [each] });
    settle(blocks[blocks.length - 1]);
    while (blocks.length > 1) {
      const [upper, lower] = blocks.slice(-2);
      if (upper.start + upper.height <= lower.start) break;
      upper.labels.push(...lower.labels);
      blocks.pop();
      settle(upper);
    }
  }
  for (const block of blocks) {
    let y = block.start;
    for (const each of block.labels) {
      each.at = y + each.height / 2;
      y += each.height;
    }
  }
}

function marker(group, server, x, y, size, hollow) {
  return group.append("path").attr("class", "mark")
    .attr("d", d3.symbol().type(SYMBOLS[servers[server].marker]).size(size * size * 0.42))
    .attr("transform", `translate(${x},${y})`)
    .style("fill", hollow ? "var(--paper)" : colour(server))
    .style("stroke", colour(server)).style("stroke-width", hollow ? size / 7 : 1);
}

const group = (svg, server) => svg.append("g").attr("class", "server").attr("data-server", server);

// ---- lines --------------------------------------------------------------------------------------

function lines(box, width, { drawing, title }) {
  const font = fontFor(width), small = font * 0.74, wide = isWide(width);
  const labels = drawing.lines.map(({ server, points, end }) => {
    const last = points[points.length - 1];
    const text = label(server) + (end ? ` to ${wide ? d3.format(",")(last.x) : short(last.x)}` : "");
    const why = wide && end ? wrapped(end, small, 14 * font) : [];
    return { server, last, text, why, height: font * 1.16 + why.length * small * 1.15 };
  });
  const column = d3.max(labels, (each) => Math.max(
    textWidth(each.text, font, 700), d3.max(each.why, (line) => textWidth(line, small)) || 0));
  const format = TICKS[drawing.ticks];
  const values = d3.merge(drawing.lines.map((line) => line.points.map((point) => point.y)));
  const marks = roundNumbers(logScale(values, [0, 1]).domain(), (some) => some.length <= (wide ? 9 : 6));
  const ticksWidth = d3.max(marks, (value) => textWidth(format(value), font * 0.9));
  const margin = { top: font * 2.2, right: column + font * 1.9, bottom: font * 3, left: ticksWidth + font };
  const needed = d3.sum(labels, (each) => each.height) + margin.bottom * 0.8;
  const height = Math.max(wide ? Math.min(570, width * 0.5) : 340, needed);
  const svg = canvas(box, width, height, title);
  const floor = height - margin.bottom;
  const x = d3.scaleLog().domain(d3.extent(drawing.xs)).range([margin.left, width - margin.right]);
  const y = logScale(values, [floor, margin.top]);
  horizontalAxis(svg, x, thinned(drawing.xs, x, font, short), short, floor, font, `${drawing.x} (log scale)`);
  svg.append("g").attr("class", "axis").attr("transform", `translate(${margin.left - font * 0.5},0)`)
    .call(d3.axisLeft(y).tickValues(marks).tickFormat(format)
      .tickSize(-(width - margin.left - margin.right + font)).tickPadding(font * 0.3))
    .attr("font-size", font * 0.9);
  svg.append("text").attr("class", "unit").attr("font-size", font * 0.9).attr("y", font)
    .text(`${drawing.y} (log scale)`);
  for (const each of labels) each.want = y(each.last.y);
  pushApart(labels, 0, height - margin.bottom * 0.8);
  const path = d3.line().x((point) => x(point.x)).y((point) => y(point.y));
  const peersFirst = d3.range(labels.length).sort((a, b) =>
    isPeer(labels[b].server) - isPeer(labels[a].server) || a - b);
  for (const i of peersFirst) {
    const { server, points } = drawing.lines[i];
    const g = group(svg, server), at = labels[i];
    const thick = isPeer(server) ? font / 7 : font / 4.9;
    g.append("path").attr("class", "line").attr("d", path(points)).style("stroke", colour(server))
      .style("stroke-width", thick).style("stroke-dasharray", scaledDash(server, font));
    for (const point of points) {
      marker(g, server, x(point.x), y(point.y), font * (isPeer(server) ? 0.75 : 0.95), point.busy)
        .append("title").text(`${label(server)}, ${d3.format(",")(point.x)}: ${point.text}`
          + (point.busy ? " (the client could do no more)" : ""));
    }
    const edge = width - margin.right + font * 1.5;
    const from = [x(at.last.x) + font * 0.5, y(at.last.y)];
    const turn = [edge - font * 0.9, at.last.x < x.domain()[1] ? at.at : from[1]];
    g.append("path").attr("class", "leader").style("stroke", colour(server))
      .attr("d", d3.line()([from, turn, [edge - font * 0.2, at.at]]));
    writeLabel(g, server, at, edge, font, small);
  }
}

function writeLabel(g, server, at, x, font, small) {
  const first = at.at - at.height / 2 + font * 0.93;
  g.append("text").attr("class", "name").attr("x", x).attr("y", first).attr("font-size", font)
    .style("fill", colour(server)).text(at.text);
  at.why.forEach((line, i) => g.append("text").attr("class", "why").attr("x", x)
    .attr("y", first + (i + 1) * small * 1.15).attr("font-size", small).text(line));
}

const scaledDash = (server, font) =>
  servers[server].dash.split(" ").filter(Boolean).map((part) => part * font / 22).join(" ") || null;

// Whether the numbers of two places on an axis have room beside each other.
const haveRoom = (a, b, scale, font, format) => Math.abs(scale(a) - scale(b))
  > (textWidth(format(a), font * 0.9) + textWidth(format(b), font * 0.9)) / 2 + font * 0.5;

// The places whose numbers have room; the ends of the axis go first.
function thinned(places, scale, font, format) {
  const kept = [];
  for (const place of [places[0], places[places.length - 1], ...places.slice(1, -1)]) {
    if (kept.every((other) => haveRoom(other, place, scale, font, format))) kept.push(place);
  }
  return kept;
}

function horizontalAxis(svg, scale, places, format, y, font, unit) {
  const [left, right] = scale.range();
  svg.append("g").attr("class", "axis").attr("transform", `translate(0,${y})`)
    .call(d3.axisBottom(scale).tickValues(places).tickFormat(format).tickSize(font * 0.35))
    .attr("font-size", font * 0.9);
  svg.append("text").attr("class", "unit").attr("x", (left + right) / 2).attr("y", y + font * 2.6)
    .attr("font-size", font * 0.9).attr("text-anchor", "middle").text(unit);
}
