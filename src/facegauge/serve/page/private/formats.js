/** Formats of picture files: what a file is by its first bytes, and what this browser opens. */

/** Formats that browsers may lack, each with the smallest picture of it, in base64. */
const SAMPLES = {
  AVIF:
    "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAA" +
    "AAAAAAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAHwAAAChpaW5mAAAA" +
    "AAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAEAAAABAA" +
    "AAAQcGl4aQAAAAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQB" +
    "AoMEAAAAJ21kYXQSAAoJGAz/2iAhoNCAMhAex4eFWd///+LAAAB1fWZY",
  HEIC:
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAA" +
    "AAAAAAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABoAABAAAAAAAAABwAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAA" +
    "AAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/GlwcnAAAADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34" +
    "+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqrprm" +
    "4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAA" +
    "AChjbGFwAAAAEAAAAAEAAAAQAAAAAf///9AAAAAC////0AAAAAIAAAAQcGl4aQAAAAADCAgIAAAAGGlwbWEAAAAA" +
    "AAAAAQABBYECAwWEAAAAJG1kYXQAAAAYKAGvBBI43PiVoJIwrOcvPKFe3uCR8IqA",
  TIFF:
    "SUkqAAgAAAAJAAABBAABAAAAAQAAAAEBBAABAAAAAQAAAAIBAwABAAAACAAAAAMBAwABAAAAAQAAAAYBAwABAAAA" +
    "AQAAABEBBAABAAAAegAAABYBBAABAAAAAQAAABcBBAABAAAAAQAAABwBAwABAAAAAQAAAAAAAAAA",
  "JPEG 2000":
    "AAAADGpQICANCocKAAAAFGZ0eXBqcDIgAAAAAGpwMiAAAAAtanAyaAAAABZpaGRyAAAABAAAAAQAAQcHAAAAAAAP" +
    "Y29scgEAAAAAABEAAACUanAyY/9P/1EAKQAAAAAABAAAAAQAAAAAAAAAAAAAAAQAAAAEAAAAAAAAAAAAAQcBAf9S" +
    "AAwAAAABAAIEBAAA/1wAEUJfUlAFUAVQR1fTV9NXYv9kACUAAUNyZWF0ZWQgYnkgT3BlbkpQRUcgdmVyc2lvbiAy" +
    "LjUuNP+QAAoAAAAAABUAAf+Tz9gIBz+AgP/Z",
};

const ALWAYS = ["JPEG", "PNG", "WebP", "GIF", "BMP"]; // what every browser opens

/** First bytes of files as pairs of a place and a text, and what the file is. */
const STARTS = [
  ["JPEG", [0, "\xff\xd8\xff"]],
  ["PNG", [0, "\x89PNG"]],
  ["WebP", [0, "RIFF"], [8, "WEBP"]],
  ["GIF", [0, "GIF8"]],
  ["BMP", [0, "BM"]],
  ["AVIF", [4, "ftypavi"]],
  ["HEIC", [4, "ftyphe"]],
  ["HEIC", [4, "ftypmif1"]],
  ["HEIC", [4, "ftypmsf1"]],
  ["camera raw", [0, "II*\0"], [8, "CR"]],
  ["camera raw", [0, "IIR"]],
  ["TIFF", [0, "II*\0"]],
  ["TIFF", [0, "MM\0*"]],
  ["JPEG 2000", [4, "jP  "]],
  ["JPEG 2000", [0, "\xff\x4f\xff\x51"]],
  ["JPEG XL", [0, "\xff\x0a"]],
  ["JPEG XL", [4, "JXL "]],
  ["PSD", [0, "8BPS"]],
  ["QOI", [0, "qoif"]],
  ["PPM", [0, "P6"]],
];

/** The format of a file by its first bytes, or null. */
export async function formatOf(file) {
  const bytes = new Uint8Array(await file.slice(0, 32).arrayBuffer());
  const start = String.fromCharCode(...bytes);
  const found = STARTS.find(([, ...parts]) =>
    parts.every(([place, text]) => start.startsWith(text, place)),
  );
  return found ? found[0] : null;
}

let known = null;

/** The formats that this browser opens, and those that it lacks: {opens, lacks}. */
export function support() {
  known ??= (async () => {
    const names = Object.keys(SAMPLES);
    const opened = await Promise.all(names.map((name) => decodes(SAMPLES[name])));
    return {
      opens: [...ALWAYS, ...names.filter((_, place) => opened[place])],
      lacks: names.filter((_, place) => !opened[place]),
    };
  })();
  return known;
}

async function decodes(sample) {
  const bytes = Uint8Array.from(atob(sample), (letter) => letter.charCodeAt(0));
  try {
    (await createImageBitmap(new Blob([bytes]))).close();
    return true;
  } catch {
    return false;
  }
}

/** Why this browser could not open a file, and what to do. */
export async function whyNot(file) {
  if (!file.size) return "the file is empty";
  const name = await formatOf(file);
  if (name === null) return "the file is not a picture of a known format, or is damaged";
  const { opens } = await support();
  if (opens.includes(name)) return `the ${name} file is damaged`;
  return `this browser does not open ${name} files: save it as JPEG or PNG`;
}
