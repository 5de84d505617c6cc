// The tab Evolution: the faces of one model or two at a step of their training. The curves and what a person can do are
// in evolution-*.js, which run in the same function. `element`, `props` and `server` come from gr.HTML.
const {facts} = props;
const $ = (selector) => element.querySelector(selector);
const $$ = (selector) => [...element.querySelectorAll(selector)];
const SIDES = ['left', 'right'];
const BEAT = 400;  // ms that a step is shown while playing
const SPACE = 5;   // CSS pixels between two faces

const field = Object.fromEntries($$('[data-field]').map((input) => [input.dataset.field, input]));
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const state = {left: facts.first, right: '', seen: null}; // seen: images at the step shown; null is the last
const films = new Map();   // model -> its pages and history, once they came
const trouble = new Map(); // model -> why they do not come, until Retry

const model = (side) => facts.models.find(({name}) => name === state[side]);
const film = (side) => films.get(state[side]);
const sides = () => SIDES.filter((side) => state[side]);
const images = (count) => `${count.toLocaleString('en')} images seen`;

// --- films: read once, then scrubbed here ---

async function readFilm(name) {
  if (!name || films.has(name)) return;
  trouble.delete(name);
  const answer = await askServer(server.watch, name);
  if (answer.error) trouble.set(name, answer.error);
  else films.set(name, {...answer, images: await decoded(answer.pages)});
}

function decoded(pages) {
  return Promise.all(pages.map(async (page) => {
    const image = new Image();
    image.src = page;
    await image.decode();
    return image;
  }));
}

/** Shows the models as they are chosen, and reads what they lack. */
async function load() {
  paintChoice();
  paint();
  await Promise.all(sides().map((side) => readFilm(state[side])));
  steps = timeline();
  paintCharts();
  paint();
}

// --- steps: the images seen at all pages of both films; pages alone where a film does not tell them ---

let steps = [];

const timed = () => sides().every((side) => film(side)?.frames.length);

function timeline() {
  const here = sides().map(film).filter(Boolean);
  if (!here.length) return [];
  if (here.every(({frames}) => frames.length)) return [...new Set(here.flatMap(({frames}) => frames))].sort((a, b) => a - b);
  return Array.from({length: Math.max(...here.map(({pages}) => pages.length))}, (_, page) => page + 1);
}

/** The place in `steps` that is shown: the last one not past `state.seen`. */
function place() {
  if (state.seen === null) return Math.max(0, steps.length - 1);
  return Math.max(0, steps.findLastIndex((seen) => seen <= state.seen));
}

/** The page of a film at a place: the last one drawn by then, the first before there is any. */
function page({frames, pages}, at) {
  if (timed()) return Math.max(0, frames.findLastIndex((seen) => seen <= steps[at]));
  return Math.round(at / Math.max(1, steps.length - 1) * (pages.length - 1));
}

function go(at) {
  if (!steps.length) return;
  const kept = Math.min(Math.max(at, 0), steps.length - 1);
  state.seen = kept === steps.length - 1 ? null : steps[kept];
  paint();
}

// --- playing, to the end; with reduced motion it takes one step ---

let beating = 0;

function play() {
  if (beating) return pause();
  const at = place();
  const ended = at >= steps.length - 1;
  if (calm.matches) { go(ended ? 0 : at + 1); return publish(); }
  if (ended) go(0);
  beating = setInterval(() => {
    if (!shown()) return pause();
    go(place() + 1);
    if (state.seen === null) pause();
  }, BEAT);
  paintRun();
}

function pause() {
  clearInterval(beating);
  beating = 0;
  paintRun();
  publish();
}

// --- painting ---

function paint() {
  for (const side of sides()) paintFilm(side);
  paintRun();
  paintMarks();
}

function paintFilm(side) {
  const figure = $(`.evo-side[data-side=${side}]`);
  const {name, title} = model(side);
  const canvas = figure.querySelector('canvas');
  const found = film(side);
  figure.querySelector('.evo-film').classList.toggle('waiting', !found && !trouble.has(name));
  const failed = figure.querySelector('.failed');
  failed.hidden = !trouble.has(name);
  failed.firstElementChild.textContent = trouble.get(name) ?? '';
  figure.querySelector('.evo-title').textContent = title;
  figure.querySelector('.evo-seen').textContent = found && steps.length ? told(found) : '';
  canvas.setAttribute('aria-label', found ? `Faces by ${title}, ${told(found)}, synthetic` : `Faces by ${title} are on their way`);
  if (found && steps.length) drawPage(canvas, found, found.images[page(found, place())]);
}

/** How far a film is at the step shown, in words: its own page, which may be earlier. */
function told(found) {
  const at = page(found, place());
  const over = timed() && found.frames.at(-1) < steps[place()];
  return (found.frames.length ? images(found.frames[at]) : `page ${at + 1} of ${found.pages.length}`) + (over ? ', its last' : '');
}

/** A page as faces with round corners on the page's own ground; whole where it cannot be cut into faces. */
function drawPage(canvas, {size, gap, columns}, image) {
  const across = (image.naturalWidth + gap) / (size + gap);
  const down = (image.naturalHeight + gap) / (size + gap);
  const cut = Number.isInteger(across) && Number.isInteger(down) && across === columns.length;
  canvas.parentElement.style.aspectRatio = cut ? `${across} / ${down}` : `${image.naturalWidth} / ${image.naturalHeight}`;
  canvas.closest('figure').querySelector('.evo-heads').hidden = !cut || new Set(columns).size === 1;
  const scale = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.max(1, Math.round(side * scale)));
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const ink = canvas.getContext('2d');
  ink.clearRect(0, 0, width, height);
  ink.imageSmoothingQuality = 'high';
  if (!cut) return ink.drawImage(image, 0, 0, width, height);
  const space = SPACE * scale * Math.min(1, canvas.clientWidth / 420);
  const side = Math.min((width - space * (across - 1)) / across, (height - space * (down - 1)) / down);
  const stepX = (width - side) / Math.max(1, across - 1);
  const stepY = (height - side) / Math.max(1, down - 1);
  const corners = new Path2D();
  const all = Array.from({length: across * down}, (_, number) => [number % across, Math.floor(number / across)]);
  for (const [x, y] of all) corners.roundRect(x * stepX, y * stepY, side, side, side * 0.11);
  ink.save();
  ink.clip(corners);
  for (const [x, y] of all) ink.drawImage(image, x * (size + gap), y * (size + gap), size, size, x * stepX, y * stepY, side, side);
  ink.restore();
}

function paintRun() {
  const button = $('[data-do=play]');
  const word = beating ? 'Pause' : calm.matches ? 'Step' : 'Play';
  if (button.textContent.trim() !== word) {
    button.innerHTML = `<svg class="icon" aria-hidden="true"><use href="#icon-${word.toLowerCase()}"></use></svg>${word}`;
  }
  const at = place();
  const words = !steps.length ? '' : timed() ? images(steps[at]) : `page ${at + 1} of ${steps.length}`;
  field.place.disabled = steps.length < 2;
  field.place.max = Math.max(1, steps.length - 1);
  field.place.value = at;
  field.place.setAttribute('aria-valuetext', words);
  $('.evo-at').textContent = words;
}
