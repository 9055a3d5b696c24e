/** How a face is turned in the picture's plane, by its five points. See `faces/pose.py`. */

import { roundEven } from "./numbers.js";

/**
 * @param {number[][]} points five or none, as x and y
 * @param {object} numbers of `faces/pose.py`
 * @returns {{angle: number, misfit: number, fits: boolean, quarters: number}} degrees clockwise
 */
export function pose(points, numbers) {
  if (!points.length) return { angle: 0, misfit: 0, fits: true, quarters: 0 };
  const center = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / 5);
  const seen = points.map(([x, y]) => [x - center[0], y - center[1]]);
  const size = Math.hypot(...seen.flat());
  if (!size) return { angle: 0, misfit: 1, fits: false, quarters: 0 };
  const model = numbers.UPRIGHT;
  const norm = model.flat().reduce((sum, value) => sum + value * value, 0);
  let [real, imaginary] = [0, 0]; // of the sum of conj(model) * seen
  model.forEach(([a, b], place) => {
    const [x, y] = seen[place];
    real += a * x + b * y;
    imaginary += a * y - b * x;
  });
  [real, imaginary] = [real / norm, imaginary / norm];
  const rest = model.flatMap(([a, b], place) => [
    seen[place][0] - (real * a - imaginary * b),
    seen[place][1] - (real * b + imaginary * a),
  ]);
  const angle = (Math.atan2(imaginary, real) * 180) / Math.PI;
  const misfit = Math.hypot(...rest) / size;
  const fits = misfit <= numbers.MAX_MISFIT;
  return { angle, misfit, fits, quarters: fits ? (roundEven(angle / 90) + 4) % 4 : 0 };
}

/** Whether the box, by its sides, and the points of a face are those of an upright one. */
export function isUpright(width, height, points, numbers) {
  const { fits, angle } = pose(points, numbers);
  return fits && Math.abs(angle) <= numbers.MAX_TILT && width <= numbers.WIDE * height;
}
