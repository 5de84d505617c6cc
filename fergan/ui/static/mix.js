// The tab Mix: one face, and the blend that it shows. The wheel, the small faces, the film, the stage and what a person
// can do are in mix-*.js, which run in the same function. `element`, `props` and `server` come from gr.HTML.
const {facts} = props;
const $ = (selector) => element.querySelector(selector);
const $$ = (selector) => [...element.querySelectorAll(selector)];
const REST = 120;        // ms without a wish before anything else is asked for: a moving hand gets its faces undisturbed
const PACE = 250;        // ms between two readings of the judge while the hand moves
const QUICK = 45;        // ms: faces come at least this fast where the judge may read along
const REMEMBERED = 4096; // faces kept in the browser, about 2 kB each

const [box, failed, said, show, film] = ['.mix-face', '.failed', '.mix-said', '.mix-show', '.mix-film'].map($);
const field = Object.fromEntries($$('[data-field]').map((input) => [input.dataset.field, input]));
const sliders = Object.fromEntries($$('[data-weight]').map((input) => [input.dataset.weight, input]));
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const none = Object.fromEntries(facts.emotions.map((name) => [name, 0]));
const state = {
  model: facts.first.model, seed: facts.first.seed, weights: {...none, [facts.first.emotion]: 100}, typical: facts.first.typical, coarse: null,
};
const faces = new Map(); // one moment of one model -> {picture, judged}, kept once drawn and once read

// --- blends and moments ---

/** Shares of the seven, summing to 1; weights that are all zero are neutral. */
function shares(weights) {
  const sum = facts.emotions.reduce((total, name) => total + (weights[name] ?? 0), 0);
  return facts.emotions.map((name) => (sum ? (weights[name] ?? 0) / sum : Number(name === 'neutral')));
}

const pure = (name) => ({...none, [name]: 100});
const canMix = (model = state.model) => facts.mixers.includes(model);
const title = () => facts.models.find((model) => model.name === state.model).title;

/** Settings -> what the server takes as one moment. */
function moment({weights, seed, typical, coarse} = state, model = state.model) {
  const emotion = Object.fromEntries(Object.entries(weights).filter(([, weight]) => weight > 0).map(([name, weight]) => [name, weight / 100]));
  return {emotion, seed, truncation: 1 - typical / 100, coarse_seed: canMix(model) ? coarse : null};
}

/** Settings of a moment that the server told. */
function settled({emotion, seed, truncation, coarse_seed: coarse}) {
  const weights = {...none};
  for (const [name, share] of Object.entries(emotion)) weights[name] = Math.round(share * 1e6) / 1e4;
  return {weights, seed, typical: Math.round((1 - truncation) * 100), coarse};
}

/** One face has one key: 20 and 20 is the same blend as 50 and 50. */
function key(settings = state, model = state.model) {
  const blend = shares(settings.weights).map((share) => share.toFixed(4)).join();
  return `${settings.seed} ${blend} ${settings.typical} ${canMix(model) ? settings.coarse : null} ${model}`;
}

