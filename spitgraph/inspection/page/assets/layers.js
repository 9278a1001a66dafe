// Pictures drawn once and kept: the photograph at half sizes, painted regions, borders, masks.

const MOST_BITMAP = 2 ** 24; // pixels of one; larger pictures are painted at a whole fraction of their size
const MOST_KEPT = 6;

class Photograph {
  constructor(image, width, height) {
    Object.assign(this, { width, height });
    this.sizes = [{ image, scale: 1 }];
  }

  // The smallest copy that has a pixel for each of the screen's.
  fit(scale) {
    let last = this.sizes[this.sizes.length - 1];
    while (last.scale / 2 >= scale && Math.min(this.width, this.height) * last.scale > 64) {
      const canvas = canvasOf(Math.ceil((this.width * last.scale) / 2), Math.ceil((this.height * last.scale) / 2));
      const context = canvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(last.image, 0, 0, canvas.width, canvas.height);
      last = { image: canvas, scale: last.scale / 2 };
      this.sizes.push(last);
    }
    return this.sizes.filter(({ scale: own }) => own >= scale || own === 1).pop();
  }

  // Draw what lies in a window of the picture, and no more of it than that.
  drawWithin(context, scale, x0, y0, x1, y1) {
    const { image } = this.fit(scale), own = image.width / this.width, down = image.height / this.height;
    const left = Math.max(0, Math.floor(x0)), top = Math.max(0, Math.floor(y0));
    const wide = Math.min(this.width, Math.ceil(x1)) - left, high = Math.min(this.height, Math.ceil(y1)) - top;
    if (wide > 0 && high > 0) context.drawImage(image, left * own, top * down, wide * own, high * down, left, top, wide, high);
  }

  // [H·W·4] bytes, read once.
  get pixels() {
    if (!this.bytes) {
      const canvas = canvasOf(this.width, this.height);
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(this.sizes[0].image, 0, 0);
      this.bytes = context.getImageData(0, 0, this.width, this.height).data;
    }
    return this.bytes;
  }
}

function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, width);
  canvas.height = Math.max(1, height);
  return canvas;
}

// The latest few of what was made.
class Kept {
  constructor() {
    this.made = new Map();
  }

  once(key, make) {
    const found = this.made.get(key) || make();
    this.made.delete(key);
    this.made.set(key, found);
    if (this.made.size > MOST_KEPT) this.made.delete(this.made.keys().next().value);
    return found;
  }
}

// A picture whose pixels have the colour of their region.
function paintedRegions(partition, level, colours) {
  const { width, height, base } = partition, lut = partition.lut(level);
  const step = Math.ceil(Math.sqrt((width * height) / MOST_BITMAP));
  const canvas = canvasOf(Math.ceil(width / step), Math.ceil(height / step));
  const context = canvas.getContext("2d"), data = context.createImageData(canvas.width, canvas.height);
  const out = new Uint32Array(data.data.buffer);
  for (let y = 0, i = 0; y < height; y += step) {
    for (let x = 0, p = y * width; x < width; x += step, p += step, i++) out[i] = colours[lut ? lut[base[p]] : base[p]];
  }
  context.putImageData(data, 0, 0);
  return canvas;
}

// A picture that darkens what is outside of a mask, with a bright line around it.
function shadeOf(mask, width, height) {
  const canvas = canvasOf(width, height), context = canvas.getContext("2d");
  const data = context.createImageData(width, height), out = new Uint32Array(data.data.buffer);
  const inside = (p) => (mask[p >> 3] >> (7 - (p & 7))) & 1;
  const outside = packed(12, 12, 16, 184), edge = packed(255, 214, 64, 255);
  for (let y = 0, p = 0; y < height; y++) {
    for (let x = 0; x < width; x++, p++) {
      if (inside(p)) continue;
      const touches = (x && inside(p - 1)) || (x + 1 < width && inside(p + 1)) || (y && inside(p - width)) || (y + 1 < height && inside(p + width));
      out[p] = touches ? edge : outside;
    }
  }
  context.putImageData(data, 0, 0);
  return canvas;
}

// All sides between regions in a window of the picture.
function bordersWithin(partition, level, x0, y0, x1, y1) {
  const { width, base } = partition, lut = partition.lut(level), path = new Path2D();
  const region = lut ? (p) => lut[base[p]] : (p) => base[p];
  for (let y = Math.max(1, y0); y < y1; y++) {
    for (let x = x0, run = -1; x <= x1; x++) {
      const p = y * width + x, differs = x < x1 && region(p) !== region(p - width);
      if (differs && run < 0) run = x;
      if (!differs && run >= 0) {
        path.moveTo(run, y);
        path.lineTo(x, y);
        run = -1;
      }
    }
  }
  for (let x = Math.max(1, x0); x < x1; x++) {
    for (let y = y0, run = -1; y <= y1; y++) {
      const p = y * width + x, differs = y < y1 && region(p) !== region(p - 1);
      if (differs && run < 0) run = y;
      if (!differs && run >= 0) {
        path.moveTo(x, run);
        path.lineTo(x, y);
        run = -1;
      }
    }
  }
  return path;
}

// All borders as a picture of some scale, for when they are too many to be drawn line by line.
function borderBitmap(partition, level, scale) {
  const { width, height, base } = partition, lut = partition.lut(level);
  const canvas = canvasOf(Math.ceil(width * scale), Math.ceil(height * scale));
  const context = canvas.getContext("2d");
  const data = context.createImageData(canvas.width, canvas.height), out = new Uint32Array(data.data.buffer);
  const region = lut ? (p) => lut[base[p]] : (p) => base[p];
  const line = packed(255, 255, 255, 190), shadow = packed(0, 0, 0, 50);
  for (let y = 0, p = 0; y < height; y++) {
    const row = Math.floor(y * scale) * canvas.width;
    for (let x = 0; x < width; x++, p++) {
      const own = region(p);
      const ends = (x + 1 < width && region(p + 1) !== own) || (y + 1 < height && region(p + width) !== own);
      const begins = (x && region(p - 1) !== own) || (y && region(p - width) !== own);
      const place = row + Math.floor(x * scale);
      if (ends) out[place] = line;
      else if (begins && !out[place]) out[place] = shadow;
    }
  }
  context.putImageData(data, 0, 0);
  return canvas;
}

// Lines of one of the screen's pixels and their shadow, or less where there is little room (0 … 1).
function strokeBorders(context, path, thin, room) {
  context.lineCap = "butt";
  context.strokeStyle = `rgba(0, 0, 0, ${0.3 * room})`;
  context.lineWidth = 2.8 * thin * room;
  context.stroke(path);
  context.strokeStyle = `rgba(255, 255, 255, ${0.5 + 0.35 * room})`;
  context.lineWidth = thin * (0.45 + 0.65 * room);
  context.stroke(path);
}
