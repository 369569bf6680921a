// Where a frame has to be scrolled sideways, the keyboard can reach it.
const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
document.querySelectorAll(".frame").forEach((frame) => resized.observe(frame));

const matrix = document.querySelector(".matrix");
if (matrix) {
  moveByArrows(matrix);
  await explore();
}

// In the matrix, Tab stops at one cell, and arrows lead from there to the next cell that has images.
function moveByArrows(grid) {
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  let stop = grid.querySelector("a");
  grid.querySelectorAll("a").forEach((link) => (link.tabIndex = link === stop ? 0 : -1));
  grid.addEventListener("focusin", ({ target }) => {
    stop.tabIndex = -1;
    stop = target;
    stop.tabIndex = 0;
  });
  grid.addEventListener("keydown", (event) => {
    if (!steps[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const [down, right] = steps[event.key];
    let cell = event.target.closest("td");
    let next = null;
    do {
      cell = grid.rows[cell.parentElement.rowIndex + down]?.cells[cell.cellIndex + right];
      next = cell?.querySelector("a");
    } while (cell && !next);
    next?.focus();
  });
}

// The images listed are a function of the fragment of the address, and the form writes it: so each view has a link and
// a place in the browser's history. A fragment without "=" is the anchor of a section and changes nothing.
async function explore() {
  const LIKELIEST = 3;
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const [width, height] = data.size;
  const [sprite, form, view, status, list] = [".sprite", ".filters", ".view", ".status", ".images"].map((name) =>
    document.querySelector(name),
  );
  const { content: blankImage } = document.getElementById("explorer-image");
  const { content: blankBar } = document.getElementById("explorer-bar");

  // The data come by falling confidence, ordered by more digits than are shown.
  const orders = {
    surest: (a, b) => a.tile - b.tile,
    least: (a, b) => b.tile - a.tile,
    index: (a, b) => a.index - b.index,
  };
  data.images.forEach((image, tile) => {
    const [predicted] = image.classes;
    Object.assign(image, { tile, predicted, confidence: image.probabilities[0], right: predicted === image.true });
  });

  const isShare = (text) => /^(\d+|\d*\.\d+)$/.test(text) && Number(text) <= 1;
  const isView = () => location.hash.includes("=");

  function readFragment() {
    const values = new URLSearchParams(location.hash.slice(1));
    for (const field of form.elements) {
      const value = values.get(field.name) ?? "";
      field.value = field.type === "number" && !isShare(value) ? "" : value;
      if (field.selectedIndex === -1) field.selectedIndex = 0; // nothing, or a value that is not among the options
    }
    return Object.fromEntries(new FormData(form));
  }

  function writeFragment() {
    const filled = [...new FormData(form)].filter(([, value]) => value !== "");
    location.hash = new URLSearchParams(filled);
  }

  function show() {
    const asked = readFragment();
    const images = data.images.filter(
      (image) =>
        (asked.true === "" || image.true === Number(asked.true)) &&
        (asked.predicted === "" || image.predicted === Number(asked.predicted)) &&
        (asked.answer === "" || image.right === (asked.answer === "right")) &&
        (asked.from === "" || image.confidence >= Number(asked.from)) &&
        (asked.to === "" || image.confidence <= Number(asked.to)),
    );
    images.sort(orders[asked.sort]);
    list.replaceChildren(...images.map(item));
    list.scrollTop = 0;
    const number = (count) => count.toLocaleString("en");
    let of = `${number(data.images.length)} images listed here (${number(data.tested)} tested)`;
    for (const link of matrix.querySelectorAll("a")) {
      const cell = new URLSearchParams(link.hash.slice(1));
      const open = cell.get("true") === asked.true && cell.get("predicted") === asked.predicted;
      link.ariaCurrent = open ? "true" : null;
      if (open) of = `${link.textContent} images of this cell`;
    }
    status.textContent = `${number(images.length)} of ${of}`;
  }

  // Beside the matrix the list is in sight; below it, a chosen cell would seem to do nothing.
  function reveal() {
    if (view.getBoundingClientRect().top > innerHeight / 2) view.scrollIntoView();
  }

  function item(image) {
    const card = blankImage.cloneNode(true);
    draw(card.querySelector("canvas"), image);
    const [predicted, label] = [image.predicted, image.true].map((c) => data.classes[c]);
    card.querySelector(".name").textContent = `Test image ${image.index}`;
    card.querySelector(".answer").textContent = image.right ? `${label}, rightly` : `${predicted} instead of ${label}`;
    if (data.replicates > 1) {
      card.querySelector(".agree").textContent = `${image.agree} of ${data.replicates} networks say so`;
    }
    const shown = (c, place) => place < LIKELIEST || c === image.true;
    const bars = (wanted) => image.classes.map((c, place) => wanted(c, place) && bar(image, place)).filter(Boolean);
    card.querySelector(".bars").replaceChildren(...bars(shown));
    const details = card.querySelector("details");
    const others = image.classes.filter((c, place) => !shown(c, place)).length;
    details.hidden = others === 0;
    details.querySelector("summary").textContent = others === 1 ? "1 more" : `${others} more`;
    details.addEventListener(
      "toggle",
      () => details.querySelector(".bars").replaceChildren(...bars((c, place) => !shown(c, place))),
      { once: true },
    );
    return card;
  }

  function draw(canvas, image) {
    const scale = Math.max(1, Math.floor(96 / Math.max(width, height)));
    const [left, top] = [image.tile % data.columns, Math.floor(image.tile / data.columns)];
    Object.assign(canvas, { width, height, className: scale > 1 ? "crisp" : "" });
    canvas.style.width = `${width * scale}px`;
    canvas.setAttribute("aria-label", `Test image ${image.index}, of class ${data.classes[image.true]}`);
    canvas.getContext("2d").drawImage(sprite, left * width, top * height, width, height, 0, 0, width, height);
  }

  function bar(image, place) {
    const row = blankBar.cloneNode(true);
    const [c, probability] = [image.classes[place], image.probabilities[place]];
    const role = c === image.true ? "true" : c === image.predicted ? "wrong" : "";
    row.querySelector("li").className = role;
    row.querySelector(".class").textContent = data.classes[c];
    row.querySelector(".track span").style.width = `${100 * probability}%`;
    row.querySelector(".value").textContent = probability.toFixed(4);
    return row;
  }

  form.addEventListener("change", writeFragment);
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => {
    if (location.hash && !isView()) return;
    show();
    if (isView()) reveal();
  });

  await sprite.decode();
  show();
  if (isView()) {
    document.getElementById("explorer").scrollIntoView();
    reveal();
  }
}
