// What a person can do on the tab Generate: it goes on where generate-judge.js ends.

// --- one face, enlarged: with its neighbours, and the same person with the other emotions ---

function enlarge(seed) {
  state.face = seed;
  for (const cell of sheet.children) cell.tabIndex = Number(cell.dataset.seed) === seed ? 0 : -1;
  if (!dialog.open) dialog.showModal();
  paintDialog();
  publish();
  drawMoods();
}

function paintDialog() {
  const image = dialog.querySelector('.face-row .face');
  image.alt = `${state.emotion} face, seed ${state.face}, synthetic`;
  show(image, pictured(state.face));
  $('#enlarged-title').textContent = `Seed ${state.face}, ${state.emotion}, by ${title()}`;
  for (const mood of $$('.mood')) {
    mood.setAttribute('aria-pressed', mood.dataset.mood === state.emotion);
    show(mood.firstElementChild, pictured(state.face, mood.dataset.mood));
  }
  paintJudge();
}

async function drawMoods() {
  const {face} = state;
  let error = null;
  for (const emotion of facts.emotions) {
    if (error || state.face !== face || !dialog.open) break;
    if (!faces.has(key(face, emotion))) error = await fetchFaces(face, 1, emotion);
    if (dialog.open) paintDialog();
  }
  $('.failed-face').textContent = error ?? '';
  $('.failed-face').hidden = !error;
  readSoon();
}

function step(by) {
  const all = seeds();
  enlarge(all[(all.indexOf(state.face) + by + all.length) % all.length]);
}

dialog.addEventListener('close', () => {
  if (dialog.open) return; // a dropped file's face has opened it anew before this was told
  state.face = null;
  publish();
  sheet.querySelector('[tabindex="0"]')?.focus();
});
dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });

// --- changes ---

function change(changes, how) {
  Object.assign(state, changes);
  draw(how);
  if (dialog.open) drawMoods();
}

const newSeed = () => change({seed: Math.floor(Math.random() * 1e6)}); // six digits: short enough to say aloud

element.addEventListener('change', ({target}) => {
  if (target.type === 'radio') change({emotion: target.value});
  if (target === field.model) change({model: target.value});
  if (target === field.seed) {
    const seed = Number(target.value);
    if (target.value !== '' && Number.isInteger(seed) && seed >= 0 && seed <= facts.lastSeed) return change({seed});
    notify(`A seed is a whole number from 0 to ${facts.lastSeed}.`);
    target.value = state.seed;
  }
  if (target === field.file && target.files.length) { restore(target.files[0]); target.value = ''; }
  if (target === field.pixels) { element.classList.toggle('pixels', target.checked); memory.set('pixels', target.checked); }
  if (target === field.shortcuts) memory.set('shortcuts', target.checked);
  if (target === field.judge) { memory.set('judge', target.checked); paintJudge(); readSoon(); }
});
element.addEventListener('input', ({target}) => {
  if (target === field.count || target === field.variety) change({[target.dataset.field]: Number(target.value)}, {dragging: true});
});

let hovering;
element.addEventListener('pointerover', ({target}) => {
  clearTimeout(hovering);
  ahead = null;
  const emotion = target.closest('.chip')?.dataset.emotion;
  if (emotion) hovering = setTimeout(() => { ahead = emotion; if (failed.hidden) work(); }, 40);
});

const actions = {
  'retry': draw,
  'new-seed': newSeed,
  'copy-link': () => copyLink(publish),
  'use-seed': () => { const seed = state.face; dialog.close(); change({seed}); sheet.scrollTop = 0; },
  'mix': mix,
  'translate': translate,
  'close': () => dialog.close(),
  'previous': () => step(-1),
  'next': () => step(1),
};

element.addEventListener('click', ({target}) => {
  const button = target.closest('button');
  if (!button) return;
  if (button.dataset.seed) enlarge(Number(button.dataset.seed));
  else if (button.dataset.mood) change({emotion: button.dataset.mood});
  else if (button.dataset.save) save(button);
  else actions[button.dataset.do]?.(button);
});

/** Opens the tab Mix with the enlarged face. */
function mix() {
  const {model, emotion, face, variety} = state;
  dialog.close();
  handTo('mix', {model, emotion, seed: face, variety});
}

/** Opens the tab Translate with the enlarged face. */
function translate(button) {
  const {emotion} = state;
  return takeAnswer(button, () => askServer(server.save, asked({kind: 'large', face: state.face})), (file) => {
    dialog.close();
    handTo('translate', {file, emotion});
  });
}

