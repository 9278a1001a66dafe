// The regions of a picture at every level. What takes long is found when first asked for.

class Partition {
  constructor(about, sections, width, height) {
    Object.assign(this, { about, width, height, levels: about.levels, name: about.name });
    this.decode(sections);
    const n = this.count(this.last);
    const color = sections.get("color");
    this.tokenColours = Uint32Array.from({ length: n }, (_, i) => packed(color[i], color[n + i], color[2 * n + i]));
    this.vectors = sections.get("vectors");
    this.scores = about.scores.map(({ name, low, high }, i) => {
      const bytes = sections.get(`scores.${i}`).slice();
      return { name, low, high, values: new Float32Array(bytes.buffer) };
    });
    this.outlines = this.levels.map(() => new Map());
    this.known = new Map();
  }

  get last() {
    return this.levels.length - 1;
  }

  count(level) {
    return this.levels[level].count;
  }

  decode(sections) {
    const streams = streamsOf(sections, "map");
    const { labels, first } = decodePixels(streams, this.width, this.height, this.count(0));
    let lut = null, places = first, names = streams.names;
    this.parents = [];
    const called = [names];
    for (let i = 0; i < this.last; i++) {
      const up = streamsOf(sections, `up.${this.levels[i].level}`);
      const here = lut;
      const regionAt = here ? (p) => here[labels[p]] : (p) => labels[p];
      const found = decodeParents(up, places, this.width, this.count(i + 1), regionAt);
      this.parents.push(found.parents);
      places = found.first;
      lut = here ? here.map((r) => found.parents[r]) : found.parents;
      called.push(up.names);
    }
    this.rename(labels, called);
    this.base = labels;
  }

  // Numbers by first occurrence → those that Python has.
  rename(labels, called) {
    this.parents = this.parents.map((parents, i) => {
      const [below, above] = [called[i], called[i + 1]];
      if (!below && !above) return parents;
      const renamed = new Uint32Array(parents.length);
      parents.forEach((parent, r) => (renamed[below ? below[r] : r] = above ? above[parent] : parent));
      return renamed;
    });
    if (called[0]) for (let p = 0; p < labels.length; p++) labels[p] = called[0][labels[p]];
  }

  once(key, make) {
    if (!this.known.has(key)) this.known.set(key, make());
    return this.known.get(key);
  }

  // Region of a level of each region of the finest level; null for that level itself.
  lut(level) {
    if (level === 0) return null;
    return this.once(`lut ${level}`, () => {
      const below = this.lut(level - 1), parents = this.parents[level - 1];
      return below ? below.map((r) => parents[r]) : parents;
    });
  }

  at(level, x, y) {
    const lut = this.lut(level), r = this.base[y * this.width + x];
    return lut ? lut[r] : r;
  }

  // Sizes, boxes and sums of positions of all regions of a level.
  shapes(level) {
    return this.once(`shapes ${level}`, () => (level === 0 ? this.shapesOfPixels() : this.shapesOfChildren(level)));
  }

  shapesOfPixels() {
    const shapes = emptyShapes(this.count(0)), { size, x0, y0, x1, y1, sx, sy } = shapes;
    for (let y = 0, p = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++, p++) {
        const r = this.base[p];
        size[r]++;
        sx[r] += x;
        sy[r] += y;
        if (x < x0[r]) x0[r] = x;
        if (x >= x1[r]) x1[r] = x + 1;
        if (y < y0[r]) y0[r] = y;
        if (y >= y1[r]) y1[r] = y + 1;
      }
    }
    return shapes;
  }

  shapesOfChildren(level) {
    const below = this.shapes(level - 1), shapes = emptyShapes(this.count(level));
    this.parents[level - 1].forEach((r, child) => {
      for (const sum of ["size", "sx", "sy"]) shapes[sum][r] += below[sum][child];
      for (const least of ["x0", "y0"]) shapes[least][r] = Math.min(shapes[least][r], below[least][child]);
      for (const most of ["x1", "y1"]) shapes[most][r] = Math.max(shapes[most][r], below[most][child]);
    });
    return shapes;
  }

  shape(level, r) {
    const { size, x0, y0, x1, y1, sx, sy } = this.shapes(level);
    const n = size[r];
    return { size: n, x: sx[r] / n, y: sy[r] / n, x0: x0[r], y0: y0[r], x1: x1[r], y1: y1[r] };
  }

  // Mean colours: the tokens' own, those of other levels out of the picture's pixels.
  colours(level, pixels) {
    if (level === this.last) return this.tokenColours;
    return this.once(`colours ${level}`, () => {
      const sums = this.colourSums(level, pixels()), { size } = this.shapes(level);
      return Uint32Array.from(size, (n, r) => packed(...[0, 1, 2].map((c) => Math.round(sums[3 * r + c] / n))));
    });
  }

  colourSums(level, pixels) {
    return this.once(`sums ${level}`, () => {
      const sums = new Float64Array(3 * this.count(level));
      if (level === 0) {
        for (let p = 0; p < this.base.length; p++) {
          for (let c = 0, r = 3 * this.base[p]; c < 3; c++) sums[r + c] += pixels[4 * p + c];
        }
      } else {
        const below = this.colourSums(level - 1, pixels);
        this.parents[level - 1].forEach((r, child) => {
          for (let c = 0; c < 3; c++) sums[3 * r + c] += below[3 * child + c];
        });
      }
      return sums;
    });
  }

  // Who touches whom, and along how many pixel sides: rows of neighbours, one after the other.
  graph(level) {
    return this.once(`graph ${level}`, () => {
      const sides = new Map(), n = this.count(level), { base, width, height } = this, lut = this.lut(level);
      const meet = (a, b) => {
        const key = a < b ? a * n + b : b * n + a;
        sides.set(key, (sides.get(key) || 0) + 1);
      };
      for (let y = 0, p = 0; y < height; y++) {
        for (let x = 0; x < width; x++, p++) {
          const own = lut ? lut[base[p]] : base[p];
          if (x + 1 < width) {
            const right = lut ? lut[base[p + 1]] : base[p + 1];
            if (right !== own) meet(own, right);
          }
          if (y + 1 < height) {
            const below = lut ? lut[base[p + width]] : base[p + width];
            if (below !== own) meet(own, below);
          }
        }
      }
      return rowsOf(sides, n);
    });
  }

  neighbours(level, r) {
    const { start, other, sides } = this.graph(level);
    const found = [];
    for (let i = start[r]; i < start[r + 1]; i++) found.push({ region: other[i], sides: sides[i] });
    return found.sort((a, b) => b.sides - a.sides || a.region - b.region);
  }

  children(level, r) {
    if (level === 0) return [];
    const { start, child } = this.once(`children ${level}`, () => childrenOf(this.parents[level - 1], this.count(level)));
    return child.subarray(start[r], start[r + 1]);
  }

  parent(level, r) {
    return level < this.last ? this.parents[level][r] : null;
  }

  // The token that a region is part of.
  token(level, r) {
    for (let i = level; i < this.last; i++) r = this.parents[i][r];
    return r;
  }

  // The outline of a region on a grid of so many pixels; of small regions, on that of pixels.
  outline(level, r, grid = 1) {
    const { size } = this.shapes(level), step = size[r] < 200 * grid * grid ? 1 : grid;
    const paths = this.outlines[level], key = r * 64 + step;
    let path = paths.get(key);
    if (!path) {
      if (paths.size > 4096) paths.clear();
      path = outlineOf(this, level, r, step);
      paths.set(key, path);
    }
    return path;
  }
}

