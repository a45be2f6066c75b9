// What is wrong with the slides of a page. `look` runs inside of the page, so all it needs is in it.

export function look() {
  const LEAST = 15.75; // pixels of text that can be read from the back row
  const LEAST_FOOT = 14;
  const FOOT = 672; // where the foot begins
  const MOST_WORDS = { alone: 60, beside: 40 };
  const FEWER = "show less, or class dense";
  const start = (text) => `"${text.trim().slice(0, 40)}"`;
  const inPicture = (node) => node.closest("section svg");

  // Each kind of problem once a slide.
  function reporter(slide, heading, problems) {
    const said = new Set();
    return (what, help) => {
      const kind = what.replace(/[\d.]+|:.*/gs, "");
      if (!said.has(kind)) problems.push({ slide, heading, what, help });
      said.add(kind);
    };
  }

  // All pieces of text with their place and the size they really have.
  function textsOf(section) {
    const found = [];
    const hidden = "style, script, title, desc, mjx-assistive-mml";
    const walker = document.createTreeWalker(section, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const parent = node.parentElement;
      const style = getComputedStyle(parent);
      if (!node.textContent.trim() || parent.closest(hidden) || style.visibility === "hidden")
        continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const box = (inPicture(parent) ? parent : range).getBoundingClientRect();
      const matrix = inPicture(parent) && parent.getScreenCTM?.();
      const scale = matrix ? Math.hypot(matrix.c, matrix.d) : 1;
      const size = parseFloat(style.fontSize) * scale;
      if (box.width) found.push({ text: node.textContent, parent, box, size });
    }
    return found;
  }

  function judgeFrame(section, index, heading, wrong) {
    const isTitle = section.classList.contains("title");
    const note = document.querySelector(`.bespoke-marp-note[data-index="${index}"]`);
    if (!heading) wrong("it has no heading", "start it with ## ...");
    if (!isTitle && !note?.textContent.trim())
      wrong("it has no notes", "say in a comment what to tell and to show");
    for (const picture of section.querySelectorAll("img, svg")) {
      const isOwn = picture.parentElement.closest("svg, mjx-container") === section.closest("svg");
      const words = picture.getAttribute("alt") || picture.getAttribute("aria-label") || "";
      if (isOwn && !words.trim()) wrong("a picture has no text alternative", "give it an alt");
    }
  }

  const isOutside = (box, frame, room) =>
    box.right > frame.right + room ||
    box.left < frame.left - room ||
    box.bottom > frame.bottom + room ||
    box.top < frame.top - room;

  function judgeTexts(texts, edge, wrong) {
    for (const { text, parent, box, size } of texts) {
      const isFoot = parent.closest("footer, .source");
      if (isOutside(box, edge, 1)) wrong(`text leaves the slide: ${start(text)}`, FEWER);
      else if (!isFoot && box.bottom > edge.top + FOOT)
        wrong(`text runs into the foot: ${start(text)}`, FEWER);
      if (size < (isFoot ? LEAST_FOOT : LEAST))
        wrong(
          `text of ${size.toFixed(1)} px: ${start(text)}`,
          "fewer or shorter labels, so that the picture needs no shrinking",
        );
      const frame = inPicture(parent)?.closest("p")?.querySelector("svg").getBoundingClientRect();
      if (frame && isOutside(box, frame, 3))
        wrong(`a label leaves its picture: ${start(text)}`, "make it shorter");
    }
  }

  function judgeRoom(section, edge, wrong) {
    for (const box of section.querySelectorAll("pre, .words, p:not(.picture), td, li")) {
      if (inPicture(box)) continue;
      const what = box.tagName === "PRE" ? "code" : "text";
      const right = box.clientWidth && box.scrollWidth - box.clientWidth;
      const below = box.tagName === "PRE" && box.scrollHeight - box.clientHeight;
      const shorter = "shorter lines: show a part, bare, or without split";
      if (right > 1) wrong(`${what} is cut at the right, by ${right} px`, shorter);
      if (below > 1) wrong(`${what} is cut below, by ${below} px`, FEWER);
    }
    const parts = [...section.querySelectorAll(":scope > *, .body > *, .words > *, .media > *")];
    const bottoms = parts
      .filter((each) => !each.matches("footer, .source, style"))
      .map((each) => each.getBoundingClientRect())
      .map((box) => (box.height ? box.bottom : 0));
    const over = Math.max(...bottoms) - edge.top - FOOT;
    if (over > 1) wrong(`content runs ${Math.round(over)} px into the foot`, FEWER);
    for (const picture of section.querySelectorAll("p.picture")) {
      const height = picture.getBoundingClientRect().height;
      if (height < 140)
        wrong(`a picture has only ${Math.round(height)} px of height`, "fewer words beside it");
    }
  }

  // Whether two boxes share more than this part of the smaller one.
  function covers(a, b, share) {
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const tall = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    const smaller = Math.min(a.width * a.height, b.width * b.height);
    return wide > 2 && tall > 2 && wide * tall > share * smaller;
  }

  const pairs = (all) => all.flatMap((a, n) => all.slice(n + 1).map((b) => [a, b]));

  function judgeOverlaps(section, texts, wrong) {
    const blocks =
      "h1, h2, h3, p:not(.picture):not(.source), ul, ol, table, pre, .picture > svg, .picture > img";
    const own = [...section.querySelectorAll(blocks)].filter(
      (each) => !each.parentElement.closest("ul, ol, table, p:not(.picture), pre"),
    );
    for (const [a, b] of pairs(own))
      if (!a.contains(b) && covers(a.getBoundingClientRect(), b.getBoundingClientRect(), 0.01))
        wrong(`they lie over each other: ${start(a.textContent)}, ${start(b.textContent)}`, FEWER);
    const labels = texts.filter(({ parent }) => parent.closest("p.picture svg"));
    for (const [a, b] of pairs(labels))
      if (a.parent !== b.parent && covers(a.box, b.box, 0.3))
        wrong(
          `labels lie over each other: ${start(a.text)} and ${start(b.text)}`,
          "move or shorten one",
        );
  }

  function judgeWords(section, wrong) {
    const prose = "p:not(.source):not(.what):not(.grader):not(.picture), li, td, th, blockquote";
    const count = [...section.querySelectorAll(prose)]
      .filter((each) => !each.querySelector("p, li"))
      .flatMap((each) => each.textContent.trim().split(/\s+/))
      .filter((word) => /\w/.test(word)).length;
    const beside = section.querySelector("pre, p.picture");
    const most = beside ? MOST_WORDS.beside : MOST_WORDS.alone;
    const where = beside ? " beside code or a picture" : "";
    if (count > most)
      wrong(
        `${count} words${where}, more than ${most}`,
        "move some into the notes, or onto a slide of their own",
      );
  }

  const problems = [];
  const sections = [...document.querySelectorAll("section[data-marpit-pagination], section[id]")];
  sections.forEach((section, index) => {
    const heading = section.querySelector("h1, h2, h3")?.textContent.trim() || "";
    const wrong = reporter(index + 1, heading, problems);
    const edge = section.getBoundingClientRect();
    const texts = textsOf(section);
    judgeFrame(section, index, heading, wrong);
    judgeTexts(texts, edge, wrong);
    judgeRoom(section, edge, wrong);
    judgeOverlaps(section, texts, wrong);
    judgeWords(section, wrong);
  });
  return { slides: sections.length, problems };
}
