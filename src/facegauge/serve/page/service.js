/** Scores pictures on the server that gave this page. */

const FILES = 8; // in a request: few, so that results come soon
const TRIES = 8; // when the service is busy or starts

/** What the service refuses a request with. */
class Refused extends Error {
  constructor(status, problem, wait) {
    super(problem.detail ?? `the service answered ${status}`);
    Object.assign(this, { status, wait });
  }
}

export class ServiceScorer {
  lanes = 2; // requests at a time
  #limits;
  #options;
  #key = null;
  #refused = false; // whether the service did not take the last key
  #askKey;

  /**
   * @param {object} config of the page
   * @param {(refused: boolean) => Promise<string>} askKey asks the person in front of the page
   */
  constructor(config, askKey) {
    this.#limits = config.service;
    this.#askKey = askKey;
    this.#options = new URLSearchParams(config.model.factors.map((name) => ["factors", name]));
    if (config.model.heat_map) this.#options.set("heat_map", "true");
  }

  /** How many of the first of some files fit into a request. */
  fitting(files) {
    let size = 0;
    let count = 0;
    for (const file of files.slice(0, Math.min(FILES, this.#limits.max_files))) {
      size += file.size + 1000; // with the headers of its part
      if (count && size > this.#limits.max_body) break;
      count += 1;
    }
    return count;
  }

  /** The results of some files, in their order; a request that is refused gives errors. */
  async score(files) {
    try {
      return (await this.#ask("v1/score", files)).pictures;
    } catch (error) {
      if (files.length > 1 && [413, 422, 504].includes(error.status)) {
        const each = [];
        for (const file of files) each.push(...(await this.score([file])));
        return each;
      }
      const status = error.status === 413 ? "too_large" : "error";
      return files.map(() => ({ status, message: error.message, width: 0, height: 0, faces: [] }));
    }
  }

  /** The result of a file with factors and heat maps. */
  async explain(file) {
    if (![...this.#options.keys()].length) return null;
    return (await this.#ask(`v1/score?${this.#options}`, [file])).pictures[0];
  }

  async #ask(path, files) {
    for (let left = TRIES; ; left -= 1) {
      try {
        if (this.#limits.needs_key && this.#key === null) this.#key = await this.#askKey(this.#refused);
        return await this.#send(path, files);
      } catch (error) {
        if (error.status === 401) [this.#key, this.#refused] = [null, true];
        else if (![429, 503].includes(error.status) || left <= 1) throw error;
        else await new Promise((done) => setTimeout(done, 1000 * error.wait));
      }
    }
  }

  async #send(path, files) {
    const body = new FormData();
    for (const file of files) body.append("files", file, file.name || "picture");
    const headers = this.#key === null ? {} : { Authorization: `Bearer ${this.#key}` };
    let answer;
    try {
      answer = await fetch(path, { method: "POST", body, headers });
    } catch {
      throw new Refused(0, { detail: "the service cannot be reached, or the file has changed" });
    }
    if (answer.ok) return answer.json();
    const problem = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, problem, Number(answer.headers.get("Retry-After")) || 1);
  }
}
