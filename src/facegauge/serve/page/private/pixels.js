/** Pictures as upright 8-bit sRGB pixels, and views of them that copy nothing. */

import { whyNot } from "./formats.js";

/** Pixels (x, y): red, green and blue lie at `data[at(x, y)]` and the two places after it. */
export class Pixels {
  /**
   * @param {Uint8ClampedArray} data
   * @param {number} across places from a pixel to its right neighbour
   * @param {number} down places from a pixel to the one below
   */
  constructor(data, width, height, offset = 0, across = 4, down = 4 * width) {
    Object.assign(this, { data, width, height, offset, across, down });
  }

  at(x, y) {
    return this.offset + x * this.across + y * this.down;
  }

  part(left, top, right, bottom) {
    const [width, height] = [right - left, bottom - top];
    return new Pixels(this.data, width, height, this.at(left, top), this.across, this.down);
  }

  /** Every step-th pixel each way, from the middle of the first step on. */
  sparse(step) {
    const first = Math.floor(step / 2);
    const [width, height] = [this.width, this.height].map((side) => Math.ceil((side - first) / step));
    const start = this.at(first, first);
    return new Pixels(this.data, width, height, start, step * this.across, step * this.down);
  }

  /** The picture turned counterclockwise by some quarters. */
  turned(quarters) {
    const { data, width, height, across, down } = this;
    switch (((quarters % 4) + 4) % 4) {
      case 1:
        return new Pixels(data, height, width, this.at(width - 1, 0), down, -across);
      case 2:
        return new Pixels(data, width, height, this.at(width - 1, height - 1), -across, -down);
      case 3:
        return new Pixels(data, height, width, this.at(0, height - 1), -down, across);
      default:
        return this;
    }
  }
}

/** A picture that has no pixels, with its status. */
export class PictureError extends Error {
  constructor(message, status = "unreadable") {
    super(message);
    this.status = status;
  }
}

/**
 * Open a picture file: turned as its EXIF data say, its colours those of sRGB, on white.
 * @returns {Promise<Pixels>}
 */
export async function open(file, maxPixels) {
  let image;
  try {
    image = await createImageBitmap(file);
  } catch {
    throw new PictureError(await whyNot(file));
  }
  const { width, height } = image;
  if (width * height > maxPixels) {
    image.close();
    const [has, may] = [width * height, maxPixels].map((count) => Math.round(count / 1e6));
    throw new PictureError(`${width} x ${height}: ${has} megapixels, the limit is ${may}`, "too_large");
  }
  try {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, width, height);
    context.drawImage(image, 0, 0);
    return new Pixels(context.getImageData(0, 0, width, height).data, width, height);
  } catch {
    throw new PictureError(`${width} x ${height} pixels are too many for this browser`, "too_large");
  } finally {
    image.close();
  }
}
