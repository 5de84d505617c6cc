// The page: one face, the blend that it shows, and what the judge reads in it. No server answers: the networks run in
// engine.js. Parts that the app shares (bars, percents, links) come from its own script, fergan.js.
import {download, start} from './engine.js';
import facts from './facts.js';
import {EMOTIONS, fillBars, isTyping, memory, percents, reading, writeLink} from './fergan.js';
import {handOver, png, provenance} from './picture.js';

const $ = (selector) => document.querySelector(selector);
const $$ = (selector) => [...document.querySelectorAll(selector)];
const REST = 150;   // ms without a wish before words and address follow: a moving hand gets its faces undisturbed
const FACTOR = 8;   // the face on the screen has this many times the pixels, on each side
const [box, canvas, loading, broken, said, heard] = ['.box', '.box canvas', '.loading', '.broken', '.said', '.heard'].map($);
const field = Object.fromEntries($$('[data-field]').map((input) => [input.dataset.field, input]));
const none = Object.fromEntries(EMOTIONS.map((name) => [name, 0]));
const state = asked(new URL(location.href).searchParams);
let sliders;

// --- blends ---

const model = () => facts.models.find(({name}) => name === state.model);
const knows = (name) => model().emotions.includes(name);

/** What a link asks for, or the first face. */
function asked(query) {
  const {name} = facts.models.find((one) => one.name === query.get('model')) ?? facts.models[0];
  const number = (text, most) => Math.min(most, Math.max(0, Math.round(Number(text)) || 0));
  const weights = {...none};
  for (const emotion of EMOTIONS) weights[emotion] = number(query.get(emotion), 100);
  if (!EMOTIONS.some((emotion) => query.has(emotion))) weights.happy = 100;
  return {model: name, seed: query.has('seed') ? number(query.get('seed'), facts.lastSeed) : 7, weights};
}

/** Shares of the seven, summing to 1; weights that are all zero are neutral, or the first that the model knows. */
function shares() {
  const weights = EMOTIONS.map((name) => (knows(name) ? state.weights[name] : 0));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (sum) return weights.map((weight) => weight / sum);
  const rest = knows('neutral') ? 'neutral' : model().emotions[0];
  return EMOTIONS.map((name) => Number(name === rest));
}

