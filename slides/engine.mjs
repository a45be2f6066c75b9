// What Marp is taught: code with emphasised lines, pictures inside the page, slides of two columns.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import hljs from "highlight.js";
import { embedded, escaped } from "./svg.mjs";

const require = createRequire(import.meta.url);
const ROOM = { wide: 1136, middle: 783, narrow: 698, half: 542, tall: 508 }; // pixels that code may take
const LETTER = 0.6,
  LINE = 1.38; // of the font's size: a letter's width, a line's height

// ---- code -----------------------------------------------------------------------------------

// The largest type with which all lines fit. It is small for very long lines, but not for many lines:
// of these the check complains.
function typeSize(lines, least, room = "wide") {
  const columns = Math.max(...lines.map((line) => line.length), 1);
  const across = Math.floor((ROOM[room] / (columns * LETTER)) * 4) / 4;
  const down = Math.floor(((ROOM.tall - 40) / (lines.length * LINE)) * 4) / 4;
  return Math.max(Math.min(across, least), 18.5, Math.min(across, Math.max(down, least), 26));
}

// Highlighted source in lines: a span that is open at a line's end is opened again in the next.
function highlighted(text, language) {
  const known = language && hljs.getLanguage(language);
  const html = known
    ? hljs.highlight(text, { language, ignoreIllegals: true }).value
    : escaped(text);
  const open = [];
  return html.split("\n").map((line) => {
    const before = open.join("");
    for (const [tag] of line.matchAll(/<span[^>]*>|<\/span>/g))
      if (tag === "</span>") open.pop();
      else open.push(tag);
    return before + line + "</span>".repeat(open.length);
  });
}

function codeBlock(token) {
  const [, language, rest] = token.info.match(/^(\S*)\s*(.*)$/s);
  const options = rest.startsWith("{") ? JSON.parse(rest) : {};
  const lines = token.content.replace(/\n$/, "").split("\n");
  const marks = new Set(options.mark || []);
  const isDiff = language === "diff";
  const bare = isDiff ? lines.map((line) => (line === "@" ? "" : line.slice(1))) : lines;
  const shown = highlighted(bare.join("\n"), isDiff ? "cpp" : language);
  const KINDS = { "+": "added", "-": "removed", "@": "gap" };
  const rows = shown.map((html, index) => {
    const kind = isDiff ? KINDS[lines[index][0]] || "same" : "";
    const sign = isDiff
      ? `<span class="sign">${kind === "gap" ? "⋯" : lines[index][0] || " "}</span>`
      : "";
    const marked = marks.has(index + 1) ? " marked" : "";
    return `<span class="row ${kind}${marked}">${sign}${html || " "}</span>`;
  });
  const at = options.at ? `<figcaption>${escaped(options.at)}</figcaption>` : "";
  const room = isDiff ? lines.map((line) => `${line} `) : lines; // a sign is wider than a letter
  const sizes = { wide: typeSize(room, 20), dense: typeSize(room, 18) };
  for (const column of ["middle", "narrow", "half"]) sizes[column] = typeSize(room, 20, column);
  const size = Object.entries(sizes)
    .map(([name, pixels]) => `--${name}:${pixels}px`)
    .join(";");
  return (
    `<figure class="code" style="${size}">${at}<pre><code class="language-${language}">` +
    `${rows.join("")}</code></pre></figure>\n`
  );
}

// ---- pictures -------------------------------------------------------------------------------

