/** Private mode beside the page: fetches networks and runtime once, then scores files. */

import { Scorer } from "./scorer.js";

let opened = null;

addEventListener("message", async ({ data: { id, open, file, heatMaps } }) => {
  try {
    if (open) opened ??= start(open);
    const scorer = await opened;
    postMessage({ id, result: file ? await scorer.score(file, heatMaps) : null });
  } catch (error) {
    if (open) opened = null; // the next try may succeed
    postMessage({ id, problem: error.message });
  }
});

async function start({ config, base, key, threads }) {
  const { runtime, network, detector } = config;
  const parts = [runtime.wasm, network, detector];
  const total = parts.reduce((sum, part) => sum + part.bytes, 0);
  let got = 0;
  const report = (bytes) => {
    got += bytes;
    postMessage({ progress: Math.min(1, got / total) });
  };
  const fetched = parts.map((part) => load(new URL(part.url, base), part, key, report));
  const ort = await import(new URL(runtime.module.url, base));
  const [wasm, ...models] = await Promise.all(fetched);
  ort.env.wasm.wasmBinary = wasm.buffer;
  ort.env.wasm.wasmPaths = { mjs: new URL(runtime.glue.url, base).href };
  ort.env.wasm.numThreads = threads;
  const options = {
    executionProviders: ["wasm"],
    extra: { session: { intra_op: { allow_spinning: "0" } } }, // leave the processor to others
  };
  const sessions = [];
  for (const model of models) sessions.push(await ort.InferenceSession.create(model, options));
  return new Scorer(ort, ...sessions, config);
}

/** A file in whole, checked by its sha256 where the browser can. */
async function load(url, { bytes, sha256 }, key, report) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const answer = await fetch(url, { headers });
  if (!answer.ok) throw new Error(`${url.pathname} cannot be fetched: status ${answer.status}`);
  const whole = new Uint8Array(bytes);
  let place = 0;
  const reader = answer.body.getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    if (place + value.length > bytes) throw new Error(`${url.pathname} is longer than expected`);
    whole.set(value, place);
    place += value.length;
    report(value.length);
  }
  const digest = crypto.subtle && (await crypto.subtle.digest("SHA-256", whole));
  const hex = digest && [...new Uint8Array(digest)].map((one) => one.toString(16).padStart(2, "0"));
  if (place < bytes || (hex && hex.join("") !== sha256))
    throw new Error(`${url.pathname} is damaged; reload the page`);
  return whole;
}
