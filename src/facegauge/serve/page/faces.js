/** How a face is shown: its box on the picture, its score in words, its interval on a scale. */

import { make, plural, two } from "./dom.js";

const STATUS = {
  no_face: "No face found",
  too_small: "The faces are too small",
  unreadable: "Not a picture that can be read",
  too_large: "Too large",
  error: "Not scored",
};

const percent = (part, whole) => `${(100 * part) / whole}%`;

/** "0.37 fair, 0.31 to 0.44" */
export const inWords = (face) =>
  `${two(face.score)} ${face.band}, ${two(face.low)} to ${two(face.high)}`;

/** What to say of a picture without a score, or while it waits. */
export function stateInWords(entry) {
  if (!entry.result) return "Waiting";
  const { status, message, faces } = entry.result;
  if (status === "ok") return plural(faces.length, "face");
  return message ? `${STATUS[status] ?? status}: ${message}` : (STATUS[status] ?? status);
}

/** Where a part of a picture lies on it, as CSS. */
export function place(part, result) {
  return {
    left: percent(part.left, result.width),
    top: percent(part.top, result.height),
    width: percent(part.right - part.left, result.width),
    height: percent(part.bottom - part.top, result.height),
  };
}

/** The box of a face, or the whole picture where that was scored. */
export function area(face, result) {
  if (face.left !== null) return face;
  return { left: 0, top: 0, right: result.width, bottom: result.height };
}

/**
 * A picture with its faces boxed.
 * @param {object} entry with a result
 * @param {string|null} url of the picture
 * @param {object} options `full`: large, with band and interval of the face `chosen`, whose label
 *   would cover those of others; `choose(number)`: boxes are buttons
 */
export function figure(entry, url, { full = false, chosen = 0, choose = null } = {}) {
  const kind = full ? "span.figure.dialog-figure" : "span.figure";
  if (!url) return make(kind, {}, make("p.note", {}, "This browser cannot show the picture."));
  const image = make("img", { src: url, alt: full ? entry.name : "", decoding: "async" });
  const boxes = (entry.result?.faces ?? []).map((face) => {
    const where = area(face, entry.result);
    const isLong = full && face.face === chosen;
    const label = isLong ? inWords(face) : two(face.score);
    const name = `${choose ? "button" : "span"}.box.${face.band}`;
    const box = make(name, { style: place(where, entry.result) });
    if (choose) {
      Object.assign(box, { type: "button", title: inWords(face) });
      box.setAttribute("aria-label", `Face ${face.face + 1}: ${inWords(face)}`);
      box.addEventListener("click", () => choose(face.face));
    } else {
      box.setAttribute("aria-hidden", "true");
    }
    return [box, tag(label, where, entry.result, isLong)];
  });
  const [all, tags] = [0, 1].map((part) => boxes.map((one) => one[part]));
  return make(kind, {}, image, ...all, ...tags);
}

/** The label of a box: above it, and always in the picture, however small that is shown. */
function tag(label, where, result, isOnTop) {
  const [x, y] = [(100 * where.left) / result.width, (100 * where.top) / result.height];
  const across = Math.min(100, Math.max(0, x));
  const style = {
    left: `${across}%`,
    transform: `translateX(-${across}%)`, // from its left edge, at the left, to its right edge
    top: `max(0px, calc(${y}% - 1.25rem))`,
    zIndex: Number(isOnTop),
  };
  return make("span.tag", { "aria-hidden": "true", style }, label);
}

/** The score of a face as a large number, a word and its interval on a scale. */
export function summary(face, reference) {
  const low = percent(face.low, 1);
  const bar = make("i", { style: { left: low, width: percent(face.high - face.low, 1) } });
  const mark = make("b", { style: { left: percent(face.score, 1) } });
  const rank = `percentile ${Math.round(face.percentile)} of the ${reference}`;
  return make(
    "div",
    {},
    make("p.value", {}, two(face.score), " ", make(`span.${face.band}`, {}, face.band)),
    make(`div.scale.${face.band}`, { "aria-hidden": "true" }, bar, mark),
    make("p.soft", {}, `${two(face.low)} to ${two(face.high)}; ${rank}`),
  );
}

/** Notes, factors and advice of a face, as far as they are there. */
export function findings(face, { notes, factors: docs }) {
  const parts = [];
  if (face.notes?.length) {
    parts.push(make("h3", {}, "Less certain because"));
    const items = face.notes.map((note) => make("li", {}, notes[note] ?? note));
    parts.push(make("ul.plain", {}, ...items));
  }
  const factors = Object.entries(face.factors ?? {}).map(([name, given]) => ({
    title: docs[name]?.title ?? name.replaceAll("_", " "),
    doc: docs[name]?.doc ?? "",
    ...asFactor(given, docs[name]?.unit ?? ""),
  }));
  if (factors.length) {
    parts.push(make("h3", {}, "Factors"));
    const row = (one, part) => [make("dt", {}, one.title), make("dd", {}, one[part])];
    const rows = (part) => factors.flatMap((one) => row(one, part));
    parts.push(make("dl", {}, ...rows("text")));
    const rated = "A rating is 1 as in good portraits, below 0.5 for a problem, 0 where it is severe.";
    parts.push(
      make(
        "details",
        {},
        make("summary", {}, "What the factors mean"),
        make("p.soft", {}, rated),
        make("dl", {}, ...rows("doc")),
      ),
    );
  }
  const advice = [...new Set(factors.map((factor) => factor.advice).filter(Boolean))];
  if (advice.length) {
    parts.push(make("h3", {}, "What would help"));
    parts.push(make("ul.plain", {}, ...advice.map((line) => make("li", {}, line))));
  }
  return make("div", {}, ...parts);
}

/** A factor, which is a number or a text, or {value, rating, advice}, with the unit of its value. */
function asFactor(given, unit) {
  const isObject = typeof given === "object" && given !== null;
  const { value, rating, advice } = isObject ? given : { value: given };
  if (value === null || value === undefined) return { text: "not measured" };
  const number = typeof value === "number" ? String(Number(value.toPrecision(3))) : value;
  const shown = unit ? `${number} ${unit}` : number;
  return { text: typeof rating === "number" ? `${shown}, rated ${two(rating)} of 1` : shown, advice };
}
