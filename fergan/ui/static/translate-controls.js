// What a person can do on the tab Translate: it goes on where translate-film.js ends.

function paintControls() {
  root.dataset.emotion = state.emotion;
  const {title, untaught} = translator();
  for (const radio of $$('.tr-mood input')) {
    radio.checked = radio.value === state.emotion;
    const unknown = untaught.includes(radio.value);
    radio.parentElement.classList.toggle('untaught', unknown);
    radio.ariaDescription = unknown ? `${title} was never taught it` : null;
  }
  for (const name of ['intensity', 'model', 'second', 'share']) {
    if (field[name].value !== String(state[name])) field[name].value = state[name];
  }
  field.intensity.parentElement.querySelector('.number').textContent = `${state.intensity} %`;
  field.intensity.setAttribute('aria-valuetext', `${state.intensity} %`);
  $('.tr-second .number').textContent = `${state.share} %`;
  $('.tr-second').dataset.emotion = state.second;
  $('.model-line').textContent = facts.lines[state.model];
  field.seconds.nextElementSibling.textContent = `${Number(field.seconds.value).toFixed(1)} s`;
}

element.addEventListener('input', ({target}) => {
  if (target === field.intensity || target === field.share) change({[target.dataset.field]: Number(target.value)}, {live: true});
  if (target === field.seconds) paintControls();
});

element.addEventListener('change', ({target}) => {
  if (target.type === 'radio') change({emotion: target.value});
  if (target === field.model || target === field.second) change({[target.dataset.field]: target.value});
  if (target === field.start) change({});
  if (target === field.adjust) paintAdjust();
  if (target === field.shortcuts) memory.set('shortcuts', target.checked);
  if (target === field.file && target.files.length) { take(target.files[0]); target.value = ''; }
});

const actions = {
  'retry': () => (state.photo.looked ? change({}) : take(state.photo.file, state.photo)),
  'by-hand': () => (state.photo ? byHand() : notify('Choose a photo first.')),
  'as-found': () => change({faces: state.found}),
  'camera': () => (camera.stream ? stopCamera() : startCamera()),
  'snapshot': snapshot,
  'save': save,
  'copy-link': () => copyLink(publish, 'Link copied: it brings these settings, not the photo.'),
  'play': play,
  'export': exportFilm,
  'stop': () => busy?.(),
};

element.addEventListener('click', ({target}) => {
  const button = target.closest('button');
  if (!button) return;
  const {dataset} = button;
  if (dataset.face) choose(Number(dataset.face));
  else if (dataset.who) choose(dataset.who === 'null' ? null : Number(dataset.who));
  else if (dataset.nudge) step(dataset.nudge);
  else if (dataset.example) tryExample(button);
  else actions[dataset.do]?.(button);
});

/** One face of the photo, or with null all of them. */
function choose(face) {
  if (face !== state.face) change({face});
}

function save(button) {
  if (lacking()) return notify(lacking());
  return saveAnswer(button, async () => {
    const fields = {...wish(), ...await original()};
    return askServer(server.save, fields, 60 + fields.photo.length / 2e4); // the upload counts: a slow line takes 20 kB a second
  });
}

document.addEventListener('keydown', (event) => {
  if (!shown() || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const emotion = field.shortcuts.checked && /^[1-7]$/.test(event.key) ? facts.emotions[event.key - 1] : null;
  if (emotion) change({emotion});
});

// --- the address bar: settings alone, nothing of a photo ---

const isOurs = () => new URLSearchParams(location.search).get('tab') === 'translate';

function publish() {
  if (!isOurs()) return;
  const {emotion, intensity, second, share, model} = state;
  const mixed = share && second !== emotion;
  writeLink({tab: 'translate', model, emotion, intensity, with: mixed ? second : null, share: mixed ? share : null});
}

/** Settings of the link that opened the page; what is wrong in it is left out, and told. */
function fromLink() {
  const query = new URLSearchParams(isOurs() ? location.search : '');
  const wrong = [];
  const oneOf = (all) => (text) => (all.includes(text) ? text : undefined);
  const whole = (most) => (text) => (/^\d+$/.test(text) && text <= most ? Number(text) : undefined);
  const known = {
    model: ['model', oneOf(facts.models.map(({name}) => name))], emotion: ['emotion', oneOf(facts.emotions)],
    intensity: ['intensity', whole(facts.strongest)], with: ['second', oneOf(facts.emotions)], share: ['share', whole(100)],
  };
  for (const [name, [setting, accept]] of Object.entries(known)) {
    if (!query.has(name)) continue;
    const value = accept(query.get(name));
    if (value === undefined) wrong.push(name);
    else state[setting] = value;
  }
  tellWrong(wrong, 'translate');
}

// --- the tab as it opens ---

field.model.replaceChildren(...facts.models.map(({name, title}) => new Option(title, name)));
field.second.replaceChildren(...facts.emotions.map((name) => new Option(name, name)));
$('.tr-model').hidden = facts.models.length < 2;
field.seconds.value = 1;
field.shortcuts.checked = memory.get('shortcuts') !== 'false';
if (facts.judge) {
  $('.judge-line').textContent = facts.judge;
  for (const bars of $$('.tr-judge .bars')) fillBars(bars, null);
}
fromLink();
paintControls();
paintPlay();
paintAdjust();
showExamples();
takeHanded();
publish();
new ResizeObserver(fit).observe(stage);
addEventListener('fergan-tab', () => {
  if (isOurs()) { // the address bar is ours again when the tab is
    takeHanded();
    return publish();
  }
  stopCamera();
  stopDrawing();
  if (playing) leaveFilm(); // else a frame of it would stay
});
