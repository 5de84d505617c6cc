// What a person can do on the tab Mix: it goes on where mix-stage.js ends.

const newSeed = () => Math.floor(Math.random() * 1e6); // six digits: short enough to say aloud

// --- changes ---

let chosen = [facts.first.emotion]; // emotions taken alone, the last one first

function choose(emotion) {
  chosen = [emotion, ...chosen.filter((name) => name !== emotion)];
  endTour();
  change({weights: pure(emotion)});
}

/** Half and half of the two strongest; where one stands alone, of it and the one chosen before. */
function half() {
  const all = shares(state.weights);
  const order = facts.emotions.filter((_, place) => all[place] > 0).sort((one, other) => all[facts.emotions.indexOf(other)] - all[facts.emotions.indexOf(one)]);
  const other = order[1] ?? [...chosen, 'surprise', 'happy'].find((name) => name !== order[0]);
  change({weights: {...none, [order[0]]: 50, [other]: 50}});
}

element.addEventListener('input', ({target}) => {
  if (target.dataset.weight) change({weights: {...state.weights, [target.dataset.weight]: Number(target.value)}}, {live: true});
  if (target === field.typical) change({typical: Number(target.value)}, {live: true});
  if (target === field.position) seek(Number(target.value));
  if (target === field.seconds) leaveFilm();
});

element.addEventListener('change', ({target}) => {
  if (target === field.model) change({model: target.value});
  if (target === field.seed || target === field.coarse) changeSeed(target);
  if (target === field.loop) leaveFilm();
  if (target === field.file && target.files.length) { restore(target.files[0]); target.value = ''; }
  if (target === field.pixels) { element.classList.toggle('pixels', target.checked); memory.set('pixels', target.checked); }
  if (target === field.shortcuts) memory.set('shortcuts', target.checked);
});

function changeSeed(input) {
  const name = input.dataset.field;
  if (name === 'coarse' && input.value === '' && input.validity.valid) return change({coarse: null});
  const seed = Number(input.value);
  if (input.value !== '' && Number.isInteger(seed) && seed >= 0 && seed <= facts.lastSeed) return change({[name]: seed});
  notify(`A seed is a whole number from 0 to ${facts.lastSeed}.`);
  input.value = state[name] ?? '';
}

const actions = {
  'retry': () => { settle(); return work(); }, // words and judge too, where the face has come meanwhile
  'half': half,
  'reset': () => change({weights: {...none}}),
  'new-seed': () => change({seed: newSeed()}),
  'new-coarse': () => change({coarse: newSeed()}),
  'no-coarse': () => change({coarse: null}),
  'copy-link': () => copyLink(publish),
  'stage': () => openStage(),
  'translate': translate,
  'leave': () => show.close(),
  'add-moment': addMoment,
  'play': play,
  'stop': () => busy?.(),
  'export': exportFilm,
  'forget': () => { past.length = 0; memory.set('mix.past', '[]'); paintPast(); },
};

element.addEventListener('click', ({target}) => {
  const button = target.closest('button');
  if (!button) return;
  const {dataset} = button;
  if (dataset.pure) choose(dataset.pure);
  else if (dataset.part) change({weights: small.part(Number(dataset.part)).weights}, {part: true});
  else if (dataset.moment || dataset.past) take(shownBy(button));
  else if (dataset.move) moveMoment(Number(dataset.place), Number(dataset.move));
  else if (dataset.remove) removeMoment(Number(dataset.remove));
  else if (dataset.save) save(button);
  else actions[dataset.do]?.(button);
});

/** All the settings of another face. */
function take({model, seed, weights, typical, coarse}) {
  return change({model, seed, weights: {...none, ...weights}, typical: typical ?? 0, coarse: coarse ?? null});
}

const fetchFile = (kind) => askServer(server.save, {model: state.model, moment: moment(), kind});

function save(button) {
  return saveAnswer(button, () => fetchFile(button.dataset.save));
}

/** Opens the tab Translate with this face. */
function translate(button) {
  const [[emotion]] = Object.entries(state.weights).sort(([, one], [, other]) => other - one);
  return takeAnswer(button, () => fetchFile('large'), (file) => handTo('translate', {file, emotion}));
}

// --- keys anywhere on the tab ---

