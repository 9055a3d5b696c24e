/** From pixels and a frame to the network's input. See `faces/sampling.py` and `faces/guide.py`. */

import { clip, roundEven } from "./numbers.js";

const CUBIC = -0.75;

const KERNELS = {
  bilinear: { reach: 1, weight: (x) => Math.max(0, 1 - x) },
  bicubic: {
    reach: 2,
    weight: (x) => {
      if (x <= 1) return ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1;
      return x < 2 ? ((CUBIC * x - 5 * CUBIC) * x + 8 * CUBIC) * x - 4 * CUBIC : 0;
    },
  },
};

/** The pixels that interpolation along one axis reads, and their weights. */
function taps(start, stop, count, limit, spec) {
  const { reach, weight } = KERNELS[spec.interpolation];
  const scale = (stop - start) / count;
  const wide = spec.antialias ? Math.max(1, scale) : 1;
  const radius = Math.ceil(reach * wide);
  return Array.from({ length: count }, (_, sample) => {
    const center = start + (sample + 0.5) * scale - 0.5;
    const first = Math.floor(center) + 1 - radius;
    const places = Array.from({ length: 2 * radius }, (_, tap) => first + tap);
    const weights = places.map((place) => weight(Math.abs(center - place) / wide));
    const sum = weights.reduce((total, one) => total + one, 0);
    return {
      places: places.map((place) => clip(place, 0, limit - 1)),
      weights: weights.map((one) => Math.fround(one / sum)),
    };
  });
}

/**
 * Resample a frame to the input's size, and normalise it.
 * @returns {Float32Array} (3, height, width)
 */
export function sampled(pixels, frame, spec) {
  const { width, height } = spec;
  const rows = taps(frame[1], frame[3], height, pixels.height, spec);
  const columns = taps(frame[0], frame[2], width, pixels.width, spec);
  const out = new Float32Array(3 * height * width);
  const used = [...new Set(columns.flatMap(({ places }) => places))].sort((a, b) => a - b);
  const placed = new Map(used.map((column, place) => [column, 3 * place]));
  const across = columns.map(({ places, weights }) => ({
    places: places.map((column) => placed.get(column)),
    weights,
  }));
  const strip = new Float32Array(3 * used.length);
  rows.forEach(({ places, weights }, y) => {
    strip.fill(0);
    weights.forEach((weight, tap) => {
      if (!weight) return;
      used.forEach((column, place) => {
        const at = pixels.at(column, places[tap]);
        for (let channel = 0; channel < 3; channel += 1)
          strip[3 * place + channel] += Math.fround(pixels.data[at + channel] * weight);
      });
    });
    across.forEach(({ places: from, weights: shares }, x) => {
      for (let channel = 0; channel < 3; channel += 1) {
        let sum = 0;
        for (let tap = 0; tap < from.length; tap += 1)
          sum = Math.fround(sum + Math.fround(strip[from[tap] + channel] * shares[tap]));
        const level = clip(roundEven(sum), 0, 255);
        const { mean, std } = spec;
        out[(channel * height + y) * width + x] =
          (level - mean[channel] * 255) / (std[channel] * 255);
      }
    });
  });
  return out;
}

/** Coordinates of five points relative to a frame, -1 to 1; zeros without points. */
export function landmarks(points, frame) {
  if (!points.length) return new Float32Array(10);
  const [width, height] = [frame[2] - frame[0], frame[3] - frame[1]];
  return Float32Array.from(
    points.flatMap(([x, y]) => [
      (2 * (x - frame[0])) / width - 1,
      (2 * (y - frame[1])) / height - 1,
    ]),
  );
}

/** The size of a face in octaves of the input's width; not a number for a picture taken whole. */
export const octaves = (frame, spec, whole) =>
  whole ? NaN : Math.log2((frame[2] - frame[0]) / spec.width);
