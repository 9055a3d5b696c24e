/** How a face is unlike those that scorers learn from. See `faces/notes.py`. */

import { mean } from "./numbers.js";
import { pose } from "./pose.js";

/**
 * The notes of a face.
 * @param {object} one face of `framing.upright`
 * @param {string[]} order of the notes
 */
export function notesOf(one, spec, order, numbers) {
  const { TINY, CUT_OFF, COLOURS, DETAILS } = numbers.notes;
  const { pixels, box, uprightFrame: frame } = one;
  const { angle, misfit } = pose(one.uprightPoints, numbers.pose);
  const profile = misfit > numbers.pose.NOTED_MISFIT;
  const applies = {
    tiny: Math.min(box[2] - box[0], box[3] - box[1]) < TINY,
    turned: one.turns > 0,
    tilted: !profile && Math.abs(angle) > numbers.pose.NOTED_TILT,
    profile,
    grey: isGrey(grid(pixels, frame, COLOURS), numbers.notes),
    cut_off: beyond(headAround(box, numbers.framing), pixels) > CUT_OFF,
    flat: isFlat(grid(pixels, box, DETAILS), numbers.notes),
  };
  return order.filter((note) => applies[note]);
}

/** The head that belongs to a face box: hair above, ears beside it. */
function headAround([left, top, right, bottom], { ABOVE, BESIDE }) {
  const beside = BESIDE * (right - left);
  return [left - beside, top - ABOVE * (bottom - top), right + beside, bottom];
}

/** The share of a part's area that lies beyond the picture. */
function beyond(frame, { width, height }) {
  const across = Math.max(0, Math.min(width, frame[2]) - Math.max(0, frame[0]));
  const down = Math.max(0, Math.min(height, frame[3]) - Math.max(0, frame[1]));
  return 1 - (across * down) / ((frame[2] - frame[0]) * (frame[3] - frame[1]));
}

/** Whether all colours lie about on one line, as greys and the shades of sepia do. */
function isGrey(rows, { GREY }) {
  const colours = rows.flat();
  const middle = [0, 1, 2].map((channel) => mean(colours.map((colour) => colour[channel])));
  const spread = [0, 1, 2].map((a) =>
    [0, 1, 2].map((b) =>
      colours.reduce((sum, one) => sum + (one[a] - middle[a]) * (one[b] - middle[b]), 0),
    ),
  );
  const [, across, along] = eigenvalues(spread);
  return across <= GREY ** 2 * along;
}

/** The eigenvalues of a symmetric 3 x 3 matrix, ascending, by its characteristic polynomial. */
function eigenvalues(matrix) {
  const trace = (matrix[0][0] + matrix[1][1] + matrix[2][2]) / 3;
  const off = matrix[0][1] ** 2 + matrix[0][2] ** 2 + matrix[1][2] ** 2;
  const square = [0, 1, 2].reduce((sum, place) => sum + (matrix[place][place] - trace) ** 2, 2 * off);
  const scale = Math.sqrt(square / 6);
  if (!scale) return [trace, trace, trace];
  const [a, b, c] = matrix.map((row, y) =>
    row.map((value, x) => (value - (x === y ? trace : 0)) / scale),
  );
  const determinant =
    a[0] * (b[1] * c[2] - b[2] * c[1]) -
    a[1] * (b[0] * c[2] - b[2] * c[0]) +
    a[2] * (b[0] * c[1] - b[1] * c[0]);
  const angle = Math.acos(Math.min(1, Math.max(-1, determinant / 2))) / 3;
  return [2, 4, 0].map((thirds) => trace + 2 * scale * Math.cos(angle + (thirds * Math.PI) / 3))
    .sort((one, other) => one - other);
}

/** Whether a face has hardly any detail for its contrast, or is evenly filled. */
function isFlat(rows, { BLURRED, EVEN, DETAILS }) {
  const levels = rows.map((row) => row.map((colour) => colour[1]));
  const [height, width] = [levels.length, levels[0].length];
  if (Math.min(height, width) < 3) return false;
  const turned = levels[0].map((_, x) => levels.map((row) => row[x]));
  const lines = [[turned, height], [levels, width]];
  const evens = [];
  const bends = [];
  for (const [along, size] of lines) {
    const steps = along.map((line) => differences(line));
    evens.push(mean(steps.flat().map((step) => Number(step === 0))));
    const squares = steps.flatMap((line) => differences(line)).map((bend) => bend ** 2);
    bends.push(Math.max(1, size / DETAILS) ** 4 * mean(squares));
  }
  const values = levels.flat();
  const middle = mean(values);
  const deviation = Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
  return Math.sqrt(mean(bends)) <= BLURRED * deviation || mean(evens) > EVEN;
}

const differences = (line) => line.slice(1).map((value, place) => value - line[place]);

/** Evenly spaced pixels of what of a box lies in the picture, as rows of colours. */
function grid(pixels, box, least) {
  const ys = places(box[1], box[3], pixels.height, least);
  const xs = places(box[0], box[2], pixels.width, least);
  return ys.map((y) =>
    xs.map((x) => {
      const at = pixels.at(x, y);
      return [pixels.data[at], pixels.data[at + 1], pixels.data[at + 2]];
    }),
  );
}

function places(start, end, size, least) {
  const first = Math.min(Math.max(0, Math.trunc(start)), size - 1);
  const last = Math.max(first + 1, Math.min(size, Math.ceil(end)));
  const step = Math.max(1, Math.floor((last - first) / least));
  return Array.from({ length: Math.ceil((last - first) / step) }, (_, one) => first + one * step);
}
