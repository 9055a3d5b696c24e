/** The dialog of two pictures side by side. */

import { bestFace } from "./entries.js";
import { figure, findings, stateInWords, summary } from "./faces.js";
import { byId, make, two } from "./dom.js";

const dialog = byId("pair");
let urls = [];

dialog.addEventListener("close", () => {
  for (const url of urls) URL.revokeObjectURL(url);
  byId("pair-sides").replaceChildren();
});

/** Show two entries; the best face of each counts. */
export function show(pair, config) {
  urls = pair.map((entry) => URL.createObjectURL(entry.file));
  const sides = pair.map((entry, number) => {
    const face = bestFace(entry);
    const url = entry.thumb?.url === null ? null : urls[number];
    return make(
      "div",
      {},
      make("h3", {}, entry.name),
      figure(entry, url, { full: true, chosen: face?.face }),
      face ? summary(face, config.model.reference) : make("p", {}, stateInWords(entry)),
      face ? findings(face, config) : null,
    );
  });
  byId("pair-sides").replaceChildren(...sides);
  byId("pair-summary").textContent = verdict(pair);
  dialog.showModal();
}

function verdict(pair) {
  const [a, b] = pair.map(bestFace);
  if (!a || !b) return "Only pictures with a score can be compared.";
  if (two(a.score) === two(b.score)) return "Both have the same score, to two digits.";
  const [high, low] = a.score > b.score ? [a, b] : [b, a];
  const better = pair[high === a ? 0 : 1].name;
  const sure = high.low > low.high ? "their ranges do not meet" : "but their ranges overlap";
  return `${better} is better by ${two(high.score - low.score)}; ${sure}.`;
}
