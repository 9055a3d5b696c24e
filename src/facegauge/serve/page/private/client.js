/** Scores pictures in this browser: hands files to a worker, and sends nothing anywhere. */

const MAX_THREADS = 4;

export class BrowserScorer {
  lanes = 1; // pictures at a time: a browser's memory is short
  #worker;
  #waiting = new Map();
  #count = 0;

  constructor(showLoading) {
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.#worker.addEventListener("message", ({ data }) => {
      if ("progress" in data) {
        const part = `${Math.round(100 * data.progress)} %`;
        showLoading(data.progress < 1 ? data.progress : null, `Fetching the scorer: ${part}`);
        return;
      }
      const { done, fail } = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ("problem" in data) fail(new Error(data.problem));
      else done(data.result);
    });
    this.#worker.addEventListener("error", (event) => {
      const error = new Error(`private mode failed: ${event.message ?? "its code cannot be loaded"}`);
      for (const { fail } of this.#waiting.values()) fail(error);
      this.#waiting.clear();
    });
  }

  /**
   * A scorer that is ready.
   * @param {object} config of the page
   * @param {string|null} key of the service
   * @param {Function} showLoading gets a share and a text, then null
   */
  static async open(config, key, showLoading) {
    const scorer = new BrowserScorer(showLoading);
    try {
      const open = { config: config.private, base: document.baseURI, key, threads: threads() };
      await scorer.#ask({ open });
    } finally {
      showLoading(null);
    }
    return scorer;
  }

  fitting() {
    return 1;
  }

  async score(files) {
    return [await this.#ask({ file: files[0] })];
  }

  explain(file) {
    return this.#ask({ file, heatMaps: true });
  }

  #ask(message) {
    this.#count += 1;
    const id = this.#count;
    return new Promise((done, fail) => {
      this.#waiting.set(id, { done, fail });
      this.#worker.postMessage({ id, ...message });
    });
  }
}

/** Threads need an isolated page; the memory of telephones and tablets of Apple has room for one. */
function threads() {
  const apple = /iPad|iPhone|iPod/.test(navigator.userAgent);
  const disguised = navigator.userAgent.includes("Macintosh") && navigator.maxTouchPoints > 1;
  if (!self.crossOriginIsolated || apple || disguised) return 1;
  return Math.min(MAX_THREADS, navigator.hardwareConcurrency || 1);
}
