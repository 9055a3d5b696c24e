/** A dialog that takes pictures with the camera, without loss, until it is closed. */

const dialog = document.getElementById("camera");
const video = document.getElementById("video");
const note = document.getElementById("camera-note");
const shoot = document.getElementById("shoot");
let stream = null;
let taken = 0;

/** Call `take(files)` with each picture that is taken. */
export function listen(take) {
  const open = document.getElementById("take");
  open.hidden = !navigator.mediaDevices?.getUserMedia; // only on https and on this machine
  open.addEventListener("click", start);
  dialog.addEventListener("close", stop);
  shoot.addEventListener("click", async () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    taken += 1;
    take([new File([blob], `camera-${taken}.png`, { type: "image/png" })]);
    note.textContent = `Took camera-${taken}.png.`;
  });
}

async function start() {
  note.textContent = "Waiting for the camera.";
  dialog.showModal();
  try {
    const wanted = { width: { ideal: 1920 }, height: { ideal: 1080 }, facingMode: "user" };
    stream = await navigator.mediaDevices.getUserMedia({ video: wanted });
    if (!dialog.open) return stop();
    video.srcObject = stream;
    await video.play();
    shoot.disabled = false;
    note.textContent = "The picture stays in this page until you add it with Take.";
  } catch (error) {
    note.textContent = `The camera cannot be used: ${error.message || error.name}.`;
  }
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = video.srcObject = null;
  shoot.disabled = true;
}
