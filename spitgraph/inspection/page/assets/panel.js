// What is known of a region, in words, numbers and small pictures. Text goes in as text, never as markup.

const whole = (n) => n.toLocaleString("en");
const PREVIEW = 168, TILE = 96;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const isToken = ({ stage, level }) => level === stage.partition.last;
const kindOf = (place) => (isToken(place) ? "Token" : "Region");
const nameOf = (place) => `${kindOf(place)} ${place.region}`;

function sentenceOf(place) {
  const { stage, level, region } = place, { partition } = stage, shape = partition.shape(level, region);
  const around = partition.neighbours(level, region).length;
  const where = stage.app.stages.length > 1 ? `${partition.name}: ` : "";
  return `${where}${nameOf(place)}, ${whole(shape.size)} pixel${shape.size > 1 ? "s" : ""}, ${around} neighbour${around === 1 ? "" : "s"}, centre ${Math.round(shape.x)}, ${Math.round(shape.y)}`;
}

class Panel {
  constructor(app) {
    this.app = app;
    this.root = document.getElementById("panel");
    this.hint = document.getElementById("hint");
  }

  show(place) {
    this.hint.hidden = place !== null;
    if (!this.card) this.build();
    this.card.hidden = place === null;
    if (place === null) return;
    this.place = place;
    const { stage, level, region } = place, { partition } = stage;
    const shape = partition.shape(level, region), colour = this.app.colourOf(place);
    this.title.textContent = nameOf(place);
    const { level: number } = partition.levels[level];
    const several = this.app.stages.length > 1 ? `${partition.name}, ` : "";
    this.subtitle.textContent = `${several}level ${number} of ${partition.about.depth}`;
    this.pin.textContent = this.app.pinOf(place) ? "Unpin" : "Pin";
    this.swatch.style.backgroundColor = hexOf(colour);
    this.tell("size", `${whole(shape.size)} px`, `${percent(shape.size / (partition.width * partition.height))} of the picture`);
    this.tell("colour", hexOf(colour), [0, 8, 16].map((i) => (colour >> i) & 255).join(", "));
    this.tell("centre", `${shape.x.toFixed(1)}, ${shape.y.toFixed(1)}`, "");
    this.tell("box", `${shape.x1 - shape.x0} × ${shape.y1 - shape.y0}`, `from ${shape.x0}, ${shape.y0}`);
    drawPreview(this.preview, this.app, place);
    this.showVectors(place);
    this.showScores(place);
    this.showKin(place);
    this.showOthers(place);
  }

  tell(fact, value, more) {
    this.facts[fact].value.textContent = value;
    this.facts[fact].more.textContent = more;
  }

  build() {
    this.title = element("h2");
    this.subtitle = element("p", { class: "quiet" });
    this.pin = element("button", { type: "button", id: "pin", title: "Keep it beside others (Enter)" }, "Pin");
    this.pin.addEventListener("click", () => this.app.togglePin(this.place));
    this.preview = element("canvas", { class: "preview", width: 2 * PREVIEW, height: 2 * PREVIEW, role: "img" });
    this.preview.setAttribute("aria-label", "The region in its surroundings");
    this.swatch = element("span", { class: "swatch" });
    this.facts = {};
    const rows = ["size", "colour", "centre", "box"].map((name) => {
      const value = element("span"), more = element("span", { class: "more" });
      this.facts[name] = { value, more };
      return element("div", {}, element("dt", {}, name), element("dd", {}, name === "colour" ? this.swatch : null, value, more));
    });
    this.vectors = element("section", { class: "vectors" });
    this.scores = element("dl", { class: "facts scores" });
    this.kin = { neighbours: kinRow("Neighbours"), parent: kinRow("Parent"), children: kinRow("Children") };
    this.others = element("section", { class: "others" });
    this.card = element(
      "div",
      { class: "card" },
      element("div", { class: "head" }, element("div", {}, this.title, this.subtitle), this.pin),
      element("div", { class: "top" }, this.preview, element("dl", { class: "facts" }, ...rows)),
      this.others,
      this.scores,
      this.vectors,
      ...Object.values(this.kin).map(({ row }) => row),
    );
    this.root.append(this.card);
  }

