// Colours: of pixels as canvases hold them, of scores, of pins. All can be told apart without red and green.

const BLACK = 0xff000000; // in memory: red, green, blue, alpha
const packed = (red, green, blue, alpha = 255) => ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
const hexOf = (colour) =>
  "#" + [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255].map((c) => c.toString(16).padStart(2, "0")).join("");

// Okabe and Ito's colours, in an order in which neighbours differ most.
const PIN_COLOURS = ["#e69f00", "#56b4e9", "#cc79a7", "#009e73", "#f0e442", "#d55e00", "#0072b2", "#ffffff"];

// Anchors, evenly spaced: dark to bright (inferno); blue over white to red (ColorBrewer's RdBu).
const ONE_SIGN = ["#000004", "#210c4a", "#57106e", "#8a226a", "#bc3754", "#e45a31", "#f98e09", "#f9cb35", "#fcffa4"];
const BOTH_SIGNS = ["#053061", "#2166ac", "#4393c3", "#92c5de", "#f7f7f7", "#f4a582", "#d6604d", "#b2182b", "#67001f"];

function rampOf(anchors, steps = 256) {
  const channels = anchors.map((text) => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16)));
  return Uint32Array.from({ length: steps }, (_, step) => {
    const place = (step / (steps - 1)) * (anchors.length - 1);
    const before = Math.min(Math.floor(place), anchors.length - 2), share = place - before;
    return packed(...[0, 1, 2].map((c) => Math.round(channels[before][c] * (1 - share) + channels[before + 1][c] * share)));
  });
}

const rampOfScores = (() => {
  const ramps = [rampOf(ONE_SIGN), rampOf(BOTH_SIGNS)];
  return ({ low }) => ramps[low < 0 ? 1 : 0];
})();

function colourOfScore(ramp, { low, high }, value) {
  const reach = high > low ? (value - low) / (high - low) : 0.5;
  return ramp[Math.round(Math.max(0, Math.min(1, reach)) * 255)];
}
