/** A picture file to its result, in the form of the service: the whole of private mode. */

import { described } from "./calibration.js";
import { Detector } from "./detector.js";
import { cropFrames, upright } from "./framing.js";
import { notesOf } from "./notes.js";
import { clip, mean } from "./numbers.js";
import { open, PictureError, Pixels } from "./pixels.js";
import { landmarks, octaves, sampled } from "./sampling.js";
import { turnedBox } from "./turning.js";

export class Scorer {
  #ort;
  #network;
  #config;
  #detector;

  /**
   * @param {object} ort onnxruntime-web
   * @param {object} network the scorer's session
   * @param {object} detector the detector's session
   * @param {object} config the part `private` of the page's
   */
  constructor(ort, network, detector, config) {
    [this.#ort, this.#network, this.#config] = [ort, network, config];
    const run = async (data, height, width) => {
      const tensor = new ort.Tensor("float32", data, [1, 3, height, width]);
      const maps = await detector.run({ [detector.inputNames[0]]: tensor });
      return detector.outputNames.map((name) => maps[name]);
    };
    this.#detector = new Detector(run, config.detector, config.numbers);
  }

  /** The result of a file, with heat maps if they are asked for; never an error of the picture. */
  async score(file, heatMaps = false) {
    const result = { status: "ok", message: "", width: 0, height: 0, faces: [] };
    try {
      const pixels = await open(file, this.#config.max_pixels);
      Object.assign(result, { width: pixels.width, height: pixels.height });
      const taken = await this.#taken(pixels);
      for (const one of taken) result.faces.push(await this.#face(one, result.faces.length));
      if (heatMaps) result.heat_maps = await this.#heatMaps(taken);
    } catch (error) {
      const status = error instanceof PictureError ? error.status : "error";
      Object.assign(result, { status, message: error.message, faces: [] });
    }
    return result;
  }

  /** The faces of a picture that get a score, set upright. */
  async #taken(pixels) {
    const found = await this.#detector.faces(pixels);
    if (!found.length) {
      const smallest = Math.round(this.#detector.smallestFace(pixels));
      throw new PictureError(`no face found (searched for faces of ${smallest} px and more)`, "no_face");
    }
    const { min_face: least } = this.#config.detector;
    const shorter = ({ box }) => Math.min(box[2] - box[0], box[3] - box[1]);
    const faces = found.filter((face) => shorter(face) >= least);
    if (!faces.length) {
      const largest = Math.trunc(Math.max(...found.map(shorter)));
      const message = `the largest face is ${largest} px, the minimum is ${least} px`;
      throw new PictureError(message, "too_small");
    }
    return upright(pixels, faces, this.#config.spec, this.#config.numbers);
  }

  async #face(one, number) {
    const { spec, numbers, calibration, notes } = this.#config;
    const scores = [];
    for (const frame of cropFrames(one.uprightFrame, spec, numbers.framing)) {
      const { score } = await this.#network.run(this.#inputs(one, frame), ["score"]);
      scores.push(score.data[0]);
    }
    const score = clip(mean(scores), 0, 1);
    if (!Number.isFinite(score)) throw new Error("the network gave no number for this picture");
    const [left, top, right, bottom] = one.face.box;
    return {
      face: number,
      ...described(score, one.whole, calibration),
      ...{ left, top, right, bottom },
      confidence: one.face.confidence,
      notes: notesOf(one, spec, notes, numbers),
      factors: {},
    };
  }

  #inputs(one, frame) {
    const { spec } = this.#config;
    const image = sampled(one.pixels, frame, spec);
    const tensor = (data, dims) => new this.#ort.Tensor("float32", data, dims);
    const inputs = { image: tensor(image, [1, 3, spec.height, spec.width]) };
    const names = this.#network.inputNames;
    if (names.includes("landmarks"))
      inputs.landmarks = tensor(landmarks(one.uprightPoints, frame), [1, 10]);
    if (names.includes("size"))
      inputs.size = tensor(Float32Array.of(octaves(frame, spec, one.whole)), [1, 1]);
    return inputs;
  }

  async #heatMaps(taken) {
    if (!this.#network.outputNames.includes("heat_map")) return [];
    const maps = [];
    for (const one of taken) {
      const [frame] = cropFrames(one.uprightFrame, this.#config.spec, this.#config.numbers.framing);
      const { heat_map: map } = await this.#network.run(this.#inputs(one, frame), ["heat_map"]);
      const [height, width] = map.dims.slice(-2);
      const turned = new Pixels(map.data, width, height, 0, 1, width).turned(-one.turns);
      const values = Array.from({ length: turned.height }, (_, y) =>
        Array.from({ length: turned.width }, (_, x) => turned.data[turned.at(x, y)]),
      );
      const [left, top, right, bottom] = turnedBox(frame, -one.turns, one.around);
      maps.push({ values, left, top, right, bottom });
    }
    return maps;
  }
}
