// The tab Recognise: one photo, its faces, what each shows. Where photos come from is in recognise-live.js (the camera),
// recognise-batch.js (many files) and recognise-sources.js, which run in the same function. `element`, `props` and
// `server` come from gr.HTML, the helpers from fergan.js.
const {facts} = props;
const $ = (selector) => element.querySelector(selector);
const $$ = (selector) => [...element.querySelectorAll(selector)];
const SPOKEN = 2000; // milliseconds between two sentences of a running camera: a screen reader speaks each

const [root, stage, view, image, video, boxes, failed, verdict] =
  ['.recognise', '.photo-stage', '.photo-view', '.photo-view img', '.photo-view video', '.boxes', '.photo-failed', '.read-said'].map($);
const field = Object.fromEntries($$('[data-field]').map((input) => [input.dataset.field, input]));
// photo: {name, src, content}; answer: what the server said of it; face: which of its faces; emotion: whose map
const state = {model: facts.model, photo: null, answer: null, face: 0, emotion: null};

const percent = (share) => share < 0.005 ? '<1 %' : share >= 0.995 ? '>99 %' : `${Math.round(share * 100)} %`;
const strongest = (face) => face.strongest;
const reader = () => facts.models.find(({name}) => name === state.model);
const enter = (name) => { root.dataset.state = name; };
const isLive = () => root.dataset.state === 'live';
const isDone = () => ['done', 'batch-done'].includes(root.dataset.state);

function say(sentence) {
  if (verdict.textContent !== sentence) verdict.textContent = sentence;
}

/** The sentence where the picture would be; `actions` are those of its buttons that help. */
function fail(sentence, ...actions) {
  failed.querySelector('p').textContent = sentence;
  for (const button of failed.querySelectorAll('button')) button.hidden = !actions.includes(button.dataset.do);
  enter('failed');
}

// --- one photo ---

let asked = 0; // the latest photo wins

async function readPhoto(photo, whole = false) {
  const turn = ++asked;
  const unsure = !photo.src && isDone(); // the server may find that it is no picture: what was read stays until then
  if (unsure) notify(`Reading ${photo.name}…`);
  else waitFor(photo);
  const answer = await askServer(server.recognise, {photo: photo.content, model: state.model, whole});
  if (turn !== asked) return;
  if (unsure) {
    if (answer.error) return notify(`${photo.name}: ${answer.error}`);
    notify('');
    waitFor(photo);
  }
  if (answer.error) {
    clearReading();
    return fail(photo.name ? `${photo.name}: ${answer.error}` : answer.error, ...(answer.lost ? ['again'] : []));
  }
  if (!answer.faces.length) {
    clearReading();
    return fail(answer.sentence, 'whole');
  }
  if (!photo.src) showPhoto({...photo, src: answer.faces[0].crop}); // a file that this browser cannot show
  state.answer = answer;
  enter('done');
  paintBoxes();
  choose(0);
}

function waitFor(photo) {
  showPhoto(photo);
  clearReading('Reading…'); // nothing of one person, or by one reader, beside what another one is to get
  enter('waiting');
}

function showPhoto(photo) {
  if (state.photo?.src?.startsWith('blob:') && state.photo.src !== photo.src) URL.revokeObjectURL(state.photo.src);
  Object.assign(state, {photo, answer: null, face: 0, emotion: null});
  boxes.replaceChildren();
  video.hidden = true;
  image.hidden = false;
  if (photo.src) image.src = photo.src;
  else image.removeAttribute('src');
  image.alt = photo.name || 'The photo';
  fit();
}

/** The photo as large as the stage: faces of 48 pixels too, drawn smoothly. */
function fit() {
  const [width, height] = video.hidden ? [image.naturalWidth, image.naturalHeight] : [video.videoWidth, video.videoHeight];
  if (!width) return;
  const scale = Math.min(stage.clientWidth / width, stage.clientHeight / height);
  view.style.width = `${Math.floor(width * scale)}px`;
  view.style.height = `${Math.floor(height * scale)}px`;
}

