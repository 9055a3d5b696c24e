/** Takes the entries that wait to a scorer, as many at a time as it likes. */

export class Runner {
  #entries;
  #scorer = null;
  #where = "";
  #taken = new Set();
  #lanes = 0;

  constructor(entries) {
    this.#entries = entries;
  }

  /** What waits goes to this scorer from now on; null: it keeps waiting. */
  use(where, scorer) {
    [this.#where, this.#scorer] = [where, scorer];
    this.run();
  }

  run() {
    while (this.#scorer && this.#lanes < this.#scorer.lanes && this.#next()) this.#lane();
  }

  #next() {
    return this.#entries.list.find((entry) => !entry.result && !this.#taken.has(entry));
  }

  async #lane() {
    this.#lanes += 1;
    while (this.#scorer && this.#next()) {
      const [scorer, where] = [this.#scorer, this.#where];
      const waiting = this.#entries.list.filter((entry) => !entry.result && !this.#taken.has(entry));
      const batch = waiting.slice(0, scorer.fitting(waiting.slice(0, 100).map(({ file }) => file)));
      for (const entry of batch) this.#taken.add(entry);
      const results = await scorer.score(batch.map((entry) => entry.file)).catch((error) =>
        batch.map(() => ({ status: "error", message: error.message, width: 0, height: 0, faces: [] })),
      );
      batch.forEach((entry, place) => {
        this.#taken.delete(entry);
        if (this.#entries.has(entry)) this.#entries.update(entry, { result: results[place], where });
      });
      if (this.#lanes > (this.#scorer?.lanes ?? 0)) break; // another scorer takes fewer
    }
    this.#lanes -= 1;
  }
}
