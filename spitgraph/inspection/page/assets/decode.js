// What the page holds: pieces in base64, compressed, each of many sections.

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

async function inflated(bytes) {
  if (typeof DecompressionStream === "undefined") return inflateSlowly(bytes);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function sectionsOf(about, element) {
  const bytes = await inflated(bytesOf(element.textContent));
  element.remove(); // its memory is wanted
  const sections = new Map();
  let start = 0;
  for (const [name, size] of about.sections) {
    sections.set(name, bytes.subarray(start, start + size));
    start += size;
  }
  return sections;
}

// Numbers whose lowest bytes come first, all of them, then the next ones.
function numbersOf(planes) {
  const n = planes.length / 4, numbers = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    numbers[i] = (planes[i] | (planes[n + i] << 8) | (planes[2 * n + i] << 16) | (planes[3 * n + i] << 24)) >>> 0;
  }
  return numbers;
}

function streamsOf(sections, name) {
  const [left, above, fresh, aside] = [0, 1, 2, 3].map((i) => sections.get(`${name}.${i}`));
  const names = sections.get(`${name}.names`);
  return { left, above, fresh, aside, rest: numbersOf(sections.get(`${name}.4`)), names: names && numbersOf(names) };
}

// Label of each pixel, numbered by first occurrence; and where each label occurs first.
function decodePixels({ left, above, fresh, aside, rest }, width, height, count) {
  const labels = new Uint32Array(width * height), first = new Uint32Array(count);
  let b = 0, c = 0, d = 0, e = 0, seen = 0;
  for (let p = 0; p < labels.length; p++) {
    if ((left[p >> 3] >> (7 - (p & 7))) & 1) labels[p] = labels[p - 1];
    else if ((above[b >> 3] >> (7 - (b++ & 7))) & 1) labels[p] = labels[p - width];
    else if ((fresh[c >> 3] >> (7 - (c++ & 7))) & 1) {
      first[seen] = p;
      labels[p] = seen++;
    } else if ((aside[d >> 3] >> (7 - (d++ & 7))) & 1) labels[p] = labels[p - width + 1];
    else labels[p] = seen - 1 - rest[e++];
  }
  return { labels, first };
}

// Parent of each region, the same way; `regionAt` knows which region a pixel is in.
function decodeParents({ left, above, fresh, aside, rest }, places, width, count, regionAt) {
  const parents = new Uint32Array(places.length), first = new Uint32Array(count);
  let b = 0, c = 0, d = 0, e = 0, seen = 0;
  for (let r = 0; r < places.length; r++) {
    const p = places[r];
    if ((left[r >> 3] >> (7 - (r & 7))) & 1) parents[r] = parents[regionAt(p - 1)];
    else if ((above[b >> 3] >> (7 - (b++ & 7))) & 1) parents[r] = parents[regionAt(p - width)];
    else if ((fresh[c >> 3] >> (7 - (c++ & 7))) & 1) {
      first[seen] = p;
      parents[r] = seen++;
    } else if ((aside[d >> 3] >> (7 - (d++ & 7))) & 1) parents[r] = parents[regionAt(p - width + 1)];
    else parents[r] = seen - 1 - rest[e++];
  }
  return { parents, first };
}