  showVectors({ stage, level, region }) {
    const { partition } = stage, { vectors } = partition.about;
    this.vectors.hidden = !vectors;
    if (!vectors) return;
    if (this.tilesOf !== partition) {
      this.tilesOf = partition;
      this.heading = element("h3");
      this.tiles = tilesFor(vectors);
      this.vectors.replaceChildren(this.heading, element("div", { class: "tiles" }, ...this.tiles.map(({ figure }) => figure)));
    }
    const token = partition.token(level, region);
    this.heading.textContent = level === partition.last ? "Vector" : `Vector of token ${token}`;
    drawTiles(this.tiles, partition, token, this.app);
  }

  showScores({ stage, level, region }) {
    const { partition } = stage, rows = [];
    const token = partition.token(level, region);
    for (const scores of partition.scores) {
      const value = scores.values[token], dot = element("span", { class: "swatch" });
      dot.style.backgroundColor = hexOf(colourOfScore(rampOfScores(scores), scores, value));
      rows.push(element("div", {}, element("dt", {}, scores.name), element("dd", {}, dot, significant(value))));
    }
    this.app.maskNames.forEach((name, i) => {
      rows.push(element("div", {}, element("dt", {}, name), element("dd", {}, `${percent(this.app.shareInMask(stage, level, region, i))} inside`)));
    });
    this.scores.replaceChildren(...rows);
    this.scores.hidden = !rows.length;
  }

  showKin({ stage, level, region }) {
    const { partition } = stage, chip = (at, r, more) => this.chip(stage, at, r, more);
    const around = partition.neighbours(level, region);
    fillKin(this.kin.neighbours, around.length, around.slice(0, 16).map(({ region: r, sides }) => chip(level, r, `${whole(sides)} pixel sides of common border`)));
    const parent = partition.parent(level, region);
    fillKin(this.kin.parent, parent === null ? 0 : 1, parent === null ? [] : [chip(level + 1, parent, "becomes part of it, one level up")]);
    const children = partition.children(level, region);
    fillKin(this.kin.children, children.length, Array.from(children.slice(0, 16), (r) => chip(level - 1, r, "part of it, one level down")));
  }

  chip(stage, level, region, title) {
    const made = element("button", { type: "button", class: "chip", title }, String(region));
    made.addEventListener("click", () => this.app.goTo(stage, level, region));
    return made;
  }

  // The same place in the other partitions.
  showOthers(place) {
    const cards = this.app.stages.filter((stage) => stage !== place.stage).map((stage) => {
      const here = this.app.regionOf(stage), { size } = stage.partition.shape(here.level, here.region);
      const line = `${whole(size)} px · overlap ${percent(overlapOf(place, here))}`;
      return element("div", { class: "other" }, element("h3", {}, stage.partition.name), element("p", {}, `${nameOf(here)} · ${line}`));
    });
    this.others.hidden = !cards.length;
    this.others.replaceChildren(...cards);
  }
}

function kinRow(name) {
  const label = element("span", { class: "kin-name" }), chips = element("span", { class: "chips" });
  return { name, label, chips, row: element("div", { class: "kin" }, label, chips) };
}

function fillKin({ name, label, chips, row }, count, made) {
  row.hidden = count === 0;
  label.textContent = name === "Parent" ? name : `${name} ${whole(count)}`;
  const more = count > made.length ? element("span", { class: "more" }, `and ${whole(count - made.length)} more`) : null;
  chips.replaceChildren(...[...made, more].filter((child) => child !== null));
}

