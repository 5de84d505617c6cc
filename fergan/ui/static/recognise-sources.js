// Where the photos of the tab Recognise come from: files, the clipboard, examples, the camera, many files at once.
// It goes on where recognise.js ends.

const AS_IS = /^image\/(jpeg|png|webp|gif)$/;
const LIGHT = 2 ** 20; // bytes of a file that is sent as it is, where its sides are small too
/** A file -> {name, src, content in base64}, at most `facts.sent` pixels a side where the browser can read it. */
async function prepare(file) {
  const name = file.name ?? '';
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) { // the server may know more, or says what is wrong
    if (file.size > facts.maxUpload) throw new Error(`This file is larger than ${facts.maxUpload >> 20} MB.`);
    return {name, src: null, content: await readFile(file)};
  }
  const scale = Math.min(1, facts.sent / Math.max(bitmap.width, bitmap.height));
  const blob = scale === 1 && file.size <= LIGHT && AS_IS.test(file.type) ? file : await drawn(bitmap, scale);
  bitmap.close();
  return {name, src: URL.createObjectURL(blob), content: await readFile(blob)};
}

/** A picture scaled down, on white, as a JPEG. */
function drawn(picture, scale) {
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const context = canvas.getContext('2d');
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, 'image/jpeg', 0.92));
}

async function take(files) {
  if (facts.missing || !files.length) return;
  stopCamera();
  stopBatch();
  if (files.length > 1) return readMany(files);
  const turn = ++asked; // before it is prepared, which takes longer for a large photo
  let photo;
  try {
    photo = await prepare(files[0]);
  } catch (error) {
    if (turn !== asked) return;
    return refuse(`${files[0].name}: ${error.message}`);
  }
  if (turn === asked) return readPhoto(photo);
  if (photo.src) URL.revokeObjectURL(photo.src);
}

/** Why there is no picture; it takes the place of nothing that was read. */
function refuse(sentence) {
  if (isDone()) return notify(sentence);
  asked++;
  clearReading();
  fail(sentence);
}

// --- by button, drop, paste; examples ---

onDrop($('.dropping'), () => shown() && !facts.missing, take);
document.addEventListener('paste', (event) => {
  if (!shown() || isTyping(event.target)) return;
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length) take(files);
  else notify('The clipboard holds no picture.');
});

async function showExamples() {
  const answer = facts.examples.length ? await askServer(server.examples, {}) : {faces: []};
  if (answer.error || !answer.faces.length) { $('.examples').hidden = true; return; }
  $$('.example img').forEach((picture, place) => { picture.src = answer.faces[place]; });
}

function tryExample(button) {
  const {src} = button.firstElementChild;
  if (!src) return;
  stopCamera();
  stopBatch();
  readPhoto({name: '', src, content: src.split(',')[1]});
}

// --- the camera: a picture of `facts.live` pixels at a time, mirrored as people know themselves ---

const PAUSE = 100; // milliseconds from one picture to the next, at least

let stream = null;
let starts = 0; // the latest wish for the camera, or for none, wins

async function startCamera() {
  stopBatch();
  const start = ++starts;
  try {
    const given = await askCamera(640);
    if (start !== starts) return release(given);
    stream = given;
    for (const track of stream.getTracks()) track.addEventListener('ended', () => loseCamera(given));
    video.srcObject = stream;
    await video.play();
    if (start !== starts) return;
  } catch (error) {
    if (start !== starts) return;
    stopCamera();
    return refuse(refusal(error));
  }
  asked++;
  clearReading();
  boxes.replaceChildren();
  image.hidden = true;
  video.hidden = false;
  if (state.photo?.src?.startsWith('blob:')) URL.revokeObjectURL(state.photo.src);
  Object.assign(state, {photo: null, answer: null, face: 0, emotion: null});
  enter('live');
  paintCamera();
  fit();
  watchCamera(stream);
}

