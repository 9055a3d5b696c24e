/** Smaller pictures for the face search, to the last bit as Pillow makes them. */


const GAP = 2; // a picture is averaged by whole numbers until it is this many times as large
const BITS = 22; // of the weights after the point

/**
 * Resize with a triangle filter, after averaging by whole numbers.
 * @param {Pixels} pixels
 * @returns {Uint8Array} (height, width, 3)
 */
export function shrunk(pixels, width, height) {
  const across = Math.max(1, Math.floor(pixels.width / width / GAP));
  const down = Math.max(1, Math.floor(pixels.height / height / GAP));
  const reduced = averaged(pixels, across, down);
  const xs = weights(reduced.width, pixels.width / across, width);
  const ys = weights(reduced.height, pixels.height / down, height);
  return vertically(horizontally(reduced, xs, width), ys, width, height);
}

/** Means over blocks of whole pixels; the last of a row or column may be smaller. */
function averaged(pixels, across, down) {
  const [width, height] = [Math.ceil(pixels.width / across), Math.ceil(pixels.height / down)];
  const data = new Uint8Array(3 * width * height);
  let to = 0;
  for (let y = 0; y < height; y += 1) {
    const bottom = Math.min(pixels.height, (y + 1) * down);
    for (let x = 0; x < width; x += 1, to += 3) {
      const right = Math.min(pixels.width, (x + 1) * across);
      let [red, green, blue] = [0, 0, 0];
      for (let row = y * down; row < bottom; row += 1) {
        for (let column = x * across, at = pixels.at(column, row); column < right; column += 1) {
          red += pixels.data[at];
          green += pixels.data[at + 1];
          blue += pixels.data[at + 2];
          at += pixels.across;
        }
      }
      const count = (bottom - y * down) * (right - x * across);
      const half = Math.floor(count / 2);
      const factor = Math.floor(Math.fround(2 ** 32 / (256 * count)));
      data[to] = Math.floor(((red + half) * factor) / 2 ** 24);
      data[to + 1] = Math.floor(((green + half) * factor) / 2 ** 24);
      data[to + 2] = Math.floor(((blue + half) * factor) / 2 ** 24);
    }
  }
  return { data, width, height };
}

/** For each sample along an axis: the first pixel that counts, and whole weights. */
function weights(size, length, count) {
  const scale = length / count;
  const reach = Math.max(1, scale);
  return Array.from({ length: count }, (_, sample) => {
    const center = (sample + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - reach + 0.5));
    const last = Math.min(size, Math.trunc(center + reach + 0.5));
    const given = [];
    let sum = 0;
    for (let place = first; place < last; place += 1) {
      const weight = Math.max(0, 1 - Math.abs((place - center + 0.5) / reach));
      given.push(weight);
      sum += weight;
    }
    return { first, given: given.map((weight) => Math.trunc((weight / sum) * 2 ** BITS + 0.5)) };
  });
}

const rounded = (sum) => {
  const value = (sum + 2 ** (BITS - 1)) >> BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
};

function horizontally({ data, width, height }, xs, count) {
  const out = new Uint8Array(3 * count * height);
  let to = 0;
  for (let y = 0; y < height; y += 1) {
    for (const { first, given } of xs) {
      let [red, green, blue] = [0, 0, 0];
      let at = 3 * (y * width + first);
      for (const weight of given) {
        red += data[at] * weight;
        green += data[at + 1] * weight;
        blue += data[at + 2] * weight;
        at += 3;
      }
      out[to] = rounded(red);
      out[to + 1] = rounded(green);
      out[to + 2] = rounded(blue);
      to += 3;
    }
  }
  return out;
}

function vertically(data, ys, width, height) {
  const out = new Uint8Array(3 * width * height);
  const row = 3 * width;
  for (let y = 0; y < height; y += 1) {
    const { first, given } = ys[y];
    for (let place = 0; place < row; place += 1) {
      let sum = 0;
      let at = first * row + place;
      for (const weight of given) {
        sum += data[at] * weight;
        at += row;
      }
      out[y * row + place] = rounded(sum);
    }
  }
  return out;
}
