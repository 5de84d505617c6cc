// The tab Generate: its settings, its faces, its sheet. What a person can do with them is in generate-controls.js,
// which runs in the same function. `element`, `props` and `server` come from gr.HTML, the helpers from fergan.js.
const {facts} = props;
const $ = (selector) => element.querySelector(selector);
const $$ = (selector) => [...element.querySelectorAll(selector)];
const CHUNK = 16;        // faces asked for at once: a sheet of 64 fills up from the top and can be left at any time
const REMEMBERED = 2048; // faces kept in the browser, about 2 kB each

const [stage, sheet, dialog, failed, said] = ['.stage', '.sheet', '.enlarged', '.failed', '.said'].map($);
const field = Object.fromEntries($$('[data-field]').map((input) => [input.dataset.field, input]));
const state = {...facts.first, face: null};
const faces = new Map();

// --- faces: one seed, one emotion, one model, one variety -> {picture, judged}, kept once drawn and once read ---

const wrapped = (seed) => ((seed % (facts.lastSeed + 1)) + facts.lastSeed + 1) % (facts.lastSeed + 1);
const seeds = () => Array.from({length: state.count}, (_, step) => wrapped(state.seed + step));
const key = (seed, emotion = state.emotion) => `${seed} ${emotion} ${state.variety} ${state.model}`;
const title = () => facts.models.find((model) => model.name === state.model).title;
const asked = (more) => ({model: state.model, emotion: state.emotion, seed: state.seed, count: state.count, truncation: state.variety / 100, ...more});

const pictured = (seed, emotion) => faces.get(key(seed, emotion))?.picture;

function remember(seed, emotion, picture) {
  if (faces.size >= REMEMBERED) faces.delete(faces.keys().next().value);
  faces.set(key(seed, emotion), {picture, judged: null});
}

/** Asks for faces that are not here yet: a sentence where that fails, else null. */
async function fetchFaces(seed, count, emotion) {
  const {model, variety} = state;
  const answer = await askServer(server.draw, asked({seed, count, emotion}));
  if (answer.error) return answer.error;
  if (model === state.model && variety === state.variety) {
    answer.faces.forEach((picture, step) => remember(wrapped(seed + step), emotion, picture));
  }
  return null;
}

/** Where the next faces of an emotion are missing on the sheet: [seed, count], or null where none is. */
function missing(emotion) {
  const all = seeds();
  const first = all.findIndex((seed) => !faces.has(key(seed, emotion)));
  if (first < 0) return null;
  let end = first + 1;
  while (end < all.length && end - first < CHUNK && !faces.has(key(all[end], emotion))) end++;
  return [all[first], end - first];
}

let told;
let working = false;
let ahead = null; // the emotion that the pointer is over: drawn before the click, which then costs nothing

/** Shows the settings as they are now; while a hand drags the address waits: Safari takes 100 changes in half a minute. */
function draw({dragging = false} = {}) {
  failed.hidden = true;
  unjudged = null;
  paintControls(); // here alone: faces that arrive while somebody types must not undo the typing
  paint();
  clearTimeout(told);
  if (dragging) told = setTimeout(publish, 150);
  else publish(); // at once: another tab begins with what it says
  return work();
}

/** One request at a time, each for what is wanted by then: the latest click wins, however fast the clicks. */
async function work() {
  if (working) return;
  working = true;
  try {
    for (;;) {
      const emotion = missing(state.emotion) ? state.emotion : ahead;
      const gap = emotion && missing(emotion);
      if (!gap) return;
      const {model} = state;
      const error = await fetchFaces(...gap, emotion);
      if (error && emotion === state.emotion && model === state.model) return fail(error);
      if (error && emotion === ahead) ahead = null;
      paint();
    }
  } finally {
    working = false;
    readSoon();
  }
}

function fail(sentence) {
  failed.querySelector('p').textContent = sentence;
  failed.hidden = false;
  for (const part of $$('.said, .hits b')) part.textContent = '';
  $('.status').ariaBusy = 'false';
}

function say() {
  const all = seeds();
  const span = state.count > 1 ? `seeds ${all[0]} to ${all.at(-1)}` : `seed ${all[0]}`;
  const sentence = `${state.count} ${state.emotion} ${state.count > 1 ? 'faces' : 'face'} by ${title()}, ${span}`;
  if (said.textContent !== sentence) said.textContent = sentence; // a screen reader speaks at each change
}

// --- painting: whatever is here is shown at once, what is not keeps its place ---

function show(image, picture) {
  image.closest('button, .face-row').classList.toggle('waiting', !picture);
  if (!picture || image.getAttribute('src') === picture) return;
  image.src = picture;
  if (!matchMedia('(prefers-reduced-motion: reduce)').matches) {
    image.animate([{opacity: 0.35}, {opacity: 1}], {duration: 160, easing: 'ease-out'});
  }
}

function newCell() {
  const cell = document.createElement('button');
  cell.type = 'button';
  cell.className = 'cell';
  cell.tabIndex = -1;
  cell.innerHTML = '<img class="face" alt=""><span class="other" hidden><svg class="icon" aria-hidden="true"><use></use></svg></span><span class="seed"></span>';
  return cell;
}

function paint() {
  const all = seeds();
  while (sheet.children.length > all.length) sheet.lastChild.remove();
  while (sheet.children.length < all.length) sheet.append(newCell());
  all.forEach((seed, place) => {
    const cell = sheet.children[place];
    cell.dataset.seed = seed;
    cell.lastChild.textContent = seed;
    cell.setAttribute('aria-label', `Seed ${seed}, ${state.emotion}`);
    show(cell.firstChild, pictured(seed));
  });
  sheet.setAttribute('aria-label', `${state.count} ${state.emotion} faces`);
  if (!sheet.querySelector('[tabindex="0"]')) sheet.firstChild.tabIndex = 0;
  fit();
  if (dialog.open) paintDialog();
  if (!missing(state.emotion)) say();
  paintJudge();
}

function fit() {
  const style = getComputedStyle(stage);
  const [gap, label, smallest] = ['--gap', '--label', '--smallest'].map((name) => parseFloat(style.getPropertyValue(name)));
  const {columns, side} = fitGrid(state.count, stage.clientWidth - 2, stage.clientHeight - 2, {gap, label, smallest});
  sheet.style.setProperty('--columns', columns);
  sheet.style.setProperty('--side', `${Math.floor(side)}px`);
}

function paintControls() {
  element.firstElementChild.dataset.emotion = state.emotion;
  for (const radio of $$('input[type=radio]')) radio.checked = radio.value === state.emotion;
  for (const name of ['seed', 'count', 'model', 'variety']) {
    if (field[name].value !== String(state[name])) field[name].value = state[name];
  }
  field.count.nextElementSibling.textContent = state.count;
  field.variety.nextElementSibling.textContent = `${state.variety} %`;
  const {line, terms} = facts.models.find((model) => model.name === state.model);
  $('.model-line').textContent = line;
  $('.terms').replaceChildren(...terms.flat().map((text, place) => {
    const item = document.createElement(place % 2 ? 'dd' : 'dt');
    item.textContent = text;
    return item;
  }));
}
