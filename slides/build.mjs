// `node slides/build.mjs html|pdf|pictures NAME...`: filled decks in build/slides/work become pages.

import { mkdirSync, readFileSync, rmSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { marpCli } from "@marp-team/marp-cli";
import { drawn } from "./draw.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../build/slides");
const work = join(out, "work");
const ready = join(out, "drawn");
const [what, ...names] = process.argv.slice(2);

// What Marp says while nothing is wrong is not worth a line.
const told = process.stderr.write.bind(process.stderr);
process.stderr.write = (text, ...rest) => /\[\s*INFO\s*\]/.test(text) || told(text, ...rest);

process.env.C10K_SLIDES_WORK = work;
mkdirSync(ready, { recursive: true });
if (what === "pictures") mkdirSync(join(out, "png"), { recursive: true });
let status = 0;
for (const name of names) {
  try {
    const deck = join(ready, `${name}.md`);
    writeFileSync(deck, await drawn(readFileSync(join(work, `${name}.md`), "utf8"), work));
    status ||= await made(name, deck);
    if (what === "html" && !status) selfContained(join(out, `${name}.html`));
  } catch (error) {
    console.error(`make slides: ${name}: ${error.message}`);
    status = 1;
  }
  if (status) break;
}
process.exit(status);

function made(name, deck) {
  const general = [deck, "--config-file", join(here, "marp.config.mjs"), "--no-stdin"];
  if (what === "html") return marpCli([...general, "-o", join(out, `${name}.html`)]);
  if (what === "pdf")
    return marpCli([...general, "--pdf", "--pdf-outlines", "-o", join(out, `${name}.pdf`)]);
  for (const old of readdirSync(join(out, "png")).filter((file) => file.startsWith(`${name}.`)))
    rmSync(join(out, "png", old));
  return marpCli([...general, "--images", "png", "-o", join(out, "png", `${name}.png`)]);
}

// Throws if the page would fetch anything. Links that a reader may follow are no requests.
function selfContained(path) {
  const page = readFileSync(path, "utf8").replace(/data:[\w/+.-]+;base64,[A-Za-z0-9+/=]*/g, "");
  const found = page.match(
    /(?:\bsrc|srcset|poster|xlink:href)="(?:https?:)?\/\/[^"]*"|<link[^>]+href="https?:[^"]*"|url\(['"]?(?:https?:)?\/\/[^)]*\)|@import[^;]*/,
  );
  if (found) throw new Error(`the page would fetch ${found[0].slice(0, 100)}`);
}
