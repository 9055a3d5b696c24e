/**
 * Coarse-to-fine face search. See `faces/search.py`, which this follows step by step.
 *
 * A candidate is {box: [left, top, right, bottom], confidence, points: five pairs}. `detect(pixels,
 * size, minimum)` runs the network on a picture or a region of it.
 */

import { roundEven } from "./numbers.js";

export const side = ({ box }) => Math.max(box[2] - box[0], box[3] - box[1]);

export const moved = (one, x, y) => ({
  box: [one.box[0] + x, one.box[1] + y, one.box[2] + x, one.box[3] + y],
  confidence: one.confidence,
  points: one.points.map(([a, b]) => [a + x, b + y]),
});

/** The long side of the finest pass that a picture may get. */
export function finestSize(width, height, first, minFace, numbers) {
  const { FACE_INPUT } = numbers;
  const wanted = Math.ceil((FACE_INPUT * Math.max(width, height)) / Math.max(minFace, FACE_INPUT));
  return Math.max(first, wanted);
}

/** The faces of a picture, and the candidates below the threshold that remain. */
export async function search(pixels, detect, { first, finest, retry, threshold }, numbers) {
  const minimum = Math.min(numbers.UNCERTAIN, threshold);
  const long = Math.max(pixels.width, pixels.height);
  let size = first;
  let found = await detect(pixels, first, minimum);
  while (!isEnough(found, size, first, long, threshold, numbers)) {
    const last = sure(found, threshold).length ? finest : Math.max(finest, retry);
    if (size >= last) break;
    size = Math.min(2 * size, last);
    const finer = await detectTiled(pixels, size, detect, minimum, numbers);
    found = mergePasses(found, finer, threshold, numbers);
  }
  for (const candidate of found.filter((one) => one.confidence < threshold)) {
    if ((side(candidate) * size) / long < numbers.CLOSE_INPUT && size < finest) {
      const closer = await lookCloser(pixels, candidate, detect, threshold, numbers);
      found = mergePasses(found, closer, threshold, numbers);
    }
  }
  return found;
}

/** Add the candidates of a finer pass to those of the coarser ones. */
export function mergePasses(known, finer, threshold, numbers) {
  let merged = [...known];
  for (const candidate of [...finer].sort((a, b) => b.confidence - a.confidence)) {
    const same = merged.filter((one) => isSame(one.box, candidate.box, numbers));
    if (same.some((one) => one.confidence >= threshold)) continue;
    if (same.every((one) => one.confidence < candidate.confidence)) {
      merged = merged.filter((one) => !same.includes(one));
      merged.push(candidate);
    }
  }
  return merged;
}

export function isSame(one, other, numbers) {
  const width = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  if (width <= 0 || height <= 0) return false;
  const shared = width * height;
  const areas = [one, other].map((box) => (box[2] - box[0]) * (box[3] - box[1]));
  return (
    shared >= numbers.SAME_IOU * (areas[0] + areas[1] - shared) ||
    shared >= numbers.SAME_SHARE * Math.min(...areas)
  );
}

const sure = (found, threshold) => found.filter((one) => one.confidence >= threshold);

function isEnough(found, size, first, long, threshold, numbers) {
  const sides = sure(found, threshold).map(side);
  if (!sides.length) return false;
  if (size === first) {
    const portrait = found.length === 1 && sides[0] >= numbers.PORTRAIT_SHARE * long;
    return portrait && long <= numbers.PORTRAIT_SIDE;
  }
  return (Math.min(...sides) * size) / long >= numbers.SMALL_INPUT;
}

async function detectTiled(pixels, size, detect, minimum, numbers) {
  const { width, height } = pixels;
  const scale = size / Math.max(height, width);
  if (size <= numbers.TILE) return detect(pixels, size, minimum);
  const found = [];
  for (const [top, tall] of tiles(height, scale, numbers)) {
    for (const [left, wide] of tiles(width, scale, numbers)) {
      const [right, bottom] = [Math.min(left + wide, width), Math.min(top + tall, height)];
      const tile = pixels.part(left, top, right, bottom);
      const input = roundEven(Math.max(tile.width, tile.height) * scale);
      for (const one of await detect(tile, input, minimum)) {
        const there = moved(one, left, top);
        const edges = [left, top, left + wide, top + tall];
        if (!isCut(there.box, edges, pixels, 2 / scale)) found.push(there);
      }
    }
  }
  return mergePasses([], found, Infinity, numbers);
}

function tiles(length, scale, numbers) {
  const [tile, overlap] = [numbers.TILE / scale, numbers.TILE_OVERLAP / scale];
  const count = Math.max(1, Math.ceil((length - overlap) / (tile - overlap)));
  const long = Math.ceil((length + (count - 1) * overlap) / count);
  return Array.from({ length: count }, (_, number) => [
    roundEven((number * (length - long)) / Math.max(1, count - 1)),
    long,
  ]);
}

/** Whether a box touches an inner edge of its tile: the neighbouring tile has it whole. */
function isCut(box, [left, top, right, bottom], { width, height }, margin) {
  return (
    (left > 0 && box[0] < left + margin) ||
    (top > 0 && box[1] < top + margin) ||
    (right < width && box[2] > right - margin) ||
    (bottom < height && box[3] > bottom - margin)
  );
}

/** The region around a candidate, as pixels and their left and top edge. */
export function region(pixels, { box }, reach) {
  const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
  const [left, top] = [Math.trunc(Math.max(0, x - reach)), Math.trunc(Math.max(0, y - reach))];
  const right = Math.ceil(Math.min(pixels.width, x + reach));
  const bottom = Math.ceil(Math.min(pixels.height, y + reach));
  return { part: pixels.part(left, top, right, bottom), left, top };
}

async function lookCloser(pixels, candidate, detect, threshold, numbers) {
  const { part, left, top } = region(pixels, candidate, numbers.CONTEXT * side(candidate));
  const long = Math.max(part.width, part.height);
  const size = roundEven((long / side(candidate)) * numbers.CLOSE_INPUT);
  const seen = await detect(part, Math.min(size, numbers.TILE), threshold);
  return seen.map((one) => moved(one, left, top));
}
