// The tab Models: two models, the faces that both draw from the same seeds. Their numbers are in gallery-tables.js,
// which runs in the same function. `element`, `props` and `server` come from gr.HTML, the helpers from fergan.js.
const {facts} = props;
const $ = (selector) => element.querySelector(selector);
const $$ = (selector) => [...element.querySelectorAll(selector)];
const SIDES = ['left', 'right'];
const REMEMBERED = 2048; // faces kept in the browser, about 2 kB each

const dialog = $('.learning');
const field = Object.fromEntries($$('[data-field]').map((input) => [input.dataset.field, input]));
const state = {...facts.first};
const faces = new Map();
const films = new Map();   // model -> the animation of its training, once somebody asked for it
const trouble = new Map(); // model -> why its faces do not come; until Retry, or other settings

const card = (side) => facts.cards.find(({name}) => name === state[side]);
const draws = (side) => card(side).kind === 'generator';
const wrapped = (seed) => ((seed % (facts.lastSeed + 1)) + facts.lastSeed + 1) % (facts.lastSeed + 1);
const seeds = () => Array.from({length: facts.people}, (_, step) => wrapped(state.seed + step));
const key = (model, emotion, seed) => `${seed} ${emotion} ${model}`;

// --- faces: one model, one emotion, one seed -> one picture, kept once drawn ---

/** The next row that is missing, from the top down, side by side: null where all is drawn or cannot be. */
function missing() {
  for (const emotion of facts.emotions) {
    for (const side of SIDES) {
      const model = state[side];
      if (!draws(side) || trouble.has(model)) continue;
      if (seeds().some((seed) => !faces.has(key(model, emotion, seed)))) return {model, emotion, seed: state.seed};
    }
  }
  return null;
}

let working = false;

/** One request at a time, each a row of one side, for what is wanted by then. */
async function work() {
  if (working) return;
  working = true;
  try {
    for (let row = missing(); row; row = missing()) {
      const answer = await askServer(server.draw, {...row, count: facts.people, truncation: 1});
      if (answer.error) trouble.set(row.model, answer.error);
      else answer.faces.forEach((face, step) => remember(key(row.model, row.emotion, wrapped(row.seed + step)), face));
      paintFaces();
    }
  } finally {
    working = false;
  }
}

function remember(name, face) {
  if (faces.size >= REMEMBERED) faces.delete(faces.keys().next().value);
  faces.set(name, face);
}

/** Shows the settings as they are now, and draws what they lack. */
function draw() {
  trouble.clear();
  for (const name of [...SIDES, 'seed']) {
    if (field[name].value !== String(state[name])) field[name].value = state[name];
  }
  for (const side of SIDES) {
    const {sentence, evolution} = card(side);
    $(`.head[data-side=${side}] .sentence`).textContent = sentence;
    $(`[data-do=learn][data-side=${side}]`).hidden = !evolution;
  }
  paintTables();
  paintFaces();
  publish();
  return work();
}

// --- painting: whatever is here is shown at once, what is not keeps its place ---

function paintFaces() {
  for (const side of SIDES) {
    const {name, title, kind} = card(side);
    for (const four of $$(`.four[data-side=${side}]`)) {
      [...four.querySelectorAll('img')].forEach((image, step) => {
        const [emotion, seed] = [four.dataset.emotion, seeds()[step]];
        image.alt = `${emotion} face by ${title}, seed ${seed}, synthetic`;
        image.title = `seed ${seed}`;
        show(image, faces.get(key(name, emotion, seed)));
      });
    }
    instead(side, draws(side) ? trouble.get(name) : `${title} ${kind === 'classifier' ? 'reads faces and draws none' : 'changes faces and draws none from a seed'}.`);
  }
  say();
}

function show(image, face) {
  image.parentElement.classList.toggle('waiting', !face);
  if (!face || image.getAttribute('src') === face) return;
  image.src = face;
  if (!matchMedia('(prefers-reduced-motion: reduce)').matches) {
    image.animate([{opacity: 0.35}, {opacity: 1}], {duration: 160, easing: 'ease-out'});
  }
}

/** A sentence where one side's faces would be, with a Retry where that can help. */
function instead(side, sentence = '') {
  const box = $(`.instead[data-side=${side}]`);
  box.hidden = !sentence;
  box.lastElementChild.hidden = !draws(side);
  box.setAttribute('role', draws(side) ? 'alert' : 'note'); // that a classifier draws nothing is no failure
  if (box.firstElementChild.textContent !== sentence) box.firstElementChild.textContent = sentence;
  for (const four of $$(`.four[data-side=${side}]`)) four.classList.toggle('away', Boolean(sentence));
}

function say() {
  const all = seeds();
  const by = [...new Set(SIDES.filter(draws).map((side) => card(side).title))].join(' and ');
  const done = !missing() && trouble.size === 0;
  const sentence = by && done ? `Seeds ${all[0]} to ${all.at(-1)} by ${by}` : '';
  if ($('.told').textContent !== sentence) $('.told').textContent = sentence; // a screen reader speaks at each change
}