const percent = (share) => `${(100 * share).toFixed(share && share < 0.0995 ? 2 : share === 1 || !share ? 0 : 1)} %`;
const significant = (value) => (value === 0 ? "0" : Math.abs(value) < 0.001 || Math.abs(value) >= 1e5 ? value.toExponential(2) : value.toPrecision(3));

// Intersection over union of two regions of one picture.
function overlapOf(a, b) {
  const { partition } = a.stage, other = b.stage.partition, shape = partition.shape(a.level, a.region);
  const size = other.shape(b.level, b.region).size;
  let both = 0;
  for (let y = shape.y0; y < shape.y1; y++) {
    for (let x = shape.x0; x < shape.x1; x++) {
      if (partition.at(a.level, x, y) === a.region && other.at(b.level, x, y) === b.region) both++;
    }
  }
  return both / (shape.size + size - both);
}

// The region in a square of its surroundings, which are faded.
function drawPreview(canvas, app, { stage, level, region }) {
  const { partition } = stage, { x0, y0, x1, y1 } = partition.shape(level, region);
  const side = Math.ceil(1.5 * Math.max(x1 - x0, y1 - y0)) + 4;
  const left = Math.round((x0 + x1 - side) / 2), top = Math.round((y0 + y1 - side) / 2);
  const context = canvas.getContext("2d"), scale = canvas.width / side;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(scale, 0, 0, scale, -left * scale, -top * scale);
  context.imageSmoothingEnabled = scale < 3;
  app.photograph.drawWithin(context, scale, left, top, left + side, top + side);
  const fine = Math.min(side, canvas.width), shade = app.shadeCanvas(fine), veil = shade.getContext("2d");
  const data = veil.createImageData(fine, fine), out = new Uint32Array(data.data.buffer), lut = partition.lut(level);
  const faded = app.veil;
  for (let j = 0, i = 0; j < fine; j++) {
    const y = top + Math.floor(((j + 0.5) * side) / fine);
    for (let k = 0; k < fine; k++, i++) {
      const x = left + Math.floor(((k + 0.5) * side) / fine);
      if (x < 0 || y < 0 || x >= partition.width || y >= partition.height) continue;
      const r = partition.base[y * partition.width + x];
      if ((lut ? lut[r] : r) !== region) out[i] = faded;
    }
  }
  veil.putImageData(data, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(shade, left, top, side, side);
  context.strokeStyle = app.accent;
  context.lineWidth = 3 / scale;
  context.stroke(partition.outline(level, region, gridFor(scale)));
}

const TITLES = { colour: "colour", position: "position", gradient: "gradient" };
const LABELS = {
  colour: "The region stretched to the vector's bins",
  position: "Histogram of its pixels' positions in the picture",
  gradient: "Histogram of its pixels' gradients",
};

function tilesFor({ features, bins }) {
  return features.map((feature) => {
    const canvas = element("canvas", { width: bins, height: bins, role: "img" });
    canvas.setAttribute("aria-label", LABELS[feature]);
    return { feature, canvas, figure: element("figure", { title: LABELS[feature] }, canvas, element("figcaption", {}, TITLES[feature])) };
  });
}

function drawTiles(tiles, partition, token, app) {
  const { bins, features, low, high } = partition.about.vectors, area = bins * bins;
  const step = (features.length + 2) * area, vector = partition.vectors.subarray(token * step, (token + 1) * step);
  let start = 0;
  for (const { feature, canvas } of tiles) {
    const context = canvas.getContext("2d"), data = context.createImageData(bins, bins), out = new Uint32Array(data.data.buffer);
    for (let i = 0; i < area; i++) {
      if (feature === "colour") {
        const channel = (c) => Math.round((Math.max(-1, Math.min(1, low + (vector[c * area + i] / 31) * (high - low))) + 1) * 127.5);
        out[i] = packed(channel(0), channel(1), channel(2));
      } else out[i] = app.heat[vector[start + i]];
    }
    context.putImageData(data, 0, 0);
    start += feature === "colour" ? 3 * area : area;
  }
}