function stopCamera() {
  starts++;
  release(stream);
  stream = null;
  video.srcObject = null;
  if (isLive()) {
    Object.assign(state, {answer: null, emotion: null}); // else a map on its way would be painted over nothing
    clearReading();
    boxes.replaceChildren();
    enter('empty');
  }
  paintCamera();
}

/** The camera ended by itself; one that is stopped here does not say so. */
function loseCamera(given) {
  if (stream !== given) return;
  stopCamera();
  notify(CAMERA_GONE);
}

function paintCamera() {
  $('[data-do=camera] span').textContent = stream ? 'Stop camera' : 'Use camera';
  $('[data-do=camera] use').setAttribute('href', stream ? '#icon-stop' : '#icon-camera');
}

async function watchCamera(mine) {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d');
  while (stream === mine) {
    const began = performance.now();
    if (!shown() || document.hidden) return stopCamera(); // another tab: nobody is watched unseen
    const scale = facts.live / Math.max(video.videoWidth, video.videoHeight);
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    context.setTransform(-1, 0, 0, 1, canvas.width, 0);
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const content = canvas.toDataURL('image/jpeg', 0.85).split(',')[1];
    const answer = await askServer(server.recognise, {photo: content, model: state.model}, 10);
    if (stream !== mine) return;
    if (answer.error) { stopCamera(); return fail(answer.error); }
    state.answer = answer;
    state.face = Math.min(state.face, Math.max(0, answer.faces.length - 1));
    paintBoxes();
    if (answer.faces.length) {
      paintReading();
      if (Number(field.overlay.value)) await look();
    } else {
      clearReading();
      say('No face is in sight.');
    }
    await new Promise((done) => setTimeout(done, Math.max(0, PAUSE - (performance.now() - began))));
  }
}

// --- many files: one request each, a row for each face, a table to keep ---

const TRIES = 5;   // of one file while no answer comes: a short gap in the network is not to spoil all the rest
const LULL = 2000; // milliseconds from one of them to the next

const table = {rows: [], running: 0}; // the run that goes on, or 0
let runs = 0;
const [batchSaid, batchBar, batchBody] = ['.batch-head p', '.batch progress', '.batch tbody'].map($);

async function readMany(files) {
  const run = table.running = ++runs;
  asked++;
  clearReading();
  table.rows = [];
  batchBody.replaceChildren();
  enter('batch');
  batchBar.max = files.length;
  for (const [place, file] of files.entries()) {
    batchBar.value = place;
    batchSaid.textContent = `Reading ${place + 1} of ${files.length}: ${file.name}`;
    const rows = await rowsOf(file, run);
    if (table.running !== run) return;
    for (const row of rows) addRow(row);
  }
  batchBar.value = files.length;
  endBatch(`${count(table.rows.filter((row) => row.face).length, 'face')} in ${count(files.length, 'file')}.`);
}

const count = (number, word) => `${number} ${word}${number === 1 ? '' : 's'}`;

async function rowsOf(file, run) {
  let photo = null;
  try {
    photo = await prepare(file);
  } catch (error) {
    return [{file: file.name, error: error.message}];
  }
  if (photo.src) URL.revokeObjectURL(photo.src);
  const ask = () => askServer(server.recognise, {photo: photo.content, model: state.model});
  let answer = await ask();
  for (let tries = 1; answer.lost && tries < TRIES && table.running === run; tries++) {
    batchSaid.textContent = `No answer for ${file.name}: trying again`;
    await new Promise((done) => setTimeout(done, LULL));
    if (table.running === run) answer = await ask();
  }
  if (answer.error) return [{file: file.name, error: answer.error}];
  if (!answer.faces.length) return [{file: file.name, error: answer.sentence}];
  return answer.faces.map((face, place) => ({file: file.name, number: place + 1, face}));
}

