/** The dialog of one picture: its faces large, and what is known of each. */

import { area, figure, findings, place, stateInWords, summary } from "./faces.js";
import { byId, make } from "./dom.js";

const dialog = byId("detail");

export class Detail {
  #explain;
  #config;
  #shown; // entries among which Previous and Next walk
  #entry = null;
  #face = 0;
  #url = null;
  #known = new WeakMap(); // entry to what `explain` said
  #heat = false;

  /** `explain(entry)` gives the result with factors and heat maps; null where nothing has any. */
  constructor(config, shown, explain) {
    this.#config = config;
    this.#shown = shown;
    this.#explain = explain;
    byId("previous").addEventListener("click", () => this.#walk(-1));
    byId("next").addEventListener("click", () => this.#walk(1));
    dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step && !event.target.matches("input, select")) this.#walk(step);
    });
    dialog.addEventListener("close", () => this.#release());
  }

  open(entry) {
    this.#release();
    this.#entry = entry;
    this.#face = 0;
    const faces = entry.result?.faces ?? [];
    faces.forEach((face) => {
      if (face.score > faces[this.#face].score) this.#face = face.face;
    });
    this.#url = URL.createObjectURL(entry.file);
    if (this.#known.get(entry)?.problem) this.#known.delete(entry); // ask once more
    this.#draw();
    if (!dialog.open) dialog.showModal();
    else if (!dialog.contains(document.activeElement)) byId("detail-title").focus();
    this.#ask();
  }

  /** Show what has become known of an entry meanwhile. */
  refresh(entry) {
    if (entry !== this.#entry || !dialog.open) return;
    this.#draw();
    this.#ask();
  }

  async #ask() {
    const entry = this.#entry;
    if (!entry.result?.faces.length || this.#known.has(entry)) return;
    this.#known.set(entry, { waiting: true });
    this.#draw();
    try {
      this.#known.set(entry, { result: await this.#explain(entry) });
    } catch (error) {
      this.#known.set(entry, { problem: error.message });
    }
    if (entry === this.#entry) this.#draw();
  }

  #walk(step) {
    const shown = this.#shown();
    const next = shown[shown.indexOf(this.#entry) + step];
    if (next) this.open(next);
  }

  #draw() {
    const entry = this.#entry;
    const known = this.#known.get(entry) ?? {};
    const focused = document.activeElement?.dataset?.keep;
    byId("detail-title").textContent = entry.name;
    const shown = this.#shown();
    byId("previous").disabled = shown.indexOf(entry) < 1;
    byId("next").disabled = shown.indexOf(entry) === shown.length - 1;
    const choose = (number) => {
      this.#face = number;
      this.#draw();
    };
    const url = entry.thumb?.url === null ? null : this.#url;
    const picture = figure(entry, url, { full: true, chosen: this.#face, choose });
    const boxes = picture.querySelectorAll("button.box");
    boxes.forEach((box, number) => {
      box.setAttribute("aria-pressed", String(number === this.#face));
      box.dataset.keep = `face ${number}`;
    });
    const heat = known.result?.heat_maps?.[this.#face];
    if (heat && this.#heat) boxes[0].before(heatMap(heat, entry.result));
    byId("detail-figure").replaceChildren(picture);
    byId("detail-facts").replaceChildren(...this.#facts(known, heat, choose));
    if (focused) dialog.querySelector(`[data-keep="${focused}"]`)?.focus();
    if (document.activeElement?.disabled) byId("detail-title").focus();
  }

  #facts(known, heat, choose) {
    const { result } = this.#entry;
    if (!result?.faces.length) return [make("p", {}, stateInWords(this.#entry))];
    const face = { ...result.faces[this.#face], ...known.result?.faces[this.#face] };
    const parts = [];
    if (result.faces.length > 1) {
      const pick = make("select", { on: { change: () => choose(Number(pick.value)) } });
      pick.dataset.keep = "pick";
      for (const { face: number } of result.faces)
        pick.append(make("option", { value: number }, `${number + 1} of ${result.faces.length}`));
      pick.value = this.#face;
      parts.push(make("label", {}, "Face ", pick));
    }
    parts.push(summary(face, this.#config.model.reference), findings(face, this.#config));
    if (heat) {
      const toggle = () => {
        this.#heat = !this.#heat;
        this.#draw();
      };
      const button = make("button", { type: "button", on: { click: toggle } }, "Heat map");
      button.setAttribute("aria-pressed", String(this.#heat));
      button.dataset.keep = "heat";
      parts.push(make("p", {}, button));
      if (this.#heat) parts.push(make("p.note", {}, legend(heat)));
    }
    if (known.waiting) parts.push(make("p.note", { role: "status" }, "Looking closer."));
    if (known.problem) parts.push(make("p.note", {}, `Nothing more is known: ${known.problem}`));
    const { left, top, right, bottom } = area(face, result);
    const size = `${Math.round(right - left)} × ${Math.round(bottom - top)} pixels`;
    const facts = [["Size", face.left === null ? `${size}, taken as a whole` : size]];
    if (face.confidence !== null) facts.push(["Detection", `${Math.round(100 * face.confidence)} % sure`]);
    const of = this.#entry.where === "browser" ? "in this browser" : "on the server";
    facts.push(["Scored", `${of}, by ${this.#config.model.name} ${this.#config.model.version}`]);
    if (result.message) facts.push(["Remark", result.message]);
    parts.push(
      make("h3", {}, "Face"),
      make("dl", {}, ...facts.flatMap(([a, b]) => [make("dt", {}, a), make("dd", {}, b)])),
    );
    return parts;
  }

  #release() {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = null;
  }
}

const range = (map) => {
  const values = map.values.flat();
  return [Math.min(...values), Math.max(...values)];
};

const legend = (map) => {
  const [low, high] = range(map).map((value) => value.toFixed(2));
  return `Blue regions speak for ${low}, yellow ones for ${high}; the score is their mean.`;
};

/** A heat map over the frame of its face: from dark blue, the lowest, to yellow. */
function heatMap(map, result) {
  const [rows, columns] = [map.values.length, map.values[0].length];
  const [low, high] = range(map);
  const canvas = make("canvas.heat", { width: columns, height: rows, style: place(map, result) });
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  map.values.flat().forEach((value, place) => {
    const share = high > low ? (value - low) / (high - low) : 0.5;
    image.data.set([255 * share, 40 + 190 * share, 160 - 130 * share, 255], 4 * place);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}
