// The tab Translate: one photo, its faces, the expression asked for, and the result. The square around a face, what is
// shown beside the photo, where photos come from, the camera, the film and what a person can do are in translate-*.js,
// which run in the same function. `element`, `props` and `server` come from gr.HTML, the helpers from fergan.js.
const {facts} = props;
if (facts.missing) return; // the page says how to get a translator
const $ = (selector) => element.querySelector(selector);
const $$ = (selector) => [...element.querySelectorAll(selector)];
const REST = 150;       // ms without a wish before anything else is asked for: a moving hand gets its pictures undisturbed
const REMEMBERED = 96;  // results kept in the browser: a slider that goes back costs nothing
const ROOM = 1.1;       // what is sent around a face, in its sides
const LATE = 350;       // ms without what is wished for, then the photo shimmers
const QUICK = 384;      // pixels of that which is sent while a hand drags,
const FINE = 1024;      // and once it rests; a file that is saved has all of the photo's own

const [root, stage, view, boxes, failed, said] = ['.translate', '.tr-stage', '.tr-view', '.boxes', '.photo-failed', '.tr-said'].map($);
const [before, after] = ['.tr-before', '.tr-after'].map($);
const field = Object.fromEntries($$('[data-field]').map((input) => [input.dataset.field, input]));
const calm = matchMedia('(prefers-reduced-motion: reduce)');
// photo: {number, file, picture, ratio, width, height, drawn}; faces and all places are in the photo's own pixels, and
// `picture` has `ratio` of them a side; face: which of its faces, null for all; second: another emotion, for a share
const state = {...facts.first, second: 'neutral', share: 0, photo: null, faces: [], found: [], face: 0};
const results = new Map(); // what is asked for -> {picture, place, before, after, mask, arrows, judged}
let fine = true; // whether results are asked for in full detail

const enter = (name) => { root.dataset.state = name; };
const isLive = () => root.dataset.state === 'live';
const chosen = () => (state.face === null ? state.faces : state.faces.slice(state.face, state.face + 1));
const translator = () => facts.models.find((model) => model.name === state.model);

/** Weights of the emotions asked for, by name. */
function weights({emotion, second, share} = state) {
  return share && second !== emotion ? {[emotion]: 1 - share / 100, [second]: share / 100} : {[emotion]: 1};
}

/** What is asked for now: settings that name a result. */
const wish = () => ({model: state.model, emotion: weights(), intensity: state.intensity / 100});
const key = (asked = wish(), detail = fine) => JSON.stringify([state.photo?.number, chosen(), asked, detail]);

/** The emotions in words: `70 % happy and 30 % sad`. */
function told() {
  const parts = Object.entries(weights());
  return parts.length === 1 ? parts[0][0] : parts.map(([name, part]) => `${Math.round(part * 100)}\u00a0% ${name}`).join(' and ');
}

// --- what travels: the square around the chosen faces, as fine as the photo has it ---

const newCanvas = (width, height) => Object.assign(document.createElement('canvas'), {width: Math.max(1, Math.round(width)), height: Math.max(1, Math.round(height))});

/** A canvas -> base64: lossless where it is small. */
async function encode(canvas) {
  const kind = canvas.width * canvas.height <= facts.lossless ? 'image/png' : 'image/jpeg';
  return readFile(await new Promise((done) => canvas.toBlob(done, kind, 0.93)));
}

/** A part {x, y, width, height} of the photo, at most `most` pixels a side -> {canvas, scale}. */
function cut({x, y, width, height}, most) {
  const {picture, ratio} = state.photo;
  const scale = Math.min(ratio, most / Math.max(width, height));
  const canvas = newCanvas(width * scale, height * scale);
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, x * ratio, y * ratio, width * ratio, height * ratio, 0, 0, canvas.width, canvas.height);
  return {canvas, scale};
}

/** The part of the photo that holds some faces, with room around them. */
function around(faces) {
  const {width, height} = state.photo;
  const reach = ({side, roll}) => ROOM * side / 2 * (Math.abs(Math.cos(roll * Math.PI / 180)) + Math.abs(Math.sin(roll * Math.PI / 180)));
  const x = Math.max(0, Math.floor(Math.min(...faces.map((face) => face.x - reach(face)))));
  const y = Math.max(0, Math.floor(Math.min(...faces.map((face) => face.y - reach(face)))));
  const right = Math.min(width, Math.ceil(Math.max(...faces.map((face) => face.x + reach(face)))));
  const bottom = Math.min(height, Math.ceil(Math.max(...faces.map((face) => face.y + reach(face)))));
  return {x, y, width: Math.max(1, right - x), height: Math.max(1, bottom - y)};
}

/** Faces as they lie in a part of the photo. */
const within = (faces, {x, y}, scale) => faces.map((face) => ({x: (face.x - x) * scale, y: (face.y - y) * scale, side: face.side * scale, roll: face.roll}));

const packed = new Map(); // the last part that was sent, quick and fine: it is the same while a slider is dragged