function addRow(row) {
  table.rows.push(row);
  const line = batchBody.insertRow();
  const head = document.createElement('th');
  head.scope = 'row';
  head.textContent = row.file;
  head.title = row.file;
  line.append(head);
  if (row.error) {
    const cell = line.insertCell();
    cell.colSpan = facts.emotions.length + 2;
    cell.className = 'wrong';
    cell.textContent = row.error;
    return;
  }
  line.insertCell().textContent = row.number;
  const best = line.insertCell();
  best.dataset.emotion = strongest(row.face);
  best.className = 'best';
  best.textContent = strongest(row.face);
  for (const name of facts.emotions) {
    const cell = line.insertCell();
    const share = row.face.probabilities[name];
    cell.dataset.emotion = name;
    cell.style.setProperty('--share', `${Math.round(44 * share)}%`); // with more, the dark page's numbers would be hard to read
    cell.textContent = percent(share);
  }
}

function endBatch(sentence) {
  table.running = 0;
  batchSaid.textContent = sentence;
  enter('batch-done');
}

function stopBatch() {
  if (!table.running) return;
  endBatch(`Stopped after ${count(batchBar.value, 'file')}.`);
}

/** The table as CSV; a name that a spreadsheet would take for a formula is put in as text. */
function csv() {
  const quoted = (value) => {
    const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [['file', 'face', ...facts.emotions, 'strongest', 'error']];
  for (const {file, number, face, error} of table.rows) {
    lines.push([
      file, number ?? '', ...facts.emotions.map((name) => face ? face.probabilities[name].toFixed(4) : ''),
      face ? strongest(face) : '', error ?? '',
    ]);
  }
  return lines.map((line) => line.map(quoted).join(',')).join('\r\n') + '\r\n';
}

function saveTable() {
  const bytes = new TextEncoder().encode(`\ufeff${csv()}`); // Excel takes a file without the mark for another code page
  saveFile({name: 'emotions.csv', type: 'text/csv', content: inBase64(bytes)});
  notify('Saved emotions.csv.');
}

// --- what is clicked ---

const actions = {
  'camera': () => (stream ? stopCamera() : startCamera()),
  'whole': () => readPhoto(state.photo, true),
  'again': () => readPhoto(state.photo),
  'stop-batch': stopBatch,
  'save-table': saveTable,
};

element.addEventListener('click', ({target}) => {
  const button = target.closest('button');
  if (!button || facts.missing) return;
  if (button.dataset.face) choose(Number(button.dataset.face));
  else if (button.dataset.example) tryExample(button);
  else if (button.classList.contains('read-bar')) { state.emotion = button.dataset.emotion; look(); }
  else actions[button.dataset.do]?.();
});

element.addEventListener('input', ({target}) => {
  if (target === field.overlay) { paintOverlay(); memory.set('overlay', target.value); }
});

element.addEventListener('change', ({target}) => {
  if (target === field.file) { take([...target.files]); target.value = ''; }
  if (target === field.model) {
    state.model = target.value;
    if (state.photo && !isLive()) readPhoto(state.photo);
  }
});

// --- the tab as it opens ---

const mine = () => new URLSearchParams(location.search).get('tab') === 'recognise';
const publish = () => { if (mine()) writeLink({tab: 'recognise'}); };

field.overlay.value = memory.get('overlay') ?? 70;
field.model.replaceChildren(...facts.models.map(({name, title}) => new Option(title, name)));
$('.reader').hidden = facts.models.length < 2;
paintOverlay();
if (facts.missing) {
  for (const control of $$('.sources button, .sources input')) control.disabled = true;
} else {
  showExamples();
}
image.addEventListener('load', fit);
for (const name of ['loadedmetadata', 'resize']) video.addEventListener(name, fit); // a phone may be turned
new ResizeObserver(fit).observe(stage);
document.addEventListener('visibilitychange', () => { if (document.hidden) stopCamera(); }); // the loop may sleep then
addEventListener('fergan-tab', () => { publish(); if (!mine()) stopCamera(); });
publish();
