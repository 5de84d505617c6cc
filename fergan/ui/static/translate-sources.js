// Where the photos of the tab Translate come from: files, the clipboard, examples. It goes on where translate-look.js ends.

const MOST = 4096; // pixels of a side that are kept to look at: phones have more than their browsers can draw

const READ = /^image\/(jpeg|png|webp|gif|bmp)$/; // what the server reads; browsers may read more, as AVIF

let photos = 0;
let asked = 0; // the latest photo wins

/** A file -> a photo: what is shown of it, and the file itself to save from. */
async function open(file) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return null;
  const {width, height} = bitmap;
  const ratio = Math.min(1, MOST / Math.max(width, height));
  const picture = newCanvas(width * ratio, height * ratio);
  const context = picture.getContext('2d');
  context.fillStyle = 'white'; // where it is clear, as on the server
  context.fillRect(0, 0, picture.width, picture.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, picture.width, picture.height);
  bitmap.close();
  return {number: ++photos, file, picture, ratio, width, height, drawn: Math.min(ratio, facts.sent / Math.max(width, height))};
}

/** Shows a file's photo, finds its faces and changes the biggest; `whole` takes the middle for a face. */
async function take(file, {whole = false} = {}) {
  stopCamera(); // it may take the photo from before once more
  const turn = ++asked;
  const photo = await open(file);
  if (turn !== asked) return;
  if (!photo) return refuse(file);
  photo.whole = whole;
  showPhoto(photo);
  const {canvas, scale} = cut({x: 0, y: 0, width: photo.width, height: photo.height}, facts.sent);
  const content = await encode(canvas);
  const answer = await askServer(server.find, {photo: content, model: state.model, whole});
  if (turn !== asked || state.photo !== photo) return;
  if (answer.error) return fail(answer.error, 'retry');
  const faces = answer.faces.map((face) => ({x: face.x / scale, y: face.y / scale, side: face.side / scale, roll: face.roll}));
  Object.assign(state, {faces, found: faces, face: 0});
  photo.looked = true;
  if (!faces.length) return fail(facts.nobody, 'by-hand');
  partBeside();
  change({});
}

/** The photo itself, until there is a result. */
function showPhoto(photo) {
  stopPlaying();
  Object.assign(state, {photo, faces: [], found: [], face: 0});
  results.clear();
  clearLook();
  paintBoxes();
  paintPhoto();
  part(0);
  jump = true;
  enter('waiting');
}

function paintPhoto() {
  const {picture, width, height, drawn} = state.photo;
  for (const canvas of [before, after]) {
    [canvas.width, canvas.height] = [width, height].map((side) => Math.max(1, Math.round(side * drawn)));
    const ink = canvas.getContext('2d');
    ink.imageSmoothingQuality = 'high';
    ink.drawImage(picture, 0, 0, canvas.width, canvas.height);
  }
  fit();
}

/** A file that this browser cannot show: the server says what is wrong with it. What was there stays. */
async function refuse(file) {
  let sentence = `This file is larger than ${facts.maxUpload >> 20} MB.`;
  if (file.size <= facts.maxUpload) {
    const answer = await askServer(server.find, {photo: await readFile(file).catch(() => ''), model: state.model});
    sentence = answer.error ?? 'This browser cannot show this picture; save it as JPEG or PNG.';
  }
  if (file.name) sentence = `${file.name}: ${sentence}`;
  if (state.photo) notify(sentence);
  else fail(sentence);
}

/** The photo as it came, in base64, to save from; as this browser shows it where the server would not read the file. */
async function original() {
  const {file, picture, ratio, width, height} = state.photo;
  const fits = file.size <= facts.maxUpload && READ.test(file.type) && width * height <= facts.mostPixels;
  const asItCame = fits ? await readFile(file).catch(() => null) : null; // it may be gone since it was chosen
  if (asItCame !== null) return {photo: asItCame, faces: within(chosen(), {x: 0, y: 0}, 1)};
  const drawn = await new Promise((done) => picture.toBlob(done, 'image/jpeg', 0.93));
  return {photo: await readFile(drawn), faces: within(chosen(), {x: 0, y: 0}, ratio)};
}

// --- by button, drop, paste; examples ---

onDrop($('.dropping'), shown, ([file]) => take(file));
document.addEventListener('paste', (event) => {
  if (!shown() || isTyping(event.target)) return;
  const [file] = event.clipboardData?.files ?? [];
  if (file) take(file);
  else notify('The clipboard holds no picture.');
});

async function showExamples() {
  const answer = facts.examples.length ? await askServer(server.examples, {}) : {faces: []};
  if (answer.error || !answer.faces.length) { $('.examples').hidden = true; return; }
  $$('.example img').forEach((picture, place) => { picture.src = answer.faces[place]; });
}

async function tryExample(button) {
  const {src} = button.firstElementChild;
  if (!src) return;
  take(new Blob([unpack(src.split(',')[1])], {type: 'image/png'}), {whole: true});
}

/** A drawn face of another tab: {file, emotion}. What it shows already is not what it is asked to show.
    From a broad smile to anger translators find their way; to surprise they leave two holes. */
function takeHanded() {
  const drawn = handed('translate');
  if (!drawn) return;
  if (state.emotion === drawn.emotion) state.emotion = drawn.emotion === 'happy' ? 'angry' : 'happy';
  take(new Blob([unpack(drawn.file.content)], {type: drawn.file.type}), {whole: true});
}
