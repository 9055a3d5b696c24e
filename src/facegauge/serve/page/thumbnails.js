/** Small copies of the pictures: five hundred originals would not fit into a browser's memory. */

const SIDE = 320; // pixels, of the longer side
const LANES = 2;

const waiting = [];
let running = 0;

/** Make the thumbnail of an entry; `done(thumb)` gets {url}, null where it cannot be shown. */
export function request(entry, done) {
  waiting.push([entry, done]);
  if (running < LANES) run();
}

async function run() {
  running += 1;
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const [entry, done] = next;
    done({ url: await small(entry.file).catch(() => null) });
  }
  running -= 1;
}

async function small(file) {
  const whole = await createImageBitmap(file);
  const scale = Math.min(1, SIDE / Math.max(whole.width, whole.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(whole.width * scale));
  canvas.height = Math.max(1, Math.round(whole.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#ffffff"; // behind transparent parts, as when scoring
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(whole, 0, 0, canvas.width, canvas.height);
  whole.close();
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
  return URL.createObjectURL(blob);
}