document.addEventListener('keydown', (event) => {
  if (!shown() || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (!field.shortcuts.checked || event.repeat) return;
  const emotion = /^[1-9]$/.test(event.key) ? facts.emotions[event.key - 1] : null;
  if (emotion) choose(emotion);
  const act = {h: half, n: actions['new-seed'], m: show.open ? null : addMoment}[event.key.toLowerCase()];
  if (!act) return;
  endTour(); // it would hide the face that changes
  act();
});

// --- settings from a file, by drop or by button, and from the tab Generate ---

async function restore(file) {
  const answer = await settingsFrom(file);
  if (!answer) return;
  const found = answer.moments.map(settled);
  if (found.length > 1) moments.splice(0, moments.length, ...found);
  take({model: answer.model, ...found[0]});
  changeFilm();
  notify(`Restored. ${answer.said} ${answer.note}`.trim());
}

onDrop($('.dropping'), shown, ([file]) => restore(file));

/** A face of the tab Generate: {model, seed, emotion, variety}. */
function takeHanded() {
  const face = handed('mix');
  if (!face) return;
  chosen = [face.emotion, ...chosen];
  take({model: face.model, seed: face.seed, weights: pure(face.emotion), typical: 100 - face.variety});
}

// --- the address bar ---

const isOurs = () => new URLSearchParams(location.search).get('tab') === 'mix';

function publish() {
  if (!isOurs()) return;
  const weights = facts.emotions.map((name) => [name, Math.round(state.weights[name] * 1e4) / 1e6 || null]);
  const zero = weights.every(([, weight]) => weight === null);
  writeLink({
    tab: 'mix', model: state.model, seed: state.seed, ...Object.fromEntries(weights), ...(zero ? {neutral: 0} : {}),
    typical: state.typical || null, shape: canMix() ? state.coarse : null,
    view: show.open ? 'stage' : null, autoplay: show.open && touring ? 1 : null,
  });
}

/** Settings of the link that opened the page; what is wrong in it is left out, and told. */
function fromLink() {
  const query = new URLSearchParams(isOurs() ? location.search : '');
  const wrong = [];
  const take = (name, accept) => {
    if (!query.has(name)) return undefined;
    const value = accept(query.get(name));
    if (value === undefined) wrong.push(name);
    return value;
  };
  const oneOf = (all) => (text) => all.find((name) => name === text);
  const whole = (most) => (text) => (/^\d+$/.test(text) && text <= most ? Number(text) : undefined);
  const weight = (text) => (/^\d*\.?\d+$/.test(text) && text <= 1 ? Math.round(text * 1e6) / 1e4 : undefined);
  const weights = facts.emotions.filter((name) => query.has(name)).map((name) => [name, take(name, weight)]);
  const emotion = take('emotion', oneOf(facts.emotions)); // the tab Generate's, where one comes from there,
  const variety = take('variety', whole(100)); // and this
  const found = {
    model: take('model', oneOf(facts.models.map((model) => model.name))),
    seed: take('seed', whole(facts.lastSeed)),
    typical: take('typical', whole(100)) ?? (variety === undefined ? undefined : 100 - variety),
    coarse: take('shape', whole(facts.lastSeed)),
    weights: weights.length ? {...none, ...Object.fromEntries(weights.filter(([, value]) => value !== undefined))} : emotion && pure(emotion),
  };
  const named = Object.entries(found).filter(([, value]) => value !== undefined);
  // a link that names a face, and not how typical, was made of the face itself; Translate's settings name none
  if (window.ferganLink === 'mix' ? named.length : found.seed !== undefined) state.typical = 0;
  Object.assign(state, Object.fromEntries(named));
  base = {...state.weights};
  tellWrong(wrong, 'mix');
  return query;
}

// --- nothing was drawn before this tab was opened ---

field.model.replaceChildren(...facts.models.map(({name, title}) => new Option(title, name)));
field.seconds.value = 1.6;
field.pixels.checked = memory.get('pixels') === 'true';
field.shortcuts.checked = memory.get('shortcuts') !== 'false';
element.classList.toggle('pixels', field.pixels.checked);
if (facts.judge) {
  $('.judge-line').textContent = facts.judge;
  fillBars($('.mix-judge .bars'), null);
}
const query = fromLink();
paintMoments();
paintControls();
takeHanded();
work();
if (query.get('view') === 'stage') openStage(query.get('autoplay') === '1');
$('.mix-history').addEventListener('toggle', paintPast);
addEventListener('fergan-tab', () => {
  if (!isOurs()) return leaveFilm();
  takeHanded();
  publish(); // the address bar is ours again when the tab is
  settle();
});