function save(button) {
  return saveAnswer(button, () => askServer(server.save, asked({kind: button.dataset.save, face: state.face})));
}

// --- keys: 1 to 7 and N anywhere on the tab, arrows among the faces and in the dialog ---

document.addEventListener('keydown', (event) => {
  if (!shown() || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const arrow = {ArrowLeft: -1, ArrowRight: 1}[event.key];
  if (dialog.open && arrow) { event.preventDefault(); return step(arrow); }
  if (!field.shortcuts.checked) return;
  const emotion = /^[1-9]$/.test(event.key) ? facts.emotions[event.key - 1] : null;
  if (emotion) change({emotion});
  if (event.key.toLowerCase() === 'n' && !dialog.open && !event.repeat) newSeed();
});

sheet.addEventListener('keydown', (event) => {
  const cells = [...sheet.children];
  const here = cells.indexOf(event.target.closest('.cell'));
  const columns = Number(sheet.style.getPropertyValue('--columns'));
  const there = {ArrowLeft: here - 1, ArrowRight: here + 1, ArrowUp: here - columns, ArrowDown: here + columns, Home: 0, End: cells.length - 1}[event.key];
  if (there === undefined) return;
  event.preventDefault();
  if (!cells[there]) return;
  cells[here].tabIndex = -1;
  cells[there].tabIndex = 0;
  cells[there].focus();
});

// --- settings from a picture, by drop or by file button ---

async function restore(file) {
  const answer = await settingsFrom(file);
  if (!answer) return;
  const {model, emotion, seed, count, truncation, face, said: sentence, note} = answer;
  if (dialog.open) dialog.close();
  change({model, emotion, seed, count, variety: Math.round(truncation * 100)});
  if (face !== null && shown()) enlarge(face); // a dialog of a hidden tab would block the page unseen
  notify(`Restored. ${sentence} ${note}`.trim());
}

onDrop($('.dropping'), shown, ([file]) => restore(file));

// --- the address bar ---

/** Whether the address is this tab's: it names this tab, no tab, or one that does not exist. */
function isOurs() {
  const tab = new URLSearchParams(location.search).get('tab');
  return tab === null || tab === 'generate' || !document.getElementById(`${tab}-button`);
}

function publish() {
  if (!isOurs()) return;
  writeLink({
    tab: 'generate', model: state.model, emotion: state.emotion, seed: state.seed, count: state.count,
    variety: state.variety === 100 ? null : state.variety, face: state.face,
  });
}

/** Settings of the link that opened the page; what is wrong in it is left out, and told. */
function fromLink() {
  const query = new URLSearchParams(isOurs() ? location.search : '');
  const found = {};
  const wrong = [];
  const take = (name, accept) => {
    if (!query.has(name)) return;
    const value = accept(query.get(name));
    if (value === undefined) wrong.push(name);
    else found[name] = value;
  };
  const oneOf = (all) => (text) => all.find((name) => name === text);
  const whole = (least, most) => (text) => /^\d+$/.test(text) && text >= least && text <= most ? Number(text) : undefined;
  take('model', oneOf(facts.models.map((model) => model.name)));
  take('emotion', oneOf(facts.emotions));
  take('seed', whole(0, facts.lastSeed));
  take('count', whole(1, facts.most));
  take('variety', whole(0, 100));
  if (Object.keys(found).length || query.has('face')) found.variety ??= 100; // a link that names a face, and no variety, was made at all of it
  Object.assign(state, found);
  take('face', whole(0, facts.lastSeed));
  if ('face' in found && !seeds().includes(found.face)) wrong.push('face');
  tellWrong(wrong, window.ferganLink); // it has read the link, so that is its own, or no tab's
  return wrong.includes('face') ? null : found.face ?? null;
}

// --- the first sheet came with the page ---

field.model.replaceChildren(...facts.models.map(({name, title}) => new Option(title, name)));
field.pixels.checked = memory.get('pixels') === 'true';
field.shortcuts.checked = memory.get('shortcuts') !== 'false';
if (facts.judge) {
  field.judge.checked = memory.get('judge') !== 'false';
  $('.judge-line').textContent = $('.verdict p').title = facts.judge;
}
element.classList.toggle('pixels', field.pixels.checked);
facts.faces.forEach((face, place) => remember(wrapped(state.seed + place), state.emotion, face));
const enlarged = fromLink();
draw().then(() => { if (enlarged !== null && shown()) enlarge(enlarged); }); // unless another tab was opened meanwhile
new ResizeObserver(fit).observe(stage);
addEventListener('fergan-tab', publish); // the address bar is ours again when the tab is
