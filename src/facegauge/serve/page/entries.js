/** The pictures of the page and their results. All other parts read it and hear of its changes. */

export class Entries extends EventTarget {
  list = [];
  #count = 0;

  /** Add files; returns their entries. */
  add(files) {
    const added = files.map((file) => ({
      order: this.#count++,
      file,
      name: file.webkitRelativePath || file.name || "picture",
      result: null, // of one picture, as the service gives it
      where: null, // where it was scored: "service" or "browser"
      thumb: null, // {url}, or {url: null} where this browser cannot show it
      selected: false,
      best: 0, // place among the best that were marked, from 1
    }));
    this.list.push(...added);
    this.#tell("added", added);
    return added;
  }

  update(entry, values) {
    Object.assign(entry, values);
    this.#tell("updated", [entry]);
  }

  remove(entries) {
    const gone = new Set(entries);
    this.list = this.list.filter((entry) => !gone.has(entry));
    for (const { thumb } of gone) if (thumb?.url) URL.revokeObjectURL(thumb.url);
    this.#tell("removed", entries);
  }

  has(entry) {
    return this.list.includes(entry);
  }

  get selected() {
    return this.list.filter((entry) => entry.selected);
  }

  /** Mark the best of some entries, best first; of equal ones the first counts more. */
  markBest(among, count) {
    const ranked = among.filter((entry) => scoreOf(entry) !== null);
    ranked.sort((a, b) => scoreOf(b) - scoreOf(a) || a.order - b.order);
    const best = ranked.slice(0, count);
    for (const entry of this.list) entry.best = best.indexOf(entry) + 1;
    this.#tell("updated", this.list);
    return best;
  }

  #tell(kind, entries) {
    this.dispatchEvent(new CustomEvent("change", { detail: { kind, entries } }));
  }
}

/** The face with the highest score of an entry, or null. */
export function bestFace(entry) {
  const faces = entry.result?.faces ?? [];
  return faces.reduce((best, face) => (best && best.score >= face.score ? best : face), null);
}

/** Whether another try, or another place to score, may help an entry. */
export const mayRetry = (entry) =>
  entry.result !== null && !["ok", "no_face", "too_small"].includes(entry.result.status);

/** The score of an entry, that of its best face, or null. */
export const scoreOf = (entry) => bestFace(entry)?.score ?? null;
