// What is shown: which levels, layers, region and pins. Everything that changes goes through here.

class App {
  constructor(about, partitions, image, masks) {
    Object.assign(this, { about, pins: [], current: null, byKeyboard: false, masks });
    this.photograph = new Photograph(image, about.width, about.height);
    this.camera = new Camera(about.width, about.height);
    this.base = about.photograph ? "photograph" : "mosaic";
    this.overs = new Set(["borders"]);
    this.maskNames = about.masks.names;
    this.kept = new Kept();
    this.stages = partitions.map((partition, i) => new Stage(document.getElementById(`view-${i}`), partition, this));
    this.active = this.stages[0];
    this.panel = new Panel(this);
    this.pinned = new Pins(this);
    this.live = document.getElementById("live");
    this.isCalm = matchMedia("(prefers-reduced-motion: reduce)");
    for (const stage of this.stages) {
      stage.slider = document.querySelector(`#${stage.view.id} input[type=range]`);
      stage.slider.max = stage.partition.last;
      stage.slider.closest("label").hidden = stage.partition.last === 0;
      stage.count = stage.view.querySelector(".count");
      this.showLevel(stage);
    }
    this.readTheme();
    listenToControls(this);
    this.resized();
  }

  // ---- drawing ----

  readTheme() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.accent = colour("--accent");
    this.heat = rampOf([colour("--tile"), colour("--middle"), colour("--ink")], 32);
    const veil = parseInt(colour("--panel").slice(1), 16);
    this.veil = packed((veil >> 16) & 255, (veil >> 8) & 255, veil & 255, 196);
  }

  themeChanged() {
    this.readTheme();
    for (const pin of this.pins) pin.card = null;
    this.pinned.show(this.pins);
    this.showCurrent();
  }

  resized() {
    for (const stage of this.stages) stage.resize();
    if (this.camera.fitted) this.camera.fit(this.active);
    else this.camera.zoom(this.active, 1, 0, 0);
    for (const stage of this.stages) stage.drawGround();
    this.drawOver();
    this.showZoom();
  }

  cameraMoved() {
    this.showZoom();
    this.soon("ground", () => {
      for (const stage of this.stages) stage.drawGround();
      this.drawOver();
    });
  }

  showZoom() {
    const text = this.camera.fitted ? "fit" : `${Math.round(100 * this.camera.scale)} %`;
    document.getElementById("zoom-text").textContent = text;
    for (const { element } of this.stages) element.classList.toggle("zoomed", !this.camera.fitted);
  }

  drawGround() {
    this.soon("ground", () => {
      for (const stage of this.stages) stage.drawGround();
    });
  }

  drawOver() {
    for (const stage of this.stages) stage.drawOver();
  }

  // Once before the next frame, however often it is asked for.
  soon(what, draw) {
    this.waiting ||= new Map();
    const isNew = !this.waiting.size;
    this.waiting.set(what, draw);
    if (!isNew) return;
    requestAnimationFrame(() => {
      const all = [...this.waiting.values()];
      this.waiting.clear();
      for (const one of all) one();
    });
  }

  // A change of the camera, in steps unless less motion is wished for.
  glide(change) {
    const { camera } = this, from = { ...camera };
    change();
    const to = { ...camera }, start = performance.now();
    if (this.isCalm.matches || (from.scale === to.scale && from.x === to.x && from.y === to.y)) {
      this.cameraMoved();
      return;
    }
    cancelAnimationFrame(this.gliding);
    const frame = (now) => {
      const share = Math.min(1, Math.max(0, (now - start) / 140)), eased = share * (2 - share);
      for (const what of ["x", "y", "scale"]) camera[what] = from[what] + (to[what] - from[what]) * eased;
      if (share < 1) this.gliding = requestAnimationFrame(frame);
      this.showZoom();
      for (const stage of this.stages) stage.drawGround();
      this.drawOver();
    };
    this.gliding = requestAnimationFrame(frame);
  }

  // ---- the region that is looked at ----

  pointAt(stage, place) {
    const pixel = stage.pixelAt(place.x, place.y);
    if (!pixel) {
      this.leave();
      return;
    }
    this.active = stage;
    this.look(stage, pixel, false);
  }

  look(stage, pixel, byKeyboard) {
    const region = stage.partition.at(stage.level, pixel.x, pixel.y), was = this.current;
    const isSame = was && was.stage === stage && was.level === stage.level && was.region === region && this.byKeyboard === byKeyboard;
    this.byKeyboard = byKeyboard;
    if (isSame && this.stages.length === 1) {
      was.pixel = pixel;
      if (byKeyboard) this.drawOver();
      return;
    }
    this.current = { stage, level: stage.level, region, pixel };
    this.showCurrent();
  }

  showCurrent() {
    this.drawOver();
    this.soon("panel", () => {
      this.panel.show(this.current);
      if (this.current) this.announce(sentenceOf(this.current));
    });
  }

  leave() {
    if (!this.current || this.byKeyboard) return;
    this.letGo();
  }

  letGo() {
    this.current = null;
    this.showCurrent();
  }

  // Said once the pointer rests.
  announce(text) {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => this.say(text), this.byKeyboard ? 30 : 300);
  }

  say(text) {
    this.live.textContent = text;
  }

  // What the current place is in a stage, at the level shown there.
  regionOf(stage) {
    if (!this.current) return null;
    const { x, y } = this.current.pixel;
    if (this.current.stage === stage) return this.current;
    return { stage, level: stage.level, region: stage.partition.at(stage.level, x, y), pixel: this.current.pixel };
  }

  colourOf({ stage, level, region }) {
    return stage.partition.colours(level, () => this.photograph.pixels)[region];
  }

  // To the next region in a direction, along a row or column, into the middle of it there.
  step(dx, dy) {
    const stage = this.active, { partition, level } = stage;
    if (!this.current || this.current.stage !== stage) {
      this.look(stage, { x: Math.floor(this.camera.x), y: Math.floor(this.camera.y) }, true);
      return;
    }
    const isIn = (x, y) => x >= 0 && y >= 0 && x < partition.width && y < partition.height;
    let { x, y } = this.current.pixel;
    while (isIn(x, y) && partition.at(level, x, y) === this.current.region) [x, y] = [x + dx, y + dy];
    if (!isIn(x, y)) {
      this.say(`${nameOf(this.current)}: the picture ends here`);
      return;
    }
    const region = partition.at(level, x, y);
    let run = 0;
    while (isIn(x + dx * (run + 1), y + dy * (run + 1)) && partition.at(level, x + dx * (run + 1), y + dy * (run + 1)) === region) run++;
    const half = Math.floor(run / 2);
    this.look(stage, { x: x + dx * half, y: y + dy * half }, true);
    this.bringIntoSight(stage);
  }

  goTo(stage, level, region) {
    this.active = stage;
    if (level !== stage.level) this.setLevel(stage, level);
    this.look(stage, insideOf(stage.partition, level, region), true);
    this.bringIntoSight(stage);
  }

  bringIntoSight(stage) {
    const { level, region } = this.current, { x0, y0, x1, y1 } = stage.partition.shape(level, region);
    const { clientWidth, clientHeight } = stage.element, a = stage.toStage(x0, y0), b = stage.toStage(x1, y1);
    if (a.x >= 0 && a.y >= 0 && b.x <= clientWidth && b.y <= clientHeight) return;
    this.glide(() => this.camera.move(stage, (x0 + x1) / 2 - this.camera.x, (y0 + y1) / 2 - this.camera.y));
  }

  pan(dx, dy) {
    const { clientWidth, clientHeight } = this.active.element, { scale } = this.camera;
    this.glide(() => this.camera.move(this.active, (dx * clientWidth) / 5 / scale, (dy * clientHeight) / 5 / scale));
  }

  // ---- levels, layers, pins ----

  setLevel(stage, level) {
    if (level < 0 || level > stage.partition.last || level === stage.level) return;
    stage.level = level;
    this.showLevel(stage);
    if (this.current) {
      const { stage: where, pixel } = this.current;
      const region = where.partition.at(where.level, pixel.x, pixel.y);
      this.current = { stage: where, level: where.level, region, pixel };
    }
    this.drawGround();
    this.showCurrent();
    if (!this.current) this.say(stage.count.textContent);
  }

  showLevel(stage) {
    const { level, count } = stage.partition.levels[stage.level];
    const what = stage.level === stage.partition.last ? "token" : "region";
    stage.slider.value = stage.level;
    stage.slider.setAttribute("aria-valuetext", `level ${level}, ${whole(count)} ${what}s`);
    const where = stage.partition.last ? `${level} of ${stage.partition.about.depth} · ` : "";
    stage.count.textContent = `${where}${whole(count)} ${what}${count > 1 ? "s" : ""}`;
  }

  choose(base) {
    const button = document.querySelector(`#bases input[value="${base}"]`);
    if (!button) return;
    button.checked = true;
    this.base = base;
    this.showScale();
    this.drawGround();
  }

  chooseScores() {
    const count = this.about.views[0].scores.length;
    if (!count) return;
    const now = this.base.startsWith("scores.") ? Number(this.base.slice(7)) + 1 : 0;
    this.choose(`scores.${now % count}`);
  }

  showScale() {
    const place = document.getElementById("scale");
    place.hidden = !this.base.startsWith("scores.");
    if (place.hidden) return;
    const scores = this.stages[0].partition.scores[Number(this.base.slice(7))], ramp = rampOfScores(scores);
    document.getElementById("scale-low").textContent = significant(scores.low);
    document.getElementById("scale-high").textContent = significant(scores.high);
    const canvas = document.getElementById("scale-colours"), context = canvas.getContext("2d");
    for (let x = 0; x < canvas.width; x++) {
      context.fillStyle = hexOf(ramp[Math.round((255 * x) / (canvas.width - 1))]);
      context.fillRect(x, 0, 1, canvas.height);
    }
  }

  toggleOver(over, wanted = !this.overs.has(over)) {
    const box = document.querySelector(`#overs input[value="${over}"]`);
    box.checked = wanted;
    if (wanted) this.overs.add(over);
    else this.overs.delete(over);
    this.drawGround();
  }

  shade(number) {
    return this.kept.once(`shade ${number}`, () => shadeOf(this.masks[number], this.about.width, this.about.height));
  }

  // A canvas of so many pixels a side, used again and again.
  shadeCanvas(side) {
    if (!this.veilCanvas || this.veilCanvas.width !== side) this.veilCanvas = canvasOf(side, side);
    return this.veilCanvas;
  }

  shareInMask(stage, level, region, number) {
    const { partition } = stage, { size, x0, y0, x1, y1 } = partition.shape(level, region), mask = this.masks[number];
    let inside = 0;
    for (let y = y0; y < y1; y++) {
      for (let x = x0, p = y * partition.width + x0; x < x1; x++, p++) {
        if ((mask[p >> 3] >> (7 - (p & 7))) & 1 && partition.at(level, x, y) === region) inside++;
      }
    }
    return inside / size;
  }

  pinOf({ stage, level, region }) {
    return this.pins.find((pin) => pin.stage === stage && pin.level === level && pin.region === region);
  }

  togglePin(place) {
    const pin = this.pinOf(place);
    if (pin) this.pins = this.pins.filter((other) => other !== pin);
    else {
      const colour = PIN_COLOURS.find((one) => this.pins.every((other) => other.colour !== one));
      if (!colour) {
        this.say(`No more than ${PIN_COLOURS.length} regions can be pinned`);
        return;
      }
      this.pins = [...this.pins, { ...place, colour }];
    }
    this.pinned.show(this.pins);
    this.showCurrent();
    this.announce(`${nameOf(place)} ${pin ? "unpinned" : "pinned"}`);
  }
}