async function pack() {
  const faces = chosen();
  const [name, detail] = [JSON.stringify([state.photo.number, faces]), fine];
  if (packed.get(detail)?.name !== name) {
    const place = around(faces);
    const {canvas, scale} = cut(place, detail ? FINE : QUICK);
    packed.set(detail, {name, place, faces: within(faces, place, scale), photo: await encode(canvas)});
  }
  return packed.get(detail);
}

// --- the result: one request at a time, each for what is wanted by then ---

let working = false;
let jump = true;     // whether the next picture is another one, and fades in, rather than the same in motion
let onScreen = null; // the key of the result that is shown

/** What the server makes of a wish: kept, so that it is asked once. */
async function fetchResult(asked) {
  const name = key(asked);
  if (results.has(name)) return results.get(name);
  const {photo, faces, place} = await pack();
  const answer = await askServer(server.change, {...asked, photo, faces});
  if (answer.error) return answer;
  const picture = new Image();
  picture.src = answer.photo;
  await picture.decode();
  if (results.size >= REMEMBERED) results.delete(results.keys().next().value);
  results.set(name, {...answer, picture, place, intensity: asked.intensity, judged: null});
  return results.get(name);
}

async function work() {
  if (!chosen().length || isLive()) return;
  if (results.has(key())) show(key());
  watchLate();
  if (working) return;
  working = true;
  try {
    while (chosen().length && !isLive() && !results.has(key())) {
      const [name, number] = [key(), state.photo.number];
      const answer = await fetchResult(wish());
      if (number !== state.photo?.number) continue;
      if (answer.error && name === key()) return fail(answer.error, 'retry');
      if (!answer.error && !isLive()) show(name); // on the way to the last wish each result is shown
    }
  } finally {
    working = false;
    root.classList.remove('busy');
    settle();
  }
}

let late;

/** What takes long shimmers, or a click would seem lost; a moving hand, and detail alone, make nothing shimmer. */
function watchLate() {
  const lacks = () => working && ![key(), key(wish(), false)].includes(onScreen);
  if (!lacks()) root.classList.remove('busy');
  clearTimeout(late);
  late = setTimeout(() => root.classList.toggle('busy', lacks()), LATE);
}

function show(name) {
  enter('done');
  if (onScreen === name) return;
  onScreen = name;
  const result = results.get(name);
  paintAfter(result);
  paintSeen(result);
  if (jump && !calm.matches) after.animate([{opacity: 0.35}, {opacity: 1}], {duration: 160, easing: 'ease-out'});
  jump = false;
}

/** The photo with a result laid over it; at intensity 0 it is the photo, to the pixel. */
function paintAfter({picture, place, intensity}, opacity = 1) {
  const ink = after.getContext('2d');
  if (opacity === 1) ink.drawImage(before, 0, 0);
  if (!intensity) return;
  const {drawn} = state.photo;
  ink.globalAlpha = opacity;
  ink.drawImage(picture, place.x * drawn, place.y * drawn, place.width * drawn, place.height * drawn);
  ink.globalAlpha = 1;
}

/** The sentence where the picture would be; `actions` are those of its buttons that help. */
function fail(sentence, ...actions) {
  failed.querySelector('p').textContent = sentence;
  for (const button of failed.querySelectorAll('button')) button.hidden = !actions.includes(button.dataset.do);
  enter('failed');
  onScreen = null;
  said.textContent = said.nextElementSibling.textContent = '';
}

// --- when the hand rests: words, small faces, the judge, the address ---

let resting;
function settle() {
  clearTimeout(resting);
  resting = setTimeout(() => {
    if (working) return;
    publish();
    if (!fine && !isLive()) { fine = true; return work(); }
    if (isLive() || onScreen !== key()) return;
    say();
    read();
    drawThumbs();
  }, REST);
}

function say() {
  const result = results.get(onScreen);
  const [was, is] = (result.judged ?? []).map(reading);
  if (facts.judge && !is && !unjudged) return; // spoken once, when all of it is known
  const who = state.face === null ? `All ${state.faces.length} faces: ` : state.faces.length > 1 ? `Face ${state.face + 1} of ${state.faces.length}: ` : '';
  const {title, untaught} = translator();
  const unknown = Object.keys(weights()).filter((name) => untaught.includes(name));
  const by = unknown.length ? `${title}, which was never taught ${unknown.join(' or ')}` : title;
  const sentence = `${who}${told()} at ${state.intensity}\u00a0%, by ${by}.`;
  const heard = is ? ` The judge read ${was.emotion}, and now reads ${is.emotion}, ${is.percent}\u00a0%\u00a0sure.` : '';
  if (said.textContent !== sentence) said.textContent = sentence;
  if (said.nextElementSibling.textContent !== heard) said.nextElementSibling.textContent = heard;
  after.setAttribute('aria-label', `After: ${told()}`);
}

/** Changes settings; `live` while a hand drags. */
function change(changes, {live = false} = {}) {
  Object.assign(state, changes);
  jump ||= !live;
  fine = !live;
  stopPlaying();
  paintControls();
  paintBoxes();
  settle();
  return work();
}