/** The blend in words: `60 % happy and 40 % sad`. */
function told() {
  const whole = percents(shares());
  const parts = EMOTIONS.map((name, place) => [name, whole[place]]).filter(([, part]) => part).sort((a, b) => b[1] - a[1]);
  if (parts.length === 1) return parts[0][0];
  const words = parts.map(([name, part]) => `${part}\u00a0% ${name}`);
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

const strongest = (all) => EMOTIONS[all.indexOf(Math.max(...all))];
const key = () => [state.model, state.seed, ...shares().map((share) => share.toFixed(4))].join();

// --- the face: one at a time, each for what is wanted by then ---

let artist;          // the thread that draws
let starting;        // its start: a second try must not bring a second thread, which would know no network
const loaded = new Set();
let working = false;
let onScreen = null; // {key, pixels, large, model, seed, blend}

async function work() {
  if (working) return;
  working = true;
  try {
    while (onScreen?.key !== key()) {
      while (!artist || !loaded.has(model().name)) await prepare(); // another may have been chosen meanwhile
      const {name, size, channels, noise} = model();
      const wish = {key: key(), model: model(), seed: state.seed, blend: shares()};
      const face = await artist.ask('draw', {name, seed: state.seed, blend: wish.blend, length: noise, size, channels, factor: FACTOR});
      paintFace({...wish, ...face});
    }
    broken.hidden = true; // what is wanted is on screen
  } catch (error) {
    fail(error.message);
  } finally {
    working = false;
    settle();
  }
}

/** The runtime and the model's file, downloaded when they are first needed. */
async function prepare() {
  const wanted = model();
  const total = wanted.bytes + (artist ? 0 : facts.wasm.bytes);
  let come = 0;
  const tell = (bytes) => {
    come += bytes;
    loading.querySelector('progress').value = come / total;
    say(loading.firstElementChild, `Downloading: ${Math.round(come / 1e6)} of ${Math.round(total / 1e6)} MB`);
  };
  loading.hidden = false;
  broken.hidden = true;
  box.ariaBusy = 'true';
  const begin = async () => {
    starting ??= start(tell);
    try {
      artist = await starting;
    } catch (error) {
      starting = undefined;
      throw error;
    }
  };
  const [content] = await Promise.all([download(wanted, tell), begin()]);
  say(loading.firstElementChild, 'Starting the network');
  await artist.ask('load', {name: wanted.name, content});
  loaded.add(wanted.name);
}

function paintFace(face) {
  const side = face.model.size * FACTOR;
  if (canvas.width !== side) canvas.width = canvas.height = side;
  canvas.getContext('2d').putImageData(new ImageData(face.large, side, side), 0, 0);
  canvas.hidden = false;
  loading.hidden = true;
  loading.classList.add('over');
  box.ariaBusy = 'false';
  onScreen = face;
  read();
}

function fail(sentence) {
  loading.hidden = true;
  box.ariaBusy = 'false';
  broken.querySelector('p').textContent = sentence;
  broken.hidden = false;
  said.textContent = heard.textContent = '';
}

// --- the judge: one reading at a time, of what is on screen, and at most a quarter of the time ---

const judge = $('.judge');
const judgeRetry = judge.querySelector('button');
let reader;         // the thread that reads
let judging = false;
let judged = null;  // {key, probabilities} of the last face that was read

/** Reads the face on screen. A judge that has failed is tried again only when asked to, not with each face. */
async function read({again = false} = {}) {
  if (!facts.judge || judging || (judge.classList.contains('broken-judge') && !again)) return;
  judging = true;
  try {
    reader ??= await openJudge();
    while (judged?.key !== onScreen.key) {
      const began = performance.now();
      const {key: name, pixels, model: {size}} = onScreen;
      judged = {key: name, probabilities: await reader.ask('read', {name: 'judge', pixels, size, channels: facts.judge.channels})};
      paintJudge();
      await new Promise((done) => { setTimeout(done, 3 * (performance.now() - began)); });
    }
    settle();
  } catch (error) { // faces go on without
    judge.classList.add('broken-judge');
    say(judge.firstElementChild, error.message);
    reader?.stop(); // a thread that has failed once is not asked again
    reader = undefined;
  } finally {
    judging = false;
    judgeRetry.hidden = !judge.classList.contains('broken-judge');
  }
}

async function openJudge() {
  let come = 0;
  const tell = (bytes) => {
    come += bytes;
    say(judge.firstElementChild, `judge: ${Math.round(100 * come / facts.judge.bytes)}\u00a0%`);
  };
  const content = await download(facts.judge, tell);
  const thread = await start();
  await thread.ask('load', {name: 'judge', content});
  say(judge.firstElementChild, 'judge reads');
  judge.classList.remove('broken-judge');
  return thread;
}

function paintJudge() {
  if (facts.judge) fillBars(judge.querySelector('.bars'), judged?.probabilities ?? null, {asked: strongest(shares())});
}

// --- when the hand rests: words and the address ---

let resting;
function settle() {
  clearTimeout(resting);
  resting = setTimeout(() => {
    if (working || onScreen?.key !== key()) return;
    say(said, `${told()}, seed ${state.seed}, by ${model().title}.`);
    canvas.ariaLabel = `Synthetic face: ${told()}, seed ${state.seed}`;
    const found = judged?.key === onScreen.key && reading(judged.probabilities);
    say(heard, found ? `The judge reads ${found.emotion}, ${found.percent}\u00a0%\u00a0sure.` : '');
    const weights = Object.fromEntries(EMOTIONS.map((name) => [name, state.weights[name] || null]));
    if (Object.values(weights).every((weight) => weight === null)) weights.neutral = 0;
    writeLink({model: state.model, seed: state.seed, ...weights});
  }, REST);
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// --- controls ---

function change(changes) {
  Object.assign(state, changes);
  paintControls();
  settle();
  return work();
}

function paintControls() {
  const all = shares();
  const whole = percents(all);
  EMOTIONS.forEach((name, place) => {
    const slider = sliders[name];
    const row = slider.parentElement;
    if (Number(slider.value) !== state.weights[name]) slider.value = state.weights[name];
    slider.disabled = $(`[data-pure=${name}]`).disabled = !knows(name);
    slider.setAttribute('aria-valuetext', `${slider.value}, ${whole[place]} % of the blend`);
    row.classList.toggle('away', whole[place] === 0);
    row.classList.toggle('unknown', !knows(name));
    say(row.querySelector('.number'), `${whole[place]} %`);
    $(`[data-pure=${name}]`).setAttribute('aria-pressed', all[place] === 1);
  });
  const zero = EMOTIONS.every((name) => !state.weights[name]);
  say($('.hint'), zero ? `All sliders are at zero: the face is drawn as ${strongest(all)}.` : 'Emotions blend by their shares. A seed is a person.');
  for (const name of ['seed', 'model']) {
    if (field[name].value !== String(state[name])) field[name].value = state[name];
  }
  const {line, size} = model();
  say($('.model-line'), line);
  say($('[data-save=small] span'), `Save ${size} px`);
  say($('[data-save=large] span'), `Save ${size * FACTOR} px`);
  paintJudge();
}

async function save(kind) {
  if (!onScreen) return;
  const {pixels, large, model: {name, size, weights}, seed, blend} = onScreen;
  const parts = EMOTIONS.map((emotion, place) => [emotion, Math.round(blend[place] * 1e6) / 1e6]).filter(([, share]) => share);
  const settings = {synthetic: true, model: name, emotion: Object.fromEntries(parts), seed, count: 1, truncation: 1, weights};
  const words = parts.map(([emotion, share]) => (share === 1 ? emotion : `${Math.round(100 * share)}% ${emotion}`)).join(' and ');
  const sentence = `A synthetic face, not a person: drawn by the model ${name}, ${words}, seed ${seed}.`;
  const side = kind === 'large' ? size * FACTOR : size;
  const file = await png(kind === 'large' ? large : pixels, side, provenance(settings, sentence, facts.sourceType));
  handOver(file, `fergan_${name}_${parts.map(([emotion]) => emotion).join('-')}_seed${seed}${kind === 'large' ? `_${side}px` : ''}.png`);
}

const pure = (name) => change({weights: {...none, [name]: 100}});
const newSeed = () => change({seed: crypto.getRandomValues(new Uint32Array(1))[0] % 100000});

function build() {
  const icon = (name) => `<svg class="icon" aria-hidden="true"><use href="#icon-${name}"></use></svg>`;
  $('.presets').innerHTML = EMOTIONS.map((name, place) => `<button type="button" class="preset" data-pure="${name}" data-emotion="${name}"
    aria-label="${name}" title="${name} alone (key ${place + 1})">${icon(name)}<b>${name}</b><kbd aria-hidden="true">${place + 1}</kbd></button>`).join('');
  $('.sliders').innerHTML = EMOTIONS.map((name) => `<div class="field slider" data-emotion="${name}">
    <label for="weight-${name}">${icon(name)}${name}</label>
    <input type="range" id="weight-${name}" data-weight="${name}" min="0" max="100" step="1">
    <span class="number" aria-hidden="true" title="Share of the blend"></span></div>`).join('');
  sliders = Object.fromEntries($$('[data-weight]').map((input) => [input.dataset.weight, input]));
  field.model.replaceChildren(...facts.models.map(({name, title}) => new Option(title, name)));
  field.model.parentElement.hidden = facts.models.length === 1;
  field.seed.max = facts.lastSeed;
  field.keys.checked = memory.get('web.keys') !== 'off';
  judge.hidden = !facts.judge;
  judge.title = facts.judge?.line ?? '';
  $('.unserved').remove();
}

document.addEventListener('input', ({target}) => {
  if (target.dataset.weight) change({weights: {...state.weights, [target.dataset.weight]: Number(target.value)}});
});
document.addEventListener('change', ({target}) => {
  if (target === field.model) change({model: target.value});
  if (target === field.keys) memory.set('web.keys', target.checked ? 'on' : 'off');
  if (target === field.seed) {
    const seed = target.valueAsNumber;
    change(Number.isInteger(seed) && seed >= 0 && seed <= facts.lastSeed ? {seed} : {}); // else the old one comes back
  }
});
document.addEventListener('click', ({target}) => {
  const button = target.closest('button');
  if (button?.dataset.pure) pure(button.dataset.pure);
  if (button?.dataset.save) save(button.dataset.save);
  if (button?.dataset.do === 'new-seed') newSeed();
  if (button?.dataset.do === 'retry') work();
  if (button?.dataset.do === 'retry-judge') read({again: true});
});
document.addEventListener('keydown', (event) => {
  if (!field.keys.checked || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const name = EMOTIONS[Number(event.key) - 1];
  if (name && knows(name)) pure(name);
  if (event.key.toLowerCase() === 'n') newSeed();
});

build();
change({});
