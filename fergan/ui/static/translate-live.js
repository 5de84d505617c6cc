// The camera of the tab Translate: it goes on where translate-sources.js ends. The face is framed by an oval here, not
// found on the server: of each picture a small grey square goes out, and what changed of it is laid over the picture.

const SHOWN = 720;   // pixels of a camera picture's longer side
const FRAMED = 0.78; // of its shorter side is the square around the oval
const PAUSE = 33;    // milliseconds from one picture to the next, at least
const GLANCE = 500;  // milliseconds between two readings of the judge

const video = Object.assign(document.createElement('video'), {muted: true, playsInline: true});
const camera = newCamera(video, 1280, $('[data-do=camera]'), stopCamera);

/** Asks for the camera; until it is there, what else is going on goes on. */
async function startCamera() {
  try {
    if (!await camera.start()) return;
  } catch (error) {
    const sentence = refusal(error);
    return state.photo ? notify(sentence) : fail(sentence);
  }
  asked++;
  stopPlaying();
  clearLook();
  part(5);
  enter('live');
  $('[data-do=snapshot]').hidden = false;
  sizeLive();
  fit();
  said.textContent = 'The camera is on: bring your face into the oval.';
  watch(camera.stream);
}

/** Both canvases as large as the camera's picture is now; whether they were not. */
function sizeLive() {
  const scale = Math.min(1, SHOWN / Math.max(video.videoWidth, video.videoHeight));
  const [width, height] = [video.videoWidth, video.videoHeight].map((side) => Math.round(side * scale));
  if (before.width === width && before.height === height) return false;
  for (const canvas of [before, after]) Object.assign(canvas, {width, height});
  return true;
}

video.addEventListener('resize', () => { // a phone was turned
  if (!camera.stream || !isLive() || !video.videoWidth || !sizeLive()) return;
  fit();
  camera.turn(); // the watch over the old size ends
  watch(camera.stream);
});

/** The camera is off, and the photo from before is back. */
function stopCamera() {
  const was = camera.stream;
  camera.stop();
  $('[data-do=snapshot]').hidden = true;
  if (!was || !isLive()) return;
  clearLook();
  enter(state.photo ? 'done' : 'empty');
  if (!state.photo) return;
  paintPhoto();
  if (!state.photo.looked) return take(state.photo.file, state.photo); // the camera came before its faces
  if (!state.faces.length) return fail(facts.nobody, 'by-hand');
  partBeside();
  work();
}

document.addEventListener('visibilitychange', () => { if (document.hidden) stopCamera(); }); // the watch may sleep then

/** The camera's picture, mirrored as people know themselves, on a canvas. */
function drawFrame(canvas) {
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.setTransform(-1, 0, 0, 1, canvas.width, 0);
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  context.setTransform(1, 0, 0, 1, 0, 0);
  return canvas;
}

async function watch(mine) {
  const frame = newCanvas(before.width, before.height);
  const small = newCanvas(facts.live, facts.live);
  const side = Math.round(FRAMED * Math.min(frame.width, frame.height));
  const place = {x: Math.round((frame.width - side) / 2), y: Math.round((frame.height - side) / 2), side};
  frameGuide(place, frame);
  let glanced = 0;
  while (camera.stream === mine) {
    const began = performance.now();
    if (!shown() || document.hidden) return stopCamera(); // another tab: nobody is watched unseen
    drawFrame(frame);
    const grey = greyOf(frame, place, small);
    const glance = Boolean(facts.judge) && began - glanced > GLANCE;
    const fields = {model: state.model, emotion: weights(), intensity: state.intensity / 100, grey: btoa(String.fromCharCode(...grey)), read: glance};
    const answer = await askServer(server.live, fields, 10);
    if (camera.stream !== mine) return;
    if (answer.error) { stopCamera(); return fail(answer.error, state.photo ? 'retry' : ''); }
    before.getContext('2d').drawImage(frame, 0, 0);
    lay(frame, place, grey, unpack(answer.grey));
    after.getContext('2d').drawImage(frame, 0, 0);
    root.dataset.pictures = Number(root.dataset.pictures ?? 0) + 1;
    if (answer.probabilities) { glanced = began; paintJudge(answer.probabilities); }
    await new Promise((done) => setTimeout(done, Math.max(0, PAUSE - (performance.now() - began))));
  }
}

function frameGuide({x, y, side}, {width, height}) {
  $('.tr-guide').style.cssText = `left:${100 * x / width}%;top:${100 * y / height}%;width:${100 * side / width}%;height:${100 * side / height}%`;
}

/** The square of a picture in grey (ITU-R BT.601), `facts.live` pixels a side. */
function greyOf(frame, {x, y, side}, small) {
  const context = small.getContext('2d', {willReadFrequently: true});
  context.imageSmoothingQuality = 'high';
  context.drawImage(frame, x, y, side, side, 0, 0, small.width, small.height);
  const {data} = context.getImageData(0, 0, small.width, small.height);
  return Uint8Array.from({length: data.length / 4}, (_, at) => 0.299 * data[4 * at] + 0.587 * data[4 * at + 1] + 0.114 * data[4 * at + 2]);
}

/** Adds to a square of the picture what changed of its grey: enlarged smoothly, so the picture keeps its colours and pores. */
function lay(frame, {x, y, side}, was, is) {
  const context = frame.getContext('2d');
  const pixels = context.getImageData(x, y, side, side);
  const size = facts.live;
  const at = (place) => Math.min(size - 1.001, Math.max(0, (place + 0.5) * size / side - 0.5));
  const line = new Float32Array(size);
  for (let row = 0; row < side; row++) {
    const [top, down] = [Math.floor(at(row)) * size, at(row) % 1];
    for (let column = 0; column < size; column++) {
      const [one, other] = [top + column, top + column + size];
      line[column] = (1 - down) * (is[one] - was[one]) + down * (is[other] - was[other]);
    }
    for (let column = 0; column < side; column++) {
      const [left, right] = [Math.floor(at(column)), at(column) % 1];
      const more = (1 - right) * line[left] + right * line[left + 1];
      const here = 4 * (row * side + column);
      for (let channel = 0; channel < 3; channel++) pixels.data[here + channel] += more;
    }
  }
  context.putImageData(pixels, x, y);
}

/** The camera's picture as a photo, at its full size. */
async function snapshot() {
  const canvas = drawFrame(newCanvas(video.videoWidth, video.videoHeight));
  const blob = await new Promise((done) => canvas.toBlob(done, 'image/jpeg', 0.95));
  take(new File([blob], 'camera.jpg', {type: 'image/jpeg'}));
}
