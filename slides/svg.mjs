// An SVG made fit to stand inside of a page: its names and styles are its own, nothing is fetched.

import { createHash } from "node:crypto";
import postcss from "postcss";

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
export const escaped = (text) => text.replace(/[&<>"]/g, (sign) => ESCAPES[sign]);

// `most`: how many times its own size it may become. Throws for what would be fetched.
export function embedded(source, alt, { most = Infinity } = {}) {
  if (!alt.trim()) throw new Error("a picture without a text alternative");
  const id = "p" + createHash("sha256").update(source).update(alt).digest("hex").slice(0, 8);
  let svg = source
    .slice(source.search(/<svg\b/))
    .trim()
    .replace(/@import\s+url\([^)]*\)\s*;?/g, "")
    .replace(/<!--.*?-->/gs, "");
  const fetched = svg
    .replace(/\sxmlns(:\w+)?="[^"]*"/g, "")
    .match(/(?:href|src)="(?!#|data:)[^"]*"|url\((?!['"]?(?:#|data:))[^)]*\)/);
  if (fetched) throw new Error(`a picture that fetches ${fetched[0]}`);
  const classes = (attribute(svg.match(/^<svg\b[^>]*>/)[0], "class") || "")
    .split(/\s+/)
    .filter(Boolean);
  svg = svg
    .replace(
      /<style[^>]*>(.*?)<\/style>/gs,
      (_, css) => `<style>${scoped(css, id, classes)}</style>`,
    )
    .replace(/\sid="([^"]+)"/g, ` id="${id}-$1"`)
    .replace(/url\((['"]?)#([^)'"]+)\1\)/g, `url(#${id}-$2)`)
    .replace(/href="#([^"]+)"/g, `href="#${id}-$1"`)
    .replace(/\saria-(labelledby|describedby)="[^"]*"/g, "");
  const [head] = svg.match(/^<svg\b[^>]*>/);
  const [width, height] = size(head);
  const limit = Number.isFinite(most)
    ? `max-width:${Math.round(width * most)}px;max-height:${Math.round(height * most)}px`
    : "";
  const own = (head.match(/\sstyle="([^"]*)"/) || ["", ""])[1].replace(/background:[^;]*;?/g, "");
  const kept = head.replace(/\s(id|width|height|style|role|aria-label|viewBox)="[^"]*"/g, "");
  const start =
    `${kept.slice(0, -1)} id="${id}" viewBox="${box(head, width, height)}" role="img"` +
    ` aria-label="${escaped(alt)}" data-width="${width}" style="${own};${limit}">`;
  return start + svg.slice(head.length);
}

const attribute = (head, name) => (head.match(new RegExp(`\\s${name}="([^"]*)"`)) || [])[1];
const box = (head, width, height) => attribute(head, "viewBox") || `0 0 ${width} ${height}`;

function size(head) {
  const viewBox = attribute(head, "viewBox");
  if (viewBox)
    return viewBox
      .trim()
      .split(/[\s,]+/)
      .slice(2)
      .map(Number);
  const sides = ["width", "height"].map((name) => parseFloat(attribute(head, name)));
  if (sides.some(Number.isNaN)) throw new Error("a picture without a size");
  return sides;
}

// Its rules for itself alone, none for a dark screen (slides are light), and the deck's own font.
function scoped(css, id, classes) {
  const root = postcss.parse(css.replace(/^\s*<!\[CDATA\[|\]\]>\s*$/g, ""));
  const whole = new RegExp(
    `^(?:svg|:root${classes.map((name) => `|\\.${name}`).join("")})(?![\\w-])`,
  );
  root.walkAtRules((rule) => {
    if (
      (rule.name === "media" && /dark/.test(rule.params)) ||
      /^(font-face|import)$/.test(rule.name)
    )
      rule.remove();
  });
  root.walkRules((rule) => {
    if (/keyframes/.test(rule.parent?.name || "")) return;
    rule.selectors = rule.selectors.map((selector) =>
      whole.test(selector) ? selector.replace(whole, `#${id}`) : `#${id} ${selector}`,
    );
  });
  root.walkDecls(/^font(-family)?$/, (declaration) => {
    declaration.value = declaration.value.replace(/system-ui|ui-monospace/, (name) =>
      name === "system-ui" ? '"IBM Plex Sans"' : '"IBM Plex Mono"',
    );
  });
  return root.toString();
}
