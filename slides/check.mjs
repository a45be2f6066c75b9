// `node slides/check.mjs NAME...`: looks at every slide of built pages in Chromium, and prints what is
// wrong as JSON: [{deck, slides, problems: [{slide, heading, what, help}]}].

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";
import { look } from "./look.mjs";

const folder = join(dirname(fileURLToPath(import.meta.url)), "../build/slides");
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-sync",
  "--disable-component-update",
  "--disable-default-apps",
  "--no-first-run",
  "--hide-scrollbars",
];

const browser = await puppeteer.launch({
  executablePath:
    process.env.CHROME_PATH || ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync),
  headless: true,
  args: flags,
});
const found = [];
try {
  for (const deck of process.argv.slice(2)) found.push({ deck, ...(await looked(deck)) });
} finally {
  await browser.close();
}
console.log(JSON.stringify(found));

async function looked(deck) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 720 });
  const address = pathToFileURL(join(folder, `${deck}.html`)).href;
  const requests = new Set();
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith("data:") && url.split("#")[0] !== address) requests.add(url);
  });
  await page.goto(address, { waitUntil: "load" });
  await page.evaluate(() => document.fonts.ready);
  // All slides at once, each in its full size.
  await page.addStyleTag({
    content: `.bespoke-marp-slide, .bespoke-marp-inactive { content-visibility: visible !important; visibility: visible !important; opacity: 1 !important; }`,
  });
  const { slides, problems } = await page.evaluate(look);
  for (const url of requests)
    problems.push({
      slide: 0,
      heading: "",
      what: `it asks the network for ${url}`,
      help: "put it into slides/img",
    });
  await page.close();
  return { slides, problems };
}