/** The blend in words: `60 % happy and 40 % sad`. */
function told(weights = state.weights) {
  const whole = percents(shares(weights));
  const parts = facts.emotions.map((name, place) => [name, whole[place]]).filter(([, part]) => part).sort((a, b) => b[1] - a[1]);
  if (parts.length === 1) return parts[0][0];
  const words = parts.map(([name, part]) => `${part}\u00a0% ${name}`);
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** The strongest emotion of a blend. */
function strongest(weights = state.weights) {
  const all = shares(weights);
  return facts.emotions[all.indexOf(Math.max(...all))];
}

function remember(name, picture) {
  if (faces.size >= REMEMBERED) faces.delete(faces.keys().next().value);
  faces.set(name, {picture, judged: null});
}

// --- the face: few requests at a time, each for what is wanted when it is sent ---

const AT_ONCE = 2;       // requests: while one travels the other is drawn; with more, faces would queue
const coming = new Set(); // keys that were asked for
let wishes = 0;          // faces asked for so far
let newest = 0;          // the wish that is on screen: none before it is painted any more
let quick = true;        // whether faces come fast enough for the judge to read along
let jump = true;         // whether the next face is another one, and fades in, rather than the same in motion
let onScreen = null;     // the key of the face that is shown

async function work() {
  const name = key();
  if (faces.has(name)) {
    newest = wishes += 1;
    paintFace(name);
  } else if (!coming.has(name) && coming.size < AT_ONCE) await ask(name);
}

async function ask(name) {
  const wish = wishes += 1;
  const began = performance.now();
  coming.add(name);
  const answer = await askServer(server.draw, {model: state.model, moments: [moment()]}).finally(() => coming.delete(name));
  settle();
  if (answer.error) return name === key() ? fail(answer.error) : work();
  quick = performance.now() - began < QUICK;
  remember(name, answer.faces[0]);
  if (wish > newest) { // on the way to what is wanted each face is shown
    newest = wish;
    paintFace(name);
    readAlong();
  }
  return work();
}

function paintFace(name) {
  failed.hidden = true;
  box.classList.remove('waiting');
  if (onScreen === name) return;
  onScreen = name;
  for (const image of show.open ? [box.firstElementChild, show.querySelector('img')] : [box.firstElementChild]) {
    image.src = faces.get(name).picture;
    if (jump && !calm.matches) image.animate([{opacity: 0.35}, {opacity: 1}], {duration: 160, easing: 'ease-out'});
  }
  jump = false;
  paintJudge();
}

function fail(sentence) {
  box.classList.remove('waiting'); // its shimmer would lie over the sentence
  failed.querySelector('p').textContent = sentence;
  failed.hidden = false;
  said.textContent = said.nextElementSibling.textContent = '';
  notify(show.open ? sentence : '');
}

// --- when the hand rests: words, small faces, the judge, the address, the history ---

let resting;
function settle() {
  clearTimeout(resting);
  resting = setTimeout(() => {
    if (coming.size) return;
    say();
    publish();
    read();
    drawThumbs();
    keepPast();
  }, REST);
}

function say() {
  if (onScreen !== key()) return;
  const coarse = canMix() && state.coarse !== null ? `, the shape of seed ${state.coarse}` : '';
  const found = faces.get(onScreen).judged && reading(faces.get(onScreen).judged);
  if (facts.judge && !found && !unjudged) return; // spoken once, when all of it is known
  const sentence = `${told()}, seed ${state.seed}${coarse}, by ${title()}.`;
  const heard = found ? ` The judge reads ${found.emotion}, ${found.percent}\u00a0%\u00a0sure.` : '';
  if (said.textContent !== sentence) said.textContent = sentence;
  if (said.nextElementSibling.textContent !== heard) said.nextElementSibling.textContent = heard;
  box.firstElementChild.alt = `Synthetic face: ${told()}, seed ${state.seed}`;
}

// --- the judge: one reading at a time, of what is on screen, in a request of its own ---

let judging = false;
let judgedAt = 0;
let unjudged = null; // why the judge gave no answer, a sentence

/** While the hand moves: only now and then, and only where faces come fast. */
function readAlong() {
  if (quick && performance.now() - judgedAt > PACE) read();
}

async function read() {
  const name = onScreen;
  const face = faces.get(name);
  if (!facts.judge || judging || !face) return;
  if (face.judged) return paintJudge();
  judging = true;
  try {
    const answer = await askServer(server.read, [face.picture], 20);
    unjudged = answer.error ?? null;
    if (!unjudged) [face.judged] = answer.probabilities;
    paintJudge(face.judged);
    say();
  } finally {
    judging = false;
    judgedAt = performance.now();
    if (onScreen !== name) settle();
  }
}

/** Bars stay at the last reading until the next one comes, so that they glide. */
function paintJudge(found = faces.get(onScreen)?.judged) {
  if (!facts.judge || (!found && !unjudged)) return;
  fillBars($('.mix-judge .bars'), found, {asked: strongest()});
  $('.mix-judge').title = unjudged ?? facts.judge;
}

// --- controls ---

let base = {...state.weights}; // what the column of intensities leads to

/** Changes settings; `live` while a hand drags, `part` where the column's own faces are taken. */
function change(changes, {live = false, part = false} = {}) {
  Object.assign(state, changes);
  if (changes.weights && !part) base = {...state.weights};
  if (changes.weights) passed = null;
  jump ||= !live;
  leaveFilm();
  paintControls();
  settle();
  if (!live && !faces.has(key())) box.classList.add('waiting'); // it shows where a face is slow to come
  return work();
}

function paintControls() {
  const all = shares(state.weights);
  const whole = percents(all);
  facts.emotions.forEach((name, place) => {
    const slider = sliders[name];
    const value = Math.round(state.weights[name]);
    if (Number(slider.value) !== value) slider.value = value;
    slider.nextElementSibling.textContent = `${whole[place]} %`;
    slider.setAttribute('aria-valuetext', `${value}, ${whole[place]} % of the blend`);
    slider.parentElement.classList.toggle('away', whole[place] === 0);
  });
  const zero = facts.emotions.every((name) => !state.weights[name]);
  const hint = zero ? 'All sliders are at zero: the face is drawn as neutral.' : "Drag a slider or the wheel's point.";
  if ($('.mix-hint').textContent !== hint) $('.mix-hint').textContent = hint;
  for (const name of ['seed', 'model', 'typical']) {
    if (field[name].value !== String(state[name])) field[name].value = state[name];
  }
  field.coarse.value = state.coarse ?? '';
  field.typical.nextElementSibling.textContent = `${state.typical} %`;
  $('.mix-coarse').hidden = !canMix();
  $('.model-line').textContent = facts.models.find((model) => model.name === state.model).line;
  $('.mix').dataset.emotion = strongest();
  paintPoint(all);
  paintThumbs();
  paintStage();
}
