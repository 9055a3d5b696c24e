/** From faces to frames and crops. See `faces/framing.py` and `faces/extraction.py`. */

import { roundEven } from "./numbers.js";
import { pose } from "./pose.js";
import { turnedBox, turnedPoints } from "./turning.js";

/** The head-and-shoulders rectangle around a face box, with the aspect ratio of the spec. */
function frameAround(box, spec) {
  const [across, down] = spec.aspect ? [spec.aspect, 1] : [spec.width, spec.height];
  const byWidth = (box[2] - box[0]) / spec.face_width / across;
  const byHeight = (box[3] - box[1]) / spec.face_height / down;
  const scale = Math.sqrt(byWidth * byHeight);
  const [width, height] = [across * scale, down * scale];
  const left = (box[0] + box[2]) / 2 - spec.center_x * width;
  const top = (box[1] + box[3]) / 2 - spec.center_y * height;
  return [left, top, left + width, top + height];
}

/** Whether a picture equals the frame, within the spec's tolerance. */
function isFramed(frame, [width, height], { framed_tolerance: tolerance }) {
  const [wide, tall] = [frame[2] - frame[0], frame[3] - frame[1]];
  return (
    Math.max(Math.abs(frame[0]), Math.abs(frame[2] - width)) <= tolerance * wide &&
    Math.max(Math.abs(frame[1]), Math.abs(frame[3] - height)) <= tolerance * tall
  );
}

/**
 * Each of some faces set upright, as the policy `auto` takes them.
 * @returns {object[]} each `face` in the picture; `turns`, the quarters that set it upright; and in
 *     the picture turned so, of the size `around`: `pixels`, `box`, `uprightFrame`, `uprightPoints`
 */
export function upright(pixels, faces, spec, numbers) {
  const size = [pixels.width, pixels.height];
  const each = faces.map((face) => {
    const turns = pose(face.points, numbers.pose).quarters;
    const around = turns % 2 ? [size[1], size[0]] : size;
    const box = turnedBox(face.box, turns, size);
    const points = turnedPoints(face.points, turns, size);
    return { face, turns, around, box, uprightPoints: points, uprightFrame: frameAround(box, spec) };
  });
  const [largest] = each;
  const whole = isFramed(largest.uprightFrame, largest.around, spec);
  if (whole) largest.uprightFrame = [0, 0, ...largest.around];
  return (whole ? [largest] : each).map((one) => ({
    ...one,
    whole,
    pixels: pixels.turned(one.turns),
  }));
}

/** What the input shows of a frame; `across` and `down`, 0 to 1, say where in it the part lies. */
function partOf(frame, spec, across = 0.5, down = 0.5) {
  if (spec.crop_mode === "squash") return frame;
  const [wide, tall] = [frame[2] - frame[0], frame[3] - frame[1]];
  const scale = Math.max(spec.width / wide, spec.height / tall) / spec.crop_pct;
  const left = frame[0] + roundEven(across * (wide * scale - spec.width)) / scale;
  const top = frame[1] + roundEven(down * (tall * scale - spec.height)) / scale;
  return [left, top, left + spec.width / scale, top + spec.height / scale];
}

/** The crops of a face whose scores are averaged; the first is in the middle. */
export function cropFrames(frame, spec, { LARGE_FRAME, MAX_SHIFT }) {
  const places = Array.from({ length: spec.crops }, (_, number) => [
    (0.5 + number * 0.75487767) % 1,
    (0.5 + number * 0.56984029) % 1,
  ]);
  if (spec.crop_pct < 1) return places.map((place) => partOf(frame, spec, ...place));
  const shown = partOf(frame, spec);
  const [width, height] = [shown[2] - shown[0], shown[3] - shown[1]];
  const isLarge = width >= LARGE_FRAME * spec.width && height >= LARGE_FRAME * spec.height;
  if (spec.crops === 1 || !isLarge) return [shown];
  return places.map(([across, down]) => {
    const x = (2 * across - 1) * MAX_SHIFT * width;
    const y = (2 * down - 1) * MAX_SHIFT * height;
    return [shown[0] + x, shown[1] + y, shown[2] + x, shown[3] + y];
  });
}
