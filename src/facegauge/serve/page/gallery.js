/** The cards of the pictures: sorted, filtered, and drawn at most once a frame. */

import { bestFace, mayRetry, scoreOf } from "./entries.js";
import { figure, inWords, stateInWords } from "./faces.js";
import { byId, make, plural } from "./dom.js";
import * as thumbnails from "./thumbnails.js";

const byScore = (sign) => (a, b) =>
  (scoreOf(a) === null) - (scoreOf(b) === null) || sign * ((scoreOf(a) ?? 0) - (scoreOf(b) ?? 0));

const ORDERS = {
  added: () => 0,
  high: byScore(-1),
  low: byScore(1),
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
};

const SHOWN = {
  all: () => true,
  scored: (entry) => scoreOf(entry) !== null,
  unscored: (entry) => entry.result && scoreOf(entry) === null,
  noted: (entry) => entry.result?.faces.some((face) => face.notes.length),
  selected: (entry) => entry.selected,
};

export class Gallery {
  #entries;
  #act;
  #cards = new Map();
  #stale = new Set();
  #drawing = false;

  /** `open(entry)` is called when a picture is chosen, `retry([entry])` to score it again. */
  constructor(entries, { open, retry }) {
    this.#entries = entries;
    this.#act = { open, retry };
    entries.addEventListener("change", ({ detail }) => this.#changed(detail));
    for (const id of ["sort", "show", "name"]) byId(id).addEventListener("input", () => this.#later());
    byId("show-all").addEventListener("click", () => {
      byId("show").value = "all";
      byId("name").value = "";
      byId("show").focus();
      this.#later();
    });
  }

  /** The entries that are shown, in the order shown. */
  shown() {
    const words = byId("name").value.trim().toLowerCase();
    const keep = SHOWN[byId("show").value];
    const order = ORDERS[byId("sort").value];
    const kept = this.#entries.list.filter(
      (entry) => keep(entry) && entry.name.toLowerCase().includes(words),
    );
    return kept.sort((a, b) => order(a, b) || a.order - b.order);
  }

  #changed({ kind, entries }) {
    if (kind === "removed") for (const entry of entries) this.#cards.delete(entry);
    else for (const entry of entries) this.#stale.add(entry);
    if (kind === "added") {
      for (const entry of entries) {
        thumbnails.request(entry, (thumb) => {
          if (this.#entries.has(entry)) this.#entries.update(entry, { thumb });
          else if (thumb.url) URL.revokeObjectURL(thumb.url);
        });
      }
    }
    this.#later();
  }

  #later() {
    if (this.#drawing) return;
    this.#drawing = true;
    setTimeout(() => {
      this.#drawing = false;
      this.#draw();
    }, 30);
  }

  #draw() {
    for (const entry of this.#stale) if (this.#entries.has(entry)) this.#fill(entry);
    this.#stale.clear();
    const shown = this.shown();
    const wanted = shown.map((entry) => this.#cards.get(entry).card);
    this.#tellHidden(shown.length, this.#entries.list.length);
    const list = byId("gallery");
    const same = wanted.length === list.children.length;
    if (same && wanted.every((card, place) => card === list.children[place])) return;
    const focused = document.activeElement;
    const scrolled = scrollY;
    list.replaceChildren(...wanted);
    if (list.contains(focused)) focused.focus({ preventScroll: true });
    scrollTo(scrollX, scrolled);
  }

  /** Say how many pictures the filters leave out. */
  #tellHidden(shown, total) {
    byId("shown").hidden = shown === total;
    const few = shown ? `${shown} of ${plural(total, "picture")} shown.` : "No picture is shown: ";
    const why = total === 1 ? "the one does not match." : `none of the ${total} matches.`;
    byId("shown-text").textContent = shown ? few : few + why;
    byId("csv").disabled = !shown;
  }

  #fill(entry) {
    if (!this.#cards.has(entry)) this.#cards.set(entry, this.#make(entry));
    const { card, thumb, line, box, badge, again } = this.#cards.get(entry);
    const best = bestFace(entry);
    const count = entry.result?.faces.length ?? 0;
    const more = count > 1 ? ` (best of ${count} faces)` : "";
    line.textContent = best ? inWords(best) + more : stateInWords(entry);
    box.checked = entry.selected;
    again.hidden = !mayRetry(entry);
    badge.hidden = !entry.best;
    badge.textContent = `Best ${entry.best}`;
    card.classList.toggle("best", entry.best > 0);
    if (entry.thumb) thumb.replaceChildren(figure(entry, entry.thumb.url));
  }

  #make(entry) {
    const thumb = make("span.thumb");
    const open = make("button.open", { type: "button", on: { click: () => this.#act.open(entry) } }, thumb);
    open.setAttribute("aria-label", `Look at ${entry.name}`);
    const line = make("p.line");
    const badge = make("p.badge", { hidden: true });
    const change = () => this.#entries.update(entry, { selected: box.checked });
    const box = make("input", { type: "checkbox", on: { change } });
    box.setAttribute("aria-label", `Select ${entry.name}`);
    const name = make("p.name", { title: entry.name }, entry.name);
    const retry = () => this.#act.retry([entry]);
    const again = make("button.again", { type: "button", on: { click: retry } }, "Score again");
    again.setAttribute("aria-label", `Score ${entry.name} again`);
    const select = make("label", {}, box, " Select");
    const card = make("li.card", {}, open, name, line, badge, again, select);
    return { card, thumb, line, box, badge, again };
  }
}

/** How far the scoring is, in one line. */
export function progressInWords(entries) {
  const total = entries.list.length;
  if (!total) return "No picture yet.";
  const done = entries.list.filter((entry) => entry.result).length;
  if (done < total) return `${done} of ${plural(total, "picture")} scored.`;
  const without = entries.list.filter((entry) => scoreOf(entry) === null).length;
  return `${plural(total, "picture")}, ${without ? `${without} without a score` : "all scored"}.`;
}
