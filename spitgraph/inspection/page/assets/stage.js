// One partition on the screen: the ground (photograph and layers), drawn when it changes, and over it
// what follows the pointer. All stages look through one camera.

const MOST_ZOOM = 64; // of the screen's pixels for one of the picture's
const MOST_EDGES = 20000;
// so much of the picture in sight has its borders drawn line by line
const LARGEST_WINDOW = 1.2e6;
const MOST_IN_SIGHT = 8000;

class Camera {
  constructor(width, height) {
    Object.assign(this, { width, height, x: width / 2, y: height / 2, scale: 1, fitted: true });
  }

  least(stage) {
    const { clientWidth, clientHeight } = stage.element;
    return Math.min(clientWidth / this.width, clientHeight / this.height, MOST_ZOOM) || 1;
  }

  fit(stage) {
    Object.assign(this, { x: this.width / 2, y: this.height / 2, scale: this.least(stage), fitted: true });
  }

  // Zoom, so that what is at a place of the stage stays there.
  zoom(stage, factor, x, y) {
    const before = stage.toPicture(x, y), least = this.least(stage);
    this.scale = Math.max(least, Math.min(MOST_ZOOM, this.scale * factor));
    this.fitted = this.scale <= least * 1.0001;
    const after = stage.toPicture(x, y);
    this.move(stage, before.x - after.x, before.y - after.y);
  }

  // Move by pixels of the picture, which stays in sight.
  move(stage, dx, dy) {
    const { clientWidth, clientHeight } = stage.element;
    const within = (value, size, seen) => (seen >= size ? size / 2 : Math.max(seen / 2, Math.min(size - seen / 2, value)));
    this.x = within(this.x + dx, this.width, clientWidth / this.scale);
    this.y = within(this.y + dy, this.height, clientHeight / this.scale);
  }
}

class Stage {
  constructor(view, partition, app) {
    Object.assign(this, { view, partition, app, kept: new Kept() });
    this.element = view.querySelector(".stage");
    this.ground = view.querySelector(".ground");
    this.over = view.querySelector(".over");
    this.note = view.querySelector(".note");
    this.level = partition.last;
  }