function paintBoxes() {
  const {width, height, faces} = state.answer;
  while (boxes.children.length > faces.length) boxes.lastChild.remove();
  while (boxes.children.length < faces.length) {
    const box = document.createElement('button');
    box.type = 'button';
    box.className = 'box';
    box.append(document.createElement('span'));
    boxes.append(box);
  }
  faces.forEach((face, place) => {
    const box = boxes.children[place];
    const cssText = `left:${100 * (face.x - face.side / 2) / width}%;top:${100 * (face.y - face.side / 2) / height}%;`
      + `width:${100 * face.side / width}%;height:${100 * face.side / height}%;transform:rotate(${face.roll}deg)`;
    if (box.style.cssText !== cssText) box.style.cssText = cssText;
    box.dataset.face = place;
    box.dataset.emotion = strongest(face);
    box.firstChild.textContent = faces.length > 1 ? place + 1 : '';
    box.setAttribute('aria-label', `Face ${place + 1} of ${faces.length}: ${strongest(face)}, ${percent(face.probabilities[strongest(face)])}`);
    box.setAttribute('aria-pressed', place === state.face);
  });
}

// --- one face of it ---

function choose(place) {
  state.face = place;
  state.emotion = null;
  $('[data-seen=map]').removeAttribute('src'); // of the face before
  paintBoxes();
  paintReading();
  look();
}

let spoken = 0;
function paintReading() {
  const {faces} = state.answer;
  const face = faces[state.face];
  const changed = root.dataset.emotion !== strongest(face);
  root.dataset.emotion = strongest(face);
  if (!isLive() || changed || performance.now() - spoken > SPOKEN) {
    spoken = performance.now();
    say(faces.length > 1 ? `Face ${state.face + 1} of ${faces.length}: ${face.sentence}` : face.sentence);
  }
  for (const bar of $$('.read-bar')) {
    const share = face.probabilities[bar.dataset.emotion];
    const unknown = reader().untaught.includes(bar.dataset.emotion); // it cannot read it, which is no reading of 0
    bar.disabled = unknown;
    bar.setAttribute('aria-label', `${bar.dataset.emotion}, ${unknown ? 'never taught' : percent(share)}`);
    bar.querySelector('.track span').style.width = `${100 * share}%`;
    bar.querySelector('.percent').textContent = unknown ? '–' : percent(share);
    bar.classList.toggle('strongest', bar.dataset.emotion === strongest(face));
  }
  $('[data-seen=face]').src = face.crop;
  $('[data-seen=face]').alt = `The face as the network sees it: ${strongest(face)}`;
}

function clearReading(sentence = '') {
  delete root.dataset.emotion;
  say(sentence);
  for (const bar of $$('.read-bar')) {
    bar.disabled = true;
    bar.setAttribute('aria-pressed', 'false');
    bar.setAttribute('aria-label', bar.dataset.emotion);
    bar.classList.remove('strongest');
    bar.querySelector('.track span').style.width = '0';
    bar.querySelector('.percent').textContent = '';
  }
  for (const seen of $$('[data-seen]')) seen.removeAttribute('src');
  $('.seen-hint').textContent = '';
}

/** Fetches where the network saw the emotion that is asked for, else the strongest. */
async function look() {
  const face = state.answer?.faces[state.face];
  if (!face) return;
  const emotion = state.emotion ?? strongest(face);
  for (const bar of $$('.read-bar')) bar.setAttribute('aria-pressed', bar.dataset.emotion === emotion);
  $('.seen-hint').textContent = `Brighter where the picture spoke for ${emotion}. Press another emotion to see what spoke for it.`;
  const answer = await askServer(server.explain, {face: face.crop.split(',')[1], emotion, model: state.model});
  const now = state.answer?.faces[state.face];
  if (!now || (face !== now && !isLive())) return; // live, each picture has faces of its own
  if (emotion !== (state.emotion ?? emotion)) return;
  if (answer.error) return notify(answer.error);
  $('[data-seen=map]').src = answer.map;
}

const paintOverlay = () => { $('[data-seen=map]').style.opacity = field.overlay.value / 100; };

