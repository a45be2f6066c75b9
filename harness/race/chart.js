"use strict";
/* One plot of the last minute: a line per server, and at its end the number of now. */

const WINDOW = 60; // seconds
const counted = d3.format(",");

/** 52.1k, 980, 4.2, 0.31: three digits, as they can be read from the back row. */
function short(value) {
  if (value == null) return "–";
  if (value >= 1e6) return d3.format(".3s")(value);
  if (value >= 1e4) return d3.format(".3s")(value);
  if (value >= 100 || value % 1 === 0) return counted(Math.round(value));
  if (value >= 10) return d3.format(".0f")(value);
  return d3.format(value >= 1 ? ".1f" : value >= 0.1 ? ".2f" : value > 0 ? ".2~g" : "d")(value);
}

/** Moves labels apart that would cover each other; `rows` come back with `y` changed. */
function pushApart(rows, height, bottom) {
  rows.sort((a, b) => a.y - b.y);
  let free = height / 2;
  for (const row of rows) free = (row.y = Math.max(row.y, free)) + height;
  free = bottom;
  for (const row of rows.slice().reverse()) free = (row.y = Math.min(row.y, free)) - height;
  return rows;
}

/** The plot's scale: from zero where that is honest, by powers of ten where values differ much. */
function scaleFor(plot, values, range) {
  if (plot.top) return d3.scaleLinear([0, plot.top], range);
  const most = d3.max(values);
  if (!plot.log) return d3.scaleLinear([0, (most || 1) * 1.08], range).nice(4);
  const least = d3.min(values.filter((value) => value > 0)) || 1;
  const power = (value, round) => 10 ** round(Math.log10(value));
  const low = power(least, (x) => Math.floor(x + 1e-9));
  const high = power(most || 1, (x) => Math.ceil(x - 1e-9));
  return d3.scaleLog([low, Math.max(high, low * 10)], range).clamp(true);
}

function ticksOf(plot, y) {
  if (!plot.log) return y.ticks(4);
  const [low, high] = y.domain();
  return d3.range(Math.round(Math.log10(low)), Math.round(Math.log10(high)) + 1).map((p) => 10 ** p);
}

class Chart {
  constructor(parent, plot) {
    this.plot = plot;
    const figure = parent.append("figure").classed("big", !!plot.big).attr("data-key", plot.key);
    figure.append("figcaption").text(`${plot.title} `).append("small").text(plot.unit);
    this.svg = figure.append("svg").attr("role", "img");
    this.grid = this.svg.append("g");
    this.changes = this.svg.append("g");
    this.lines = this.svg.append("g");
    this.labels = this.svg.append("g");
  }

  /** `series`: [{label, tag, colour, dash, samples: [{at, ...}]}]; `now` on the samples' clock. */
  draw(series, now, changes) {
    const { width, height } = this.svg.node().getBoundingClientRect();
    if (!width || !height) return;
    const { plot } = this;
    const rem = this.rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const [top, left] = [1.1 * rem, 2.5 * rem];
    const right = width - rem * (plot.big ? 7 : plot.beside ? 6.6 : 5.6);
    const bottom = height - 1.1 * rem;
    const value = (sample) => sample[plot.key];
    const shown = series.map((each) => ({
      ...each, samples: each.samples.filter((sample) => sample.at > now - WINDOW - 2),
    }));
    const values = shown.flatMap((each) => each.samples.map(value)).filter((v) => v != null);
    const x = d3.scaleLinear([now - WINDOW, now], [left, right]);
    const y = scaleFor(plot, values, [bottom, top]);
    this.drawGrid(x, y, values.length ? ticksOf(plot, y) : [], now);
    this.drawChanges(x, y, changes.filter((change) => change.at > now - WINDOW));
    const line = d3.line().defined((sample) => value(sample) != null)
      .x((sample) => x(Math.max(sample.at, now - WINDOW))).y((sample) => y(value(sample)));
    this.lines.selectAll("path").data(shown, (each) => each.name).join("path")
      .attr("class", "line").attr("data-server", (each) => each.name)
      .attr("stroke", (each) => each.colour).attr("stroke-dasharray", (each) => each.dash || null)
      .attr("d", (each) => line(each.samples));
    this.drawLabels(shown, y, right);
  }

  drawGrid(x, y, ticks, now) {
    const [left, right] = x.range();
    this.grid.selectAll("line").data(ticks).join("line").attr("class", "grid")
      .attr("x1", left).attr("x2", right).attr("y1", y).attr("y2", y);
    this.grid.selectAll("text.y").data(ticks).join("text").attr("class", "y")
      .attr("x", left - this.rem / 3).attr("y", y).attr("dy", "0.32em").attr("text-anchor", "end")
      .text((tick) => (tick >= 1000 ? d3.format("~s")(tick) : d3.format("~r")(tick)));
    const times = this.plot.big ? [-60, -40, -20, 0] : [-60, -30, 0];
    this.grid.selectAll("text.x").data(times).join("text").attr("class", "x")
      .attr("x", (time) => x(now + time)).attr("y", y.range()[0]).attr("dy", "1.3em")
      .attr("text-anchor", (time) => (time ? "middle" : "end"))
      .text((time) => (time ? `−${-time} s` : "now"));
  }

  drawChanges(x, y, changes) {
    const [bottom, top] = y.range();
    this.changes.selectAll("line").data(changes).join("line").attr("class", "change")
      .attr("x1", (change) => x(change.at)).attr("x2", (change) => x(change.at))
      .attr("y1", top).attr("y2", bottom);
    // Words for all those that have room before the next.
    const room = (change, i) => x(i + 1 < changes.length ? changes[i + 1].at : Infinity) - x(change.at);
    const named = changes.filter((change, i) => this.plot.big && !(room(change, i) < 6 * this.rem));
    this.changes.selectAll("text").data(named).join("text")
      .attr("x", (change) => x(change.at)).attr("y", top).attr("dy", "-0.4em")
      .text((change) => change.text);
  }

  /** The newest number of each, at the height of its line's end. */
  drawLabels(series, y, right) {
    const { plot, rem } = this;
    const bottom = y.range()[0];
    const rows = [];
    for (const each of series) {
      const last = each.samples.filter((sample) => sample.server).pop();
      if (last) rows.push({ each, last, y: last[plot.key] == null ? bottom : y(last[plot.key]) });
    }
    pushApart(rows, rem * (plot.big ? 1.55 : 1.15), bottom);
    const labels = this.labels.selectAll("text").data(rows, (row) => row.each.name)
      .join((enter) => {
        const text = enter.append("text").attr("class", "value");
        text.append("tspan").attr("class", "tag");
        text.append("tspan").attr("class", "now").attr("dx", "0.2em");
        text.append("tspan").attr("class", "tag beside").attr("dx", "0.2em");
        return text;
      })
      .attr("x", right + rem / 3).attr("y", (row) => row.y).attr("dy", "0.35em")
      .style("fill", (row) => row.each.colour);
    labels.select(".tag").text((row) => row.each.tag);
    labels.select(".now").text((row) => short(row.last[plot.key]));
    labels.select(".beside").text((row) => (plot.beside ? plot.beside(row.last) : ""));
    const said = rows.map((row) => `${row.each.label} ${short(row.last[plot.key])}`).join(", ");
    this.svg.attr("aria-label", `${plot.title} ${plot.unit}: ${said || "nothing yet"}`);
  }
}
