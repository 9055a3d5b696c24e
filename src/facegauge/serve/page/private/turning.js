/** Faces that are turned by a quarter or half in the picture. See `faces/turning.py`. */

import { isUpright, pose } from "./pose.js";
import { isSame, moved, region, side } from "./search.js";

/** Where points are once a picture of some size is turned counterclockwise by some quarters. */
export function turnedPoints(points, quarters, [width, height]) {
  let turned = points;
  for (let left = ((quarters % 4) + 4) % 4; left > 0; left -= 1) {
    const wide = width;
    turned = turned.map(([x, y]) => [y, wide - x]);
    [width, height] = [height, width];
  }
  return turned;
}

/** A box as in `turnedPoints`. */
export function turnedBox(box, quarters, size) {
  const corners = [[box[0], box[1]], [box[2], box[3]]];
  const [[a, b], [c, d]] = turnedPoints(corners, quarters, size);
  return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
}

/**
 * The faces of a picture, those that are turned with points to turn them upright by.
 * @param {object[]} found by a search of the picture
 * @param {Function} search searches a picture
 * @param {object} numbers of the Python modules, by module
 */
export async function withTurned(pixels, found, search, detect, { first, threshold }, numbers) {
  const upright = [];
  const looks = [];
  for (const one of found) {
    const likely = likelyTurns(one, threshold, numbers);
    if (!likely.length) upright.push(one);
    else looks.push(await look(pixels, one, likely, detect, threshold, numbers));
  }
  let turns = new Set(looks.map(([turn]) => turn).filter((turn) => turn));
  const faces = looks.map(([, one]) => one).filter((one) => one.confidence >= threshold);
  if (!upright.length && !faces.length)
    turns = await mostConfidentTurn(pixels, detect, first, threshold, numbers);
  const isIn = (one, others) => others.some((other) => isSame(one.box, other.box, numbers.search));
  const added = [];
  for (const turn of [...turns].sort()) {
    for (const one of await search(pixels.turned(turn))) {
      if (one.confidence < threshold || !looksUpright(one, numbers)) continue;
      const back = movedBack(one, turn, pixels);
      if (!isIn(back, upright)) added.push(back);
    }
  }
  const known = [...upright, ...added];
  return [...known, ...faces.filter((one) => !isIn(one, known))];
}

const looksUpright = ({ box, points }, numbers) =>
  isUpright(box[2] - box[0], box[3] - box[1], points, numbers.pose);

function likelyTurns(one, threshold, numbers) {
  if (one.confidence >= numbers.turning.SURE && looksUpright(one, numbers)) return [];
  const { WIDE, MAX_TILT } = numbers.pose;
  const [width, height] = [one.box[2] - one.box[0], one.box[3] - one.box[1]];
  const tilt = Math.abs(pose(one.points, numbers.pose).angle);
  const sideways = width > WIDE * height || (MAX_TILT < tilt && tilt < 180 - MAX_TILT);
  const turns = sideways ? [0, 1, 2, 3] : [0, 2];
  return one.confidence >= threshold ? turns : turns.slice(1);
}

/** Which of some turns a face has, and the face as the look at that turn sees it. */
async function look(pixels, one, turns, detect, threshold, numbers) {
  const { LOOK_REACH, LOOK_INPUT, LOOK_TILT } = numbers.turning;
  const { part, left, top } = region(pixels, one, LOOK_REACH * side(one));
  let best = null;
  for (const turn of turns) {
    for (const seen of await detect(part.turned(turn), LOOK_INPUT, threshold)) {
      const back = moved(movedBack(seen, turn, part), left, top);
      const { fits, angle } = pose(seen.points, numbers.pose);
      if (!isSame(back.box, one.box, numbers.search) || !fits || Math.abs(angle) > LOOK_TILT) continue;
      if (!best || seen.confidence > best.confidence) best = { confidence: seen.confidence, turn, back };
    }
  }
  if (!best) return [0, one];
  if (best.turn) return [best.turn, best.back];
  const points = pose(one.points, numbers.pose).quarters ? best.back.points : one.points;
  return [0, { ...one, points }];
}

/** The turn, 1 to 3, at which the first pass sees the surest upright face, if at any. */
async function mostConfidentTurn(pixels, detect, first, threshold, numbers) {
  let [best, surest] = [0, 0];
  for (const turn of [1, 2, 3]) {
    for (const one of await detect(pixels.turned(turn), first, threshold))
      if (looksUpright(one, numbers) && one.confidence > surest) [best, surest] = [turn, one.confidence];
  }
  return new Set(best ? [best] : []);
}

/** A candidate that was seen in `pixels.turned(turn)`, in the pixels as they are. */
function movedBack(one, turn, { width, height }) {
  if (!turn) return one;
  const size = turn % 2 ? [height, width] : [width, height];
  return {
    box: turnedBox(one.box, -turn, size),
    confidence: one.confidence,
    points: turnedPoints(one.points, -turn, size),
  };
}