  resize() {
    const { clientWidth, clientHeight } = this.element;
    this.ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.ground, this.over]) {
      const wide = Math.max(1, Math.round(clientWidth * this.ratio)), high = Math.max(1, Math.round(clientHeight * this.ratio));
      if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    }
  }

  toPicture(x, y) {
    const { camera } = this.app, { clientWidth, clientHeight } = this.element;
    return { x: (x - clientWidth / 2) / camera.scale + camera.x, y: (y - clientHeight / 2) / camera.scale + camera.y };
  }

  toStage(x, y) {
    const { camera } = this.app, { clientWidth, clientHeight } = this.element;
    return { x: (x - camera.x) * camera.scale + clientWidth / 2, y: (y - camera.y) * camera.scale + clientHeight / 2 };
  }

  // The pixel under a place of the stage; null beside the picture.
  pixelAt(x, y) {
    const place = this.toPicture(x, y), { width, height } = this.partition;
    const pixel = { x: Math.floor(place.x), y: Math.floor(place.y) };
    return pixel.x >= 0 && pixel.y >= 0 && pixel.x < width && pixel.y < height ? pixel : null;
  }

  look(context) {
    const { camera } = this.app, { clientWidth, clientHeight } = this.element, scale = camera.scale * this.ratio;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    context.setTransform(scale, 0, 0, scale, (clientWidth / 2) * this.ratio - camera.x * scale, (clientHeight / 2) * this.ratio - camera.y * scale);
    return scale;
  }

  // Pixels of the picture that are in sight.
  window() {
    const { clientWidth, clientHeight } = this.element, { width, height } = this.partition;
    const a = this.toPicture(0, 0), b = this.toPicture(clientWidth, clientHeight);
    return [Math.max(0, Math.floor(a.x)), Math.max(0, Math.floor(a.y)), Math.min(width, Math.ceil(b.x)), Math.min(height, Math.ceil(b.y))];
  }

  drawGround() {
    const context = this.ground.getContext("2d"), scale = this.look(context), { app } = this;
    context.imageSmoothingEnabled = scale < 3;
    const { width, height } = this.partition, has = (over) => app.overs.has(over);
    const picture = app.base.startsWith("scores.") ? "scores" : app.base;
    if (picture !== "mosaic") app.photograph.drawWithin(context, scale, ...this.window());
    if (picture !== "photograph") {
      context.globalAlpha = picture === "scores" ? 0.72 : 1;
      context.drawImage(this.painted(app.base), 0, 0, width, height);
      context.globalAlpha = 1;
    }
    if (has("graph")) {
      context.fillStyle = "rgba(255, 255, 255, 0.35)";
      context.fillRect(0, 0, width, height);
    }
    for (const over of app.overs) {
      if (over.startsWith("mask.")) context.drawImage(app.shade(Number(over.slice(5))), 0, 0, width, height);
    }
    if (has("borders")) this.drawBorders(context, scale);
    const tooMany = has("graph") && !this.drawGraph(context, scale);
    this.note.hidden = !tooMany;
    if (tooMany) this.note.textContent = `The graph of ${whole(this.partition.count(this.level))} regions is too dense to draw: go to a coarser level, or zoom in.`;
  }

  painted(base) {
    return this.kept.once(`${base} ${this.level}`, () => paintedRegions(this.partition, this.level, this.colours(base)));
  }

  colours(base) {
    const { partition, level, app } = this;
    if (!base.startsWith("scores.")) return partition.colours(level, () => app.photograph.pixels);
    const scores = partition.scores[Number(base.slice(7))], ramp = rampOfScores(scores);
    const colours = Uint32Array.from(scores.values, (value) => colourOfScore(ramp, scores, value));
    return Uint32Array.from({ length: partition.count(level) }, (_, r) => colours[partition.token(level, r)]);
  }

  drawBorders(context, scale) {
    const { partition, level } = this, { width, height } = partition, [x0, y0, x1, y1] = this.window();
    const area = (x1 - x0) * (y1 - y0), share = area / (width * height);
    if (area < LARGEST_WINDOW && partition.count(level) * share < MOST_IN_SIGHT) {
      const all = () => this.kept.once(`path ${level}`, () => bordersWithin(partition, level, 0, 0, width, height));
      const path = share > 0.5 ? all() : bordersWithin(partition, level, x0, y0, x1, y1), thin = this.ratio / scale;
      strokeBorders(context, path, thin, this.room(scale));
      return;
    }
    const own = Math.min(1, 2 ** Math.round(Math.log2(scale)));
    const bitmap = this.kept.once(`borders ${level} ${own}`, () => borderBitmap(partition, level, own));
    context.imageSmoothingEnabled = scale < 3;
    context.drawImage(bitmap, 0, 0, bitmap.width / own, bitmap.height / own);
  }

  // How wide regions are on the screen, 0 … 1: where it is crowded, lines are thin.
  room(scale) {
    const { partition, level } = this, side = Math.sqrt((partition.width * partition.height) / partition.count(level));
    return Math.max(0.3, Math.min(1, (side * scale) / this.ratio / 22));
  }

  // The graph's nodes and edges that are in sight; false where they are too many.
  drawGraph(context, scale) {
    const { partition, level } = this, n = partition.count(level), [x0, y0, x1, y1] = this.window();
    if (n > 2 ** 17) return false;
    const { size, sx, sy } = partition.shapes(level), { start, other, sides } = partition.graph(level);
    const x = (r) => sx[r] / size[r] + 0.5, y = (r) => sy[r] / size[r] + 0.5;
    const shown = [];
    for (let r = 0; r < n; r++) if (x(r) >= x0 && x(r) <= x1 && y(r) >= y0 && y(r) <= y1) shown.push(r);
    if (shown.length * 3 > MOST_EDGES) return false;
    const room = this.room(scale), inSight = new Set(shown), thin = this.ratio / scale, steps = [new Path2D(), new Path2D(), new Path2D()];
    const mean = Math.sqrt((partition.width * partition.height) / n);
    for (const r of shown) {
      for (let i = start[r]; i < start[r + 1]; i++) {
        if (other[i] < r && inSight.has(other[i])) continue;
        const path = steps[sides[i] < 0.4 * mean ? 0 : sides[i] < mean ? 1 : 2];
        path.moveTo(x(r), y(r));
        path.lineTo(x(other[i]), y(other[i]));
      }
    }
    context.strokeStyle = "rgba(20, 20, 24, 0.75)";
    steps.forEach((path, i) => {
      context.lineWidth = [0.7, 1.2, 2][i] * thin * room;
      context.stroke(path);
    });
    const colours = partition.colours(level, () => this.app.photograph.pixels);
    context.lineWidth = 0.9 * thin * room;
    for (const r of shown) {
      context.beginPath();
      context.arc(x(r), y(r), Math.max(3 * thin * room, Math.min(0.2 * Math.sqrt(size[r]), 9 * thin)), 0, 7);
      context.fillStyle = hexOf(colours[r]);
      context.fill();
      context.stroke();
    }
    return true;
  }

  // What follows the pointer, and what is pinned.
  drawOver() {
    const context = this.over.getContext("2d"), scale = this.look(context), thin = this.ratio / scale, grid = gridFor(scale);
    const { app, partition } = this, stroke = (path, colour, wide) => {
      context.strokeStyle = colour;
      context.lineWidth = wide * thin;
      context.stroke(path);
    };
    context.lineCap = grid > 1 ? "butt" : "square";
    app.pins.forEach((pin) => {
      if (pin.stage !== this) return;
      const path = partition.outline(pin.level, pin.region, grid);
      stroke(path, "rgba(0, 0, 0, 0.65)", 4);
      stroke(path, pin.colour, 2.2);
    });
    const here = app.regionOf(this);
    if (!here) return;
    const { region, level } = here, own = partition.outline(level, region, grid), isMain = app.current.stage === this;
    if (isMain) {
      const around = partition.neighbours(level, region);
      context.globalAlpha = 0.7;
      for (const { region: other } of around.slice(0, 64)) stroke(partition.outline(level, other, grid), app.accent, 1.2);
      context.globalAlpha = 1;
      const parent = partition.parent(level, region);
      if (parent !== null) {
        const path = partition.outline(level + 1, parent, grid);
        stroke(path, "rgba(0, 0, 0, 0.6)", 3);
        context.setLineDash([5 * thin, 4 * thin]);
        stroke(path, "#ffffff", 1.6);
        context.setLineDash([]);
      }
    }
    stroke(own, "rgba(0, 0, 0, 0.75)", 6.5);
    stroke(own, "#ffffff", 4.6);
    stroke(own, app.accent, 2);
    if (!isMain || app.byKeyboard) this.drawPlace(context, thin);
  }

  // The pixel that is pointed at in another stage, or by keys.
  drawPlace(context, thin) {
    const { x, y } = this.app.current.pixel;
    context.beginPath();
    context.arc(x + 0.5, y + 0.5, 4.5 * thin, 0, 7);
    context.lineWidth = 3 * thin;
    context.strokeStyle = "rgba(0, 0, 0, 0.75)";
    context.stroke();
    context.lineWidth = 1.5 * thin;
    context.strokeStyle = "#ffffff";
    context.stroke();
  }
}