// A pixel of a region: the middle of its longest run in the row of its centre, or its first pixel.
function insideOf(partition, level, region) {
  const { x0, y0, x1, y1, y: centre } = partition.shape(level, region), rows = [Math.round(centre)];
  for (let y = y0; y < y1; y++) rows.push(y);
  for (const y of rows) {
    let best = 0, place = null;
    for (let x = x0, run = 0; x <= x1; x++) {
      if (x < x1 && partition.at(level, x, y) === region) run++;
      else {
        if (run > best) [best, place] = [run, x - Math.ceil(run / 2)];
        run = 0;
      }
    }
    if (place !== null) return { x: place, y };
  }
  return null;
}

async function start() {
  const about = JSON.parse(document.getElementById("about").textContent);
  const pieces = [...document.querySelectorAll(".piece")], picture = document.getElementById("picture");
  const { width, height } = about;
  const views = await Promise.all(about.views.map((view, i) => sectionsOf(view, pieces[i])));
  const masks = await sectionsOf(about.masks, pieces[about.views.length]);
  const partitions = about.views.map((view, i) => new Partition(view, views[i], width, height));
  await picture.decode();
  const bitmap = await createImageBitmap(picture); // stays decoded
  const app = new App(about, partitions, bitmap, about.masks.names.map((_, i) => masks.get(`mask.${i}`)));
  document.documentElement.dataset.ready = "true";
  window.spitgraphPage = app;
  // what the first pointer will ask for
  const prepare = window.requestIdleCallback || ((run) => setTimeout(run, 50));
  prepare(() => {
    for (const { partition, level } of app.stages) partition.graph(level);
    for (const { partition, level } of app.stages) partition.shapes(level);
  });
}

document.documentElement.classList.add("scripted");
start().catch((error) => {
  document.getElementById("hint").textContent = `This page cannot be shown: ${error.message}`;
  console.error(error);
});
