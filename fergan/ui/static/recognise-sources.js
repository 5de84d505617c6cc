// Where the photos of the tab Recognise come from: files, the clipboard, examples; and what is clicked. It goes on where
// recognise-batch.js ends.

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

// --- what is clicked ---

const actions = {
  'camera': () => (camera.stream ? stopCamera() : startCamera()),
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
    paintReader();
    if (state.photo && !isLive()) readPhoto(state.photo);
  }
});

// --- the tab as it opens ---

const mine = () => new URLSearchParams(location.search).get('tab') === 'recognise';
const publish = () => { if (mine()) writeLink({tab: 'recognise'}); };

field.overlay.value = memory.get('overlay') ?? 70;
field.model.replaceChildren(...facts.models.map(({name, title}) => new Option(title, name)));
const paintReader = () => { $('.model-line').textContent = reader()?.line ?? ''; };
$('.reader').hidden = $('.model-line').hidden = facts.models.length < 2;
paintReader();
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
