/** Pictures that are dropped, pasted or chosen, also whole folders. */

const PICTURE = /\.(jpe?g|jpe|jfif|png|webp|gif|bmp|tiff?|avif|hei[cf]|jxl|jp2|ppm|pgm)$/i;

const isPicture = (file) => file.type.startsWith("image/") || PICTURE.test(file.name);

/**
 * Call `take(files)` with the pictures that somebody adds, in whatever way, and
 * `leftOut(count, total)` with the number of files that are none.
 */
export function listen(take, leftOut) {
  const give = (files, chosen = false) => {
    const pictures = chosen ? files : files.filter(isPicture);
    if (files.length) leftOut(files.length - pictures.length, files.length);
    if (pictures.length) take(pictures);
  };
  const [files, folder] = ["files", "folder"].map((id) => document.getElementById(id));
  document.getElementById("choose").addEventListener("click", () => files.click());
  document.getElementById("choose-folder").addEventListener("click", () => folder.click());
  for (const input of [files, folder]) {
    input.addEventListener("change", () => {
      give([...input.files], input === files);
      input.value = ""; // so that the same file may be chosen again
    });
  }
  addEventListener("paste", (event) => give([...(event.clipboardData?.files ?? [])]));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", async (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    give(await dropped(event.dataTransfer));
  });
}

/** The files of a drop, those in folders too. */
async function dropped(transfer) {
  const roots = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!roots.some((root) => root.isDirectory)) return [...transfer.files];
  const found = [];
  for (const root of roots) await walk(root, found);
  return found;
}

async function walk(entry, found) {
  if (entry.isFile) {
    found.push(await new Promise((done, fail) => entry.file(done, fail)));
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return; // it gives a hundred at a time
    for (const inner of some) await walk(inner, found);
  }
}
