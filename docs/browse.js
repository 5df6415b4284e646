/* Run inside a page by browse.py: texts of too little contrast, things wider than the
   page, equations and pictures that are not there. */
(least) => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  /* Any CSS colour as red, green, blue, alpha. */
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], below) =>
    [r, g, b].map((value, i) => value * a + below[i] * (1 - a));

  /* Relative luminance and contrast, WCAG 2.2. */
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) =>
    0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };

  const ancestors = (element) => {
    const styles = [];
    for (let e = element; e; e = e.parentElement) styles.push(getComputedStyle(e));
    return styles;
  };
  const seen = (text, element) => {
    const range = document.createRange();
    range.selectNodeContents(text);
    const { width, height } = range.getBoundingClientRect();
    return width > 1 && height > 1 && element.checkVisibility({ visibilityProperty: true });
  };
  const named = (e) => `${e.tagName.toLowerCase()}.${e.getAttribute("class") ?? ""}`;

  const found = { texts: 0, weakest: 21, problems: [] };
  for (const details of document.querySelectorAll("details")) details.open = true;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const element = text.parentElement;
    if (!text.nodeValue.trim() || element.closest("script, style, mjx-assistive-mml")) continue;
    if (!seen(text, element)) continue;
    const styles = ancestors(element);
    const opacity = styles.reduce((product, style) => product * style.opacity, 1);
    if (!opacity) continue; /* shown when the pointer comes, as copy buttons are */
    const ground = styles.reduceRight(
      (below, style) => over(rgba(style.backgroundColor), below), [255, 255, 255]);
    const own = rgba(element instanceof SVGElement ? styles[0].fill : styles[0].color);
    own[3] *= opacity;
    const value = contrast(over(own, ground), ground);
    found.texts += 1;
    found.weakest = Math.min(found.weakest, value);
    if (value < least) {
      const what = `'${text.nodeValue.trim().slice(0, 30)}' in ${named(element)}`;
      found.problems.push(`contrast ${value.toFixed(2)}: ${what}`);
    }
  }

  const page = document.scrollingElement;
  if (page.scrollWidth > page.clientWidth)
    found.problems.push(`the page is ${page.scrollWidth} pixels wide`);
  for (const math of document.querySelectorAll(".math"))
    if (!math.querySelector("mjx-container") || math.querySelector("mjx-merror"))
      found.problems.push(`equation not set: ${math.textContent.slice(0, 30)}`);
  for (const image of document.images)
    if (image.loading !== "lazy" && !image.naturalWidth)
      found.problems.push(`picture missing: ${image.src}`);
  return found;
}
