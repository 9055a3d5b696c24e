/** CenterFace: boxes, confidences and five points of faces. See `faces/detection.py`. */

import { clip, roundEven } from "./numbers.js";
import { finestSize, mergePasses, search } from "./search.js";
import { shrunk } from "./resize.js";
import { withTurned } from "./turning.js";

export class Detector {
  #run;
  #settings;
  #numbers;

  /**
   * @param {Function} run the network: (data, height, width) to its four maps, each {data, dims}
   * @param {object} settings size, threshold and min_face
   * @param {object} numbers of the Python modules, by module
   */
  constructor(run, settings, numbers) {
    [this.#run, this.#settings, this.#numbers] = [run, settings, numbers];
  }

  /** The faces of a picture, largest box first. */
  async faces(pixels) {
    const { size, threshold } = this.#settings;
    const detect = (...given) => this.#detect(...given);
    const searched = (view) => this.#search(view, detect);
    const found = await withTurned(
      pixels,
      await searched(pixels),
      searched,
      detect,
      { first: size, threshold },
      this.#numbers,
    );
    const area = ({ box }) => (box[2] - box[0]) * (box[3] - box[1]);
    return found.sort((a, b) => area(b) - area(a));
  }

  /** The shorter side of the smallest face that is searched in a picture. */
  smallestFace({ width, height }) {
    const { FACE_INPUT } = this.#numbers.search;
    const finest = this.#finest(width, height);
    return Math.max(this.#settings.min_face, (FACE_INPUT * Math.max(width, height)) / finest);
  }

  #finest(width, height) {
    const { size, min_face } = this.#settings;
    return finestSize(width, height, size, min_face, this.#numbers.search);
  }

  #search(pixels, detect) {
    const { size, threshold } = this.#settings;
    const finest = this.#finest(pixels.width, pixels.height);
    const how = { first: size, finest, retry: 2 * size, threshold };
    return search(pixels, detect, how, this.#numbers.search);
  }

  /** Run the network on a picture whose long side is resized to `size`. */
  async #detect(pixels, size, minimum) {
    const { input, height, width, scale } = networkInput(pixels, size, this.#numbers.detection);
    const maps = await this.#run(input, height, width);
    const cells = decoded(maps, minimum, this.#numbers.detection);
    let found = [];
    for (const isSure of [true, false]) { // uncertain cells must not move a face's box
      const some = cells.filter((one) => one.confidence >= this.#settings.threshold === isSure);
      const faces = merged(some, this.#numbers.detection).map((one) => ({
        box: one.box.map((value, edge) =>
          clip(value / scale, 0, edge % 2 ? pixels.height : pixels.width),
        ),
        confidence: one.confidence,
        points: one.points.map(([x, y]) => [x / scale, y / scale]),
      }));
      const inside = faces.filter(({ box }) => box[2] > box[0] && box[3] > box[1]);
      found = mergePasses(found, inside, this.#settings.threshold, this.#numbers.search);
    }
    return found;
  }
}

/** A picture with a long side of `size`, padded with black to multiples of 32. */
export function networkInput(pixels, size, numbers) {
  const scale = size / Math.max(pixels.width, pixels.height);
  const wide = Math.max(1, roundEven(pixels.width * scale));
  const tall = Math.max(1, roundEven(pixels.height * scale));
  const most = Math.min(pixels.width, pixels.height);
  const step = Math.max(1, Math.min(Math.trunc(1 / scale / numbers.PIXELS_PER_SIDE), most));
  const small = shrunk(pixels.sparse(step), wide, tall);
  const [width, height] = [wide, tall].map(
    (length) => Math.ceil(length / numbers.SIZE_MULTIPLE) * numbers.SIZE_MULTIPLE,
  );
  const input = new Float32Array(3 * height * width);
  for (let channel = 0; channel < 3; channel += 1)
    for (let y = 0; y < tall; y += 1)
      for (let x = 0; x < wide; x += 1)
        input[(channel * height + y) * width + x] = small[3 * (y * wide + x) + channel];
  return { input, height, width, scale };
}

/** The cells of the network's maps that may be faces, in input pixels, row by row. */
function decoded([heat, sizes, offsets, landmarks], minimum, { STRIDE }) {
  const [, , height, width] = heat.dims;
  const area = height * width;
  const cells = [];
  for (let cell = 0; cell < area; cell += 1) {
    const confidence = heat.data[cell];
    if (confidence < minimum) continue;
    const [row, column] = [Math.floor(cell / width), cell % width];
    const wide = Math.exp(sizes.data[area + cell]) * STRIDE;
    const tall = Math.exp(sizes.data[cell]) * STRIDE;
    const left = (column + offsets.data[area + cell] + 0.5) * STRIDE - wide / 2;
    const top = (row + offsets.data[cell] + 0.5) * STRIDE - tall / 2;
    const points = [0, 1, 2, 3, 4].map((point) => [
      left + landmarks.data[(2 * point + 1) * area + cell] * wide,
      top + landmarks.data[2 * point * area + cell] * tall,
    ]);
    cells.push({ box: [left, top, left + wide, top + tall], confidence, points });
  }
  return cells;
}

/** Non-maximum suppression that averages overlapping boxes, weighted by confidence. */
function merged(cells, { SAME_FACE_IOU, MAX_IOU }) {
  let queue = [...cells].sort((a, b) => b.confidence - a.confidence);
  const faces = [];
  while (queue.length) {
    const [first] = queue;
    const ious = queue.map((one) => iou(first.box, one.box));
    const same = queue.filter((_, place) => ious[place] >= SAME_FACE_IOU);
    const sum = same.reduce((total, one) => total + one.confidence, 0);
    const average = (values) =>
      same.reduce((total, one, place) => total + (one.confidence / sum) * values[place], 0);
    faces.push({
      box: first.box.map((_, edge) => average(same.map((one) => one.box[edge]))),
      confidence: first.confidence,
      points: first.points.map((point, number) =>
        point.map((_, axis) => average(same.map((one) => one.points[number][axis]))),
      ),
    });
    queue = queue.filter((_, place) => ious[place] <= MAX_IOU);
  }
  return faces;
}

function iou(one, other) {
  const width = Math.max(0, Math.min(one[2], other[2]) - Math.max(one[0], other[0]));
  const height = Math.max(0, Math.min(one[3], other[3]) - Math.max(one[1], other[1]));
  const areas = [one, other].map((box) => (box[2] - box[0]) * (box[3] - box[1]));
  return (width * height) / (areas[0] + areas[1] - width * height);
}