// The largest grid whose squares are no larger than the screen's pixels.
const gridFor = (scale) => Math.max(1, Math.min(32, 2 ** Math.floor(Math.log2(1 / scale))));

function emptyShapes(n) {
  return {
    size: new Uint32Array(n),
    sx: new Float64Array(n),
    sy: new Float64Array(n),
    x0: new Uint32Array(n).fill(0xffffffff),
    y0: new Uint32Array(n).fill(0xffffffff),
    x1: new Uint32Array(n),
    y1: new Uint32Array(n),
  };
}

function rowsOf(sides, n) {
  const start = new Uint32Array(n + 1);
  for (const key of sides.keys()) {
    start[Math.floor(key / n) + 1]++;
    start[(key % n) + 1]++;
  }
  for (let r = 0; r < n; r++) start[r + 1] += start[r];
  const next = start.slice(), other = new Uint32Array(start[n]), shared = new Uint32Array(start[n]);
  for (const [key, count] of sides) {
    const a = Math.floor(key / n), b = key % n;
    for (const [from, to] of [[a, b], [b, a]]) {
      other[next[from]] = to;
      shared[next[from]++] = count;
    }
  }
  return { start, other, sides: shared };
}

function childrenOf(parents, n) {
  const start = new Uint32Array(n + 1);
  for (const parent of parents) start[parent + 1]++;
  for (let r = 0; r < n; r++) start[r + 1] += start[r];
  const next = start.slice(), child = new Uint32Array(parents.length);
  parents.forEach((parent, r) => (child[next[parent]++] = r));
  return { start, child };
}

// Squares of a grid whose middles are in a region, within a box that is one square larger on all sides.
function maskOf(partition, level, r, step) {
  const { x0, y0, x1, y1 } = partition.shape(level, r), { base, width, height } = partition, lut = partition.lut(level);
  const left = Math.floor(x0 / step), top = Math.floor(y0 / step), half = step >> 1;
  const wide = Math.ceil(x1 / step) - left + 2, high = Math.ceil(y1 / step) - top + 2, inside = new Uint8Array(wide * high);
  for (let j = 1; j < high - 1; j++) {
    const row = Math.min((top + j - 1) * step + half, height - 1) * width;
    for (let i = 1, place = j * wide + 1; i < wide - 1; i++, place++) {
      const own = base[row + Math.min((left + i - 1) * step + half, width - 1)];
      inside[place] = (lut ? lut[own] : own) === r ? 1 : 0;
    }
  }
  return { inside, wide, high, left, top };
}

// The sides between a region and what is around it, straight runs as one line each.
function outlineOf(partition, level, r, step) {
  const { inside, wide, high, left, top } = maskOf(partition, level, r, step), path = new Path2D();
  const x = (i) => Math.min(partition.width, (left + i - 1) * step), y = (j) => Math.min(partition.height, (top + j - 1) * step);
  for (let j = 1; j < high; j++) {
    for (let i = 1, run = -1; i < wide; i++) {
      const p = j * wide + i, differs = inside[p] !== inside[p - wide];
      if (differs && run < 0) run = i;
      if (!differs && run >= 0) {
        path.moveTo(x(run), y(j));
        path.lineTo(x(i), y(j));
        run = -1;
      }
    }
  }
  for (let i = 1; i < wide; i++) {
    for (let j = 1, run = -1; j < high; j++) {
      const p = j * wide + i, differs = inside[p] !== inside[p - 1];
      if (differs && run < 0) run = j;
      if (!differs && run >= 0) {
        path.moveTo(x(i), y(run));
        path.lineTo(x(i), y(j));
        run = -1;
      }
    }
  }
  return path;
}
