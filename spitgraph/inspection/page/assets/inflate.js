// Inflate (RFC 1951) in zlib's wrapping (RFC 1950), for browsers without DecompressionStream.

function inflateSlowly(source) {
  let place = 2, held = 0, count = 0;
  let out = new Uint8Array(Math.max(1024, source.length * 4)), size = 0;

  const bits = (n) => {
    while (count < n) {
      held |= source[place++] << count;
      count += 8;
    }
    const value = held & ((1 << n) - 1);
    held >>>= n;
    count -= n;
    return value;
  };
  const room = (n) => {
    if (size + n <= out.length) return;
    const larger = new Uint8Array(Math.max(2 * out.length, size + n));
    larger.set(out);
    out = larger;
  };
  // canonical codes: how many there are of each length, and their symbols in order
  const codes = (lengths) => {
    const counts = new Uint16Array(16), starts = new Uint16Array(17);
    for (const length of lengths) counts[length]++;
    counts[0] = 0;
    for (let i = 1; i < 16; i++) starts[i + 1] = starts[i] + counts[i];
    const symbols = new Uint16Array(lengths.length);
    lengths.forEach((length, symbol) => {
      if (length) symbols[starts[length]++] = symbol;
    });
    return { counts, symbols };
  };
  const symbol = ({ counts, symbols }) => {
    let code = 0, first = 0, index = 0;
    for (let length = 1; length < 16; length++) {
      code |= bits(1);
      const here = counts[length];
      if (code - here < first) return symbols[index + code - first];
      index += here;
      first = (first + here) << 1;
      code <<= 1;
    }
    throw new Error("damaged data");
  };
  const BASE = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
  const EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
  const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  const fixed = () => [
    codes(Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8))),
    codes(new Array(30).fill(5)),
  ];
  const dynamic = () => {
    const numLiterals = bits(5) + 257, numDistances = bits(5) + 1, numLengths = bits(4) + 4;
    const lengths = new Array(19).fill(0);
    for (let i = 0; i < numLengths; i++) lengths[ORDER[i]] = bits(3);
    const table = codes(lengths), all = [];
    while (all.length < numLiterals + numDistances) {
      const found = symbol(table);
      if (found < 16) all.push(found);
      else {
        const value = found === 16 ? all[all.length - 1] : 0;
        const times = found === 16 ? 3 + bits(2) : found === 17 ? 3 + bits(3) : 11 + bits(7);
        for (let i = 0; i < times; i++) all.push(value);
      }
    }
    return [codes(all.slice(0, numLiterals)), codes(all.slice(numLiterals))];
  };

  let last;
  do {
    last = bits(1);
    const kind = bits(2);
    if (kind === 0) {
      held = count = 0;
      const length = source[place] | (source[place + 1] << 8);
      room(length);
      out.set(source.subarray(place + 4, place + 4 + length), size);
      size += length;
      place += 4 + length;
      continue;
    }
    const [literals, distances] = kind === 1 ? fixed() : dynamic();
    for (let found = symbol(literals); found !== 256; found = symbol(literals)) {
      if (found < 256) {
        room(1);
        out[size++] = found;
        continue;
      }
      const length = BASE[found - 257] + bits(EXTRA[found - 257]);
      const step = symbol(distances);
      const more = step < 4 ? 0 : (step >> 1) - 1;
      const distance = step < 4 ? step + 1 : ((2 + (step & 1)) << more) + 1 + bits(more);
      room(length);
      for (let i = 0; i < length; i++, size++) out[size] = out[size - distance];
    }
  } while (!last);
  return out.subarray(0, size);
}