const TYPES = { ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp" };

const isTrace = (source) => source.startsWith("img/trace-");
const TALL = 620; // of this height a trace would be drawn too small
const TITLE = 44; // pixels at its top that say what the slide says as well
const TITLE_PARTS =
  /<rect [^>]*class="badge"[^>]*\/>|<text [^>]*class="(?:number|name|soft idea)"[^>]*>[^<]*<\/text>/g;

// A trace in larger type; a tall one without its title.
function seenFromAfar(svg) {
  const large = svg.replace(/font-size: 16px/g, "font-size: 17.5px");
  const [, width, height] = large.match(/viewBox="0 0 ([\d.]+) ([\d.]+)"/) || [];
  if (!(height > TALL)) return large;
  const box = `viewBox="0 ${TITLE} ${width} ${height - TITLE}"`;
  return large.replace(/viewBox="[^"]*"/, box).replace(TITLE_PARTS, "");
}

function picture(folder, source, alt) {
  if (/^\w+:/.test(source) && !source.startsWith("data:"))
    throw new Error(`${source}: a deck needs no network`);
  const [name, most] = source.split("#");
  const path = join(folder, name);
  if (!existsSync(path)) throw new Error(`there is no picture ${name}`);
  const type = extname(path);
  if (type === ".svg") {
    let svg = readFileSync(path, "utf8");
    if (isTrace(source)) svg = seenFromAfar(svg);
    return embedded(svg, alt, { most: Number(most) || Infinity });
  }
  if (!TYPES[type]) throw new Error(`${name}: not a picture that can be shown`);
  if (!alt.trim()) throw new Error(`${name}: a picture without a text alternative`);
  return `<img src="data:${TYPES[type]};base64,${readFileSync(path, "base64")}" alt="${escaped(alt)}">`;
}

// ---- arrangement ----------------------------------------------------------------------------

// The top-level blocks of a slide's tokens.
function blocks(tokens) {
  const found = [];
  let depth = 0;
  for (const token of tokens) {
    if (depth === 0) found.push([]);
    found.at(-1).push(token);
    depth += token.nesting;
  }
  return found;
}

const isPicture = ([, inline]) =>
  inline?.type === "inline" && inline.children.length === 1 && inline.children[0].type === "image";
const isMedia = (block) =>
  block[0].type === "fence" ||
  /class="what"/.test(block[0].content) ||
  /^picture/.test(block[0].attrGet?.("class"));
const isHeading = (block) => block[0].type === "heading_open";
const stays = (block) =>
  /^marpit_|front_matter/.test(block[0].type) ||
  (block[0].type === "html_block" && /class="source"/.test(block[0].content));

// Everything but heading, foot and notes goes into a body, in two columns where they are asked for.
function arranged(Token, tokens, split) {
  const html = (content) => Object.assign(new Token("html_block", "", 0), { content });
  const all = blocks(tokens);
  const first = all.findIndex((block) => !stays(block) && !isHeading(block));
  if (first < 0) return tokens;
  const body = all.slice(first).filter((block) => !stays(block));
  const media = body.filter(isMedia),
    words = body.filter((block) => !isMedia(block));
  const inside =
    split && media.length
      ? [
          html('<div class="columns"><div class="media">'),
          ...media.flat(),
          html('</div><div class="words">'),
          ...words.flat(),
          html("</div></div>"),
        ]
      : body.flat();
  return [
    ...all.slice(0, first).flat(),
    html('<div class="body">'),
    ...inside,
    html("</div>"),
    ...all.slice(first).filter(stays).flat(),
  ];
}

function slides(state) {
  const out = [];
  for (let at = 0; at < state.tokens.length; at++) {
    const token = state.tokens[at];
    out.push(token);
    if (token.type !== "marpit_slide_open") continue;
    const end = state.tokens.findIndex((other, n) => n > at && other.type === "marpit_slide_close");
    const inside = state.tokens.slice(at + 1, end);
    for (const block of blocks(inside))
      if (block[0].type === "paragraph_open" && isPicture(block))
        block[0].attrSet(
          "class",
          isTrace(block[1].children[0].attrGet("src")) ? "picture wide" : "picture",
        );
    const classes = [token.meta?.marpitDirectives?.class || []].flat().join(" ").split(/\s+/);
    out.push(...arranged(state.Token, inside, classes.includes("split")));
    at = end - 1;
  }
  state.tokens = out;
}

// ---- all of it ------------------------------------------------------------------------------

const FACES = [
  ["sans", "IBM Plex Sans", 400],
  ["sans", "IBM Plex Sans", 600],
  ["mono", "IBM Plex Mono", 400],
  ["mono", "IBM Plex Mono", 600],
];

function fonts() {
  return FACES.map(([kind, family, weight]) => {
    const file = require.resolve(
      `@fontsource/ibm-plex-${kind}/files/ibm-plex-${kind}-latin-${weight}-normal.woff2`,
    );
    return (
      `@font-face{font-family:"${family}";font-weight:${weight};font-style:normal;` +
      `src:url(data:font/woff2;base64,${readFileSync(file, "base64")}) format("woff2")}`
    );
  }).join("\n");
}

// `folder`: where the pictures of all decks are looked for.
export const engine =
  (folder) =>
  ({ marp }) => {
    const theme = readFileSync(new URL("./theme.css", import.meta.url), "utf8");
    marp.themeSet.add(`${theme}\n${fonts()}`);
    return marp.use((md) => {
      md.core.ruler.push("c10k_slides", slides);
      md.renderer.rules.fence = (tokens, index) => codeBlock(tokens[index]);
      md.renderer.rules.image = (tokens, index, options, env, self) =>
        picture(
          folder,
          tokens[index].attrGet("src"),
          self.renderInlineAsText(tokens[index].children, options, env),
        );
    });
  };
