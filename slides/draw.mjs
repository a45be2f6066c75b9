// Draws the diagrams of a filled deck without a browser, and puts pictures in their places.

import { createHash, webcrypto } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { instance } from "@viz-js/viz";
import { renderMermaidSVG } from "beautiful-mermaid";
import * as vega from "vega";
import * as vegaLite from "vega-lite";

const FONT = "IBM Plex Sans";
const INK = "#14171a",
  SOFT = "#3c464f",
  BAND = "#f3f5f7";
const FENCE = /^(`{3,})(mermaid|dot|vega-lite)\n([\s\S]*?)\n\1$/gm;

globalThis.crypto ??= webcrypto; // viz wants it, Node 18 has it only here
const viz = await instance();

const DOT = {
  graphAttributes: {
    bgcolor: "transparent",
    fontname: "Arial",
    fontsize: 22,
    fontcolor: INK,
    pad: 0.1,
    nodesep: 0.45,
    ranksep: 0.7,
  },
  nodeAttributes: {
    fontname: "Arial",
    fontsize: 22,
    fontcolor: INK,
    color: SOFT,
    penwidth: 2,
    style: "rounded,filled",
    fillcolor: BAND,
    shape: "box",
    margin: "0.26,0.14",
  },
  edgeAttributes: {
    fontname: "Arial",
    fontsize: 20,
    fontcolor: INK,
    color: SOFT,
    penwidth: 2,
    arrowsize: 0.9,
  },
};

// Arial tells the layout how wide words are; what is shown is the deck's own font.
const dot = (source) =>
  viz
    .renderString(source, { format: "svg", ...DOT })
    .replace(/font-family="[^"]*(?:Arial|Helvetica)[^"]*"/g, `font-family="${FONT}"`)
    .replace(/font-family="[^"]*(?:Courier|Mono)[^"]*"/g, `font-family="IBM Plex Mono"`)
    .replace(/<title>[\s\S]*?<\/title>/g, "");

// beautiful-mermaid draws small words with ample room around them: they are made larger within it.
function mermaid(source) {
  const svg = renderMermaidSVG(source.replace(/^%%.*\n/gm, ""), {
    bg: "#ffffff",
    fg: INK,
    line: SOFT,
    accent: INK,
    muted: INK,
    surface: BAND,
    border: SOFT,
    font: FONT,
    padding: 8,
    transparent: true,
  });
  const times = /^\s*sequenceDiagram/m.test(source) ? 1.3 : 1.18;
  return svg
    .split(/(<g class="note"[\s\S]*?<\/g>)/)
    .map((part) => {
      if (!part.startsWith('<g class="note"'))
        return part.replace(
          /font-size="([\d.]+)"/g,
          (_, size) => `font-size="${(size * times).toFixed(1)}"`,
        );
      const [, x, y] = part.match(/<text x="([\d.]+)" y="([\d.]+)"/);
      return part.replace(
        "<g ",
        `<g transform="translate(${x} ${y}) scale(${times}) translate(-${x} -${y})" `,
      );
    })
    .join("");
}

const plot = (source) =>
  new vega.View(vega.parse(vegaLite.compile(JSON.parse(source)).spec), {
    renderer: "none",
  }).toSVG();

const DRAW = { mermaid, dot, "vega-lite": plot };
const MOST = { mermaid: 2.4, dot: 1.45, "vega-lite": 1 };

// The deck with pictures for its diagrams; `folder` takes them. Throws what is wrong with one.
export async function drawn(markdown, folder) {
  const found = [...markdown.matchAll(FENCE)];
  const made = await Promise.all(
    found.map(async ([, , language, source]) => {
      const name = `${language}-${createHash("sha256").update(source).digest("hex").slice(0, 12)}.svg`;
      let svg;
      try {
        svg = await DRAW[language](source);
      } catch (error) {
        throw new Error(
          `this ${language} cannot be drawn: ${error.message}\n${source.slice(0, 300)}`,
        );
      }
      writeFileSync(join(folder, "img", name), svg);
      return `![${alternative(language, source)}](img/${name}#${MOST[language]})`;
    }),
  );
  return markdown.replace(FENCE, () => made.shift());
}

function alternative(language, source) {
  const text =
    language === "vega-lite"
      ? JSON.parse(source).description
      : source.split("\n")[0].replace(/^(%%|\/\/) alt:\s*/, "");
  return text.replace(/[[\]]/g, (sign) => `\\${sign}`);
}
