// The plots that have a row for each server: bars, and pairs of dots.
"use strict";

// The rows' names at the left, their figures in words at the right; calls back for what is between.
function rows(box, width, { drawing, title }, legend, makeScale, draw) {
  const font = fontFor(width), wide = isWide(width), step = font * (wide ? 1.62 : 2.5);
  const left = d3.max(drawing.rows, (row) => textWidth(label(row.server), font, 700)) + font * 0.8;
  const right = wide ? d3.max(drawing.rows, (row) => textWidth(row.text, font * 0.9)) + font : font * 0.6;
  const top = legend ? font * 2 : font * 0.6;
  const floor = top + step * drawing.rows.length;
  const svg = canvas(box, width, floor + font * 3.2, title);
  const scale = makeScale([wide ? left : font * 0.5, width - right], font);
  const format = TICKS[drawing.ticks || "number"];
  const fit = (some) => d3.pairs(some).every(([a, b]) => haveRoom(a, b, scale, font, format));
  const ticks = scale.base ? roundNumbers(scale.domain(), fit) : scale.ticks(wide ? 8 : 4);
  svg.append("g").attr("class", "axis").attr("transform", `translate(0,${floor})`)
    .call(d3.axisBottom(scale).tickValues(ticks).tickFormat(format).tickSize(-(floor - top)).tickPadding(font * 0.5))
    .attr("font-size", font * 0.9);
  svg.append("text").attr("class", "unit").attr("font-size", font * 0.9).attr("text-anchor", "end")
    .attr("x", width - right).attr("y", floor + font * 2.6)
    .text(drawing.x + (scale.base ? " (log scale)" : ""));
  if (legend) legend(svg, font, scale.range()[0]);
  drawing.rows.forEach((row, i) => {
    const g = group(svg, row.server), middle = top + step * (i + (wide ? 0.5 : 0.72));
    const words = wide ? middle + font * 0.34 : middle - step * 0.36;
    g.append("rect").attr("class", "hit").attr("y", top + step * i).attr("width", width).attr("height", step);
    g.append("text").attr("class", "name").attr("font-size", font).style("fill", colour(row.server))
      .attr("x", wide ? left - font * 0.6 : 0).attr("text-anchor", wide ? "end" : "start")
      .attr("y", words).text(label(row.server));
    g.append("text").attr("class", "value").attr("font-size", font * 0.9).attr("y", words)
      .attr("x", wide ? width - right + font * 0.6 : width).attr("text-anchor", wide ? "start" : "end")
      .style("fill", row.stands === false ? "var(--soft)" : null).text(row.text);
    draw(g, row, middle, scale, font);
  });
}

function bars(box, width, plot) {
  const { drawing } = plot;
  const most = d3.max(drawing.rows, (row) => d3.sum(row.parts) * (1 + row.noise));
  const legend = drawing.names.length && ((svg, font, x) => {
    drawing.names.forEach((name, i) => {
      const text = svg.append("text").attr("class", "unit").attr("font-size", font * 0.9).attr("y", font)
        .attr("x", x + font * 1.1).text(name);
      svg.append("rect").attr("x", x).attr("y", font * 0.3).attr("width", font * 0.8).attr("height", font * 0.8)
        .style("fill", "var(--soft)").style("fill-opacity", i ? 0.35 : 1);
      x += textWidth(name, font * 0.9) + font * 2.4;
      return text;
    });
  });
  rows(box, width, plot, legend, (range) => d3.scaleLinear().domain([0, most]).range(range),
    (g, row, y, scale, font) => {
      let start = 0;
      row.parts.forEach((part, i) => {
        g.append("rect").attr("class", "bar").attr("x", scale(start)).attr("y", y - font * 0.42)
          .attr("width", Math.max(1, scale(start + part) - scale(start))).attr("height", font * 0.84)
          .style("fill", colour(row.server)).style("fill-opacity", i ? 0.35 : isPeer(row.server) ? 0.6 : 1);
        start += part;
      });
      if (row.noise) whisker(g, scale(start / (1 + row.noise)), scale(start * (1 + row.noise)), y, font);
    });
}

function whisker(g, from, to, y, font) {
  const h = font * 0.28;
  g.append("path").attr("class", "whisker").style("stroke-width", font / 11)
    .attr("d", `M${from},${y - h}v${2 * h}m0,${-h}H${to}m0,${-h}v${2 * h}`);
}

function pairs(box, width, plot) {
  const { drawing } = plot;
  const values = d3.merge(drawing.rows.map((row) => [row.a, row.b]));
  const legend = (svg, font, x) => drawing.words.forEach((word, i) => {
    svg.append("circle").attr("cx", x + font * 0.4).attr("cy", font * 0.72).attr("r", font * 0.36)
      .style("fill", i ? "var(--soft)" : "var(--paper)").style("stroke", "var(--soft)").style("stroke-width", font / 8);
    svg.append("text").attr("class", "unit").attr("font-size", font * 0.9).attr("x", x + font * 1.2).attr("y", font)
      .text(word);
    x += textWidth(word, font * 0.9) + font * 2.6;
  });
  rows(box, width, plot, legend, (range) => logScale(values, range),
    (g, row, y, scale, font) => {
      g.append("line").attr("x1", scale(row.a)).attr("x2", scale(row.b)).attr("y1", y).attr("y2", y)
        .style("stroke", colour(row.server)).style("stroke-width", font / 4.5).style("stroke-opacity", 0.55);
      [row.a, row.b].forEach((value, i) => g.append("circle").attr("class", "mark")
        .attr("cx", scale(value)).attr("cy", y).attr("r", font * 0.4)
        .style("fill", i ? colour(row.server) : "var(--paper)")
        .style("stroke", colour(row.server)).style("stroke-width", font / 7));
    });
}
