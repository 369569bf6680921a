const matrix = document.querySelector(".matrix");
if (matrix) moveByArrows(matrix);
document.querySelectorAll(".gallery").forEach(filterCards);
if (document.querySelector(".images")) await explore();

function filterCards(gallery) {
  const [form, status] = [".filters", ".status"].map((name) => gallery.querySelector(name));
  const cards = [...gallery.querySelectorAll(".cards > li")];
  const show = () => {
    const asked = [...new FormData(form)].filter(([, value]) => value);
    for (const card of cards) card.hidden = asked.some(([key, value]) => card.dataset[key] !== value);
    const shown = cards.filter((card) => !card.hidden).length;
    status.textContent = `${shown.toLocaleString("en")} of ${cards.length.toLocaleString("en")} images`;
  };
  form.addEventListener("change", show);
  show();
}

// Tab stops at one cell of the matrix. Arrows move to the next cell that has images.
function moveByArrows(matrix) {
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const links = [...matrix.querySelectorAll("a")];
  const stopAt = (stop) => links.forEach((link) => (link.tabIndex = link === stop ? 0 : -1));
  stopAt(links[0]);
  matrix.addEventListener("focusin", ({ target }) => stopAt(target));
  matrix.addEventListener("keydown", (event) => {
    if (!steps[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const [down, right] = steps[event.key];
    let cell = event.target.closest("td");
    do {
      cell = matrix.rows[cell.parentElement.rowIndex + down]?.cells[cell.cellIndex + right];
    } while (cell && !cell.querySelector("a"));
    cell?.querySelector("a").focus();
  });
}

// The list is a function of the fragment of the address, and the form writes the fragment: so each view has a link and
// a place in the history of the browser. A fragment without "=" is the anchor of a section.
async function explore() {
  const BARS = 3;
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const [width, height] = data.size;
  const [sprite, form, view, status, list] = [".sprite", ".filters", ".view", ".status", ".images"].map((name) =>
    document.querySelector(name),
  );
  const copy = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

  // The images come in their order, the most confident or the largest change first, by more digits than the page shows.
  const orders = {
    most: (a, b) => a.tile - b.tile,
    least: (a, b) => b.tile - a.tile,
    index: (a, b) => a.index - b.index,
  };
  data.images.forEach((image, tile) => {
    const { classes, probabilities } = image.new ?? image;
    const result = classes[0] === image.true ? "correct" : "wrong";
    Object.assign(image, { tile, predicted: classes[0], result, confidence: probabilities[0] });
  });

  const isShare = (text) => /^(\d+|\d*\.\d+)$/.test(text) && Number(text) <= 1;
  const isView = () => location.hash.includes("=");

  function readFragment() {
    const values = new URLSearchParams(location.hash.slice(1));
    for (const field of form.elements) {
      const value = values.get(field.name) ?? "";
      field.value = field.type === "number" && !isShare(value) ? "" : value;
      if (field.selectedIndex === -1) field.selectedIndex = 0; // no value, or not an option
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
        ["change", "true", "predicted", "result"].every((key) => !asked[key] || String(image[key]) === asked[key]) &&
        image.confidence >= Number(asked.from || 0) &&
        image.confidence <= Number(asked.to || 1),
    );
    images.sort(orders[asked.sort]);
    list.replaceChildren(...images.map(item));
    list.scrollTop = 0;
    let all = `${data.images.length.toLocaleString("en")} listed images (${data.tested.toLocaleString("en")} tested)`;
    for (const link of document.querySelectorAll(".matrix a")) {
      const open = link.hash.startsWith(`#true=${asked.true}&predicted=${asked.predicted}&`);
      link.ariaCurrent = open ? "true" : null;
      if (open) all = `${link.textContent} images in this cell`;
    }
    status.textContent = `${images.length.toLocaleString("en")} of ${all}`;
  }

  // Below the matrix, the list is out of sight when a cell is chosen.
  function reveal() {
    if (view.getBoundingClientRect().top > innerHeight / 2) view.scrollIntoView();
  }

  function item(image) {
    const card = copy("explorer-image");
    const [predicted, label] = [image.predicted, image.true].map((c) => data.classes[c]);
    const write = (name, text) => (card.querySelector(name).textContent = text);
    draw(card.querySelector("canvas"), image);
    write(".index", `Test image ${image.index}`);
    if (image.base) {
      const answers = ["base", "new"].map((side) => {
        const answer = { ...image[side], true: image.true };
        const networks = data.replicates[side];
        const votes = networks > 1 ? ` (${answer.right} of ${networks} networks right)` : "";
        write(`.${side} p`, side);
        const bars = answer.classes.map((_, place) => bar(answer, place));
        card.querySelector(`.${side} .bars`).replaceChildren(...bars);
        return `${answer.classes[0] === image.true ? "right" : "wrong"} on ${side}${votes}`;
      });
      write(".answer", `${label}: ${answers.join(", ")}`);
      return card;
    }
    write(".answer", image.result === "correct" ? `${label}, correct` : `${predicted} instead of ${label}`);
    const votes = image.votes.map(([networks, c]) => `${networks} ${data.classes[c]}`);
    write(".votes", votes.length ? `Votes: ${votes.join(", ")}` : "");
    const places = [...image.classes.keys()];
    const isShown = (place) => place < BARS || image.classes[place] === image.true;
    const more = places.filter((place) => !isShown(place));
    card.querySelector(".bars").replaceChildren(...places.filter(isShown).map((place) => bar(image, place)));
    write("summary", `${more.length} more`);
    const details = card.querySelector("details");
    details.hidden = more.length === 0;
    const fill = () => details.querySelector(".bars").replaceChildren(...more.map((place) => bar(image, place)));
    details.addEventListener("toggle", fill, { once: true });
    return card;
  }

  function draw(canvas, image) {
    const scale = Math.max(1, Math.floor(96 / Math.max(width, height)));
    const [left, top] = [image.tile % data.columns, Math.floor(image.tile / data.columns)];
    Object.assign(canvas, { width, height });
    canvas.style.width = `${width * scale}px`;
    canvas.style.imageRendering = scale > 1 ? "pixelated" : "auto";
    canvas.setAttribute("aria-label", `Test image ${image.index}, of class ${data.classes[image.true]}`);
    canvas.getContext("2d").drawImage(sprite, left * width, top * height, width, height, 0, 0, width, height);
  }

  function bar(image, place) {
    const row = copy("explorer-bar");
    const [c, probability] = [image.classes[place], image.probabilities[place]];
    row.className = c === image.true ? "true" : place === 0 ? "wrong" : "";
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
