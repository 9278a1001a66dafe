// Pinned regions, side by side below the picture.

class Pins {
  constructor(app) {
    this.app = app;
    this.root = document.getElementById("pins");
  }

  show(pins) {
    this.root.hidden = !pins.length;
    this.root.replaceChildren(...pins.map((pin) => this.cardOf(pin)));
  }

  cardOf(pin) {
    if (pin.card) return pin.card;
    const { stage, level, region, colour } = pin, { partition } = stage, { app } = this;
    const shape = partition.shape(level, region), title = element("button", { type: "button", class: "to", title: "Show it" }, nameOf(pin));
    title.addEventListener("click", () => app.goTo(stage, level, region));
    const close = element("button", { type: "button", class: "close", title: "Unpin" }, "×");
    close.setAttribute("aria-label", `Unpin ${nameOf(pin)}`);
    close.addEventListener("click", () => app.togglePin(pin));
    const preview = element("canvas", { width: PREVIEW, height: PREVIEW, role: "img" });
    preview.setAttribute("aria-label", `${nameOf(pin)} in its surroundings`);
    drawPreview(preview, app, pin);
    const swatch = element("span", { class: "swatch" }), mean = app.colourOf(pin);
    swatch.style.backgroundColor = hexOf(mean);
    const rows = [
      ["size", `${whole(shape.size)} px`],
      ["colour", swatch, hexOf(mean)],
      ["centre", `${shape.x.toFixed(0)}, ${shape.y.toFixed(0)}`],
      ["neighbours", whole(partition.neighbours(level, region).length)],
      ...partition.scores.map(({ name, values }) => [name, significant(values[partition.token(level, region)])]),
    ].map(([name, ...value]) => element("div", {}, element("dt", {}, name), element("dd", {}, ...value)));
    const where = app.stages.length > 1 ? partition.name : `level ${partition.levels[level].level}`;
    pin.card = element(
      "article",
      { class: "pinned" },
      element("header", {}, title, element("span", { class: "quiet" }, where), close),
      element("div", { class: "pictures" }, preview, ...this.tilesOf(pin)),
      element("dl", { class: "facts" }, ...rows),
    );
    pin.card.style.borderTopColor = colour;
    return pin.card;
  }

  tilesOf({ stage, level, region }) {
    const { partition } = stage, { vectors } = partition.about;
    if (!vectors) return [];
    const tiles = tilesFor(vectors);
    drawTiles(tiles, partition, partition.token(level, region), this.app);
    return tiles.map(({ canvas }) => canvas);
  }
}
