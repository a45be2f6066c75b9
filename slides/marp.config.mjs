// Marp's settings; engine.mjs is what it is taught.

import { engine } from "./engine.mjs";

export default {
  engine: engine(process.env.C10K_SLIDES_WORK || "build/slides/work"),
  html: true, // made by harness/slides and by us
  theme: "c10k",
  allowLocalFiles: false,
  options: {
    emoji: { shortcode: false, unicode: false }, // Marp's come from the network
    markdown: { breaks: false }, // a line that goes on in the next is one line
    math: "mathjax",
  },
};
