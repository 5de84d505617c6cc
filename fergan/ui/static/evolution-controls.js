// What a person can do on the tab Evolution: it goes on where evolution-curves.js ends.

function paintChoice() {
  const two = sides().length > 1;
  element.firstElementChild.classList.toggle('two', two);
  for (const side of SIDES) {
    field[side].value = state[side];
    const here = Boolean(state[side]);
    $(`.evo-side[data-side=${side}]`).hidden = !here;
    $(`.evo-side[data-side=${side}] .badge`).hidden = !two;
    const save = $(`[data-do=save][data-side=${side}]`);
    save.hidden = !here;
    save.lastElementChild.textContent = two ? `GIF of ${side === 'left' ? 'A' : 'B'}` : 'Save GIF';
    const sentence = $(`.evo-sentence[data-side=${side}]`);
    sentence.hidden = !here;
    sentence.textContent = here ? model(side).sentence : '';
  }
  for (const side of sides()) paintHeads(side);
}

/** What stands above the columns: an emotion's icon and word, or that the face is as it was drawn. */
function paintHeads(side) {
  const names = film(side)?.columns ?? facts.emotions;
  const heads = $(`.evo-side[data-side=${side}] .evo-heads`);
  heads.style.setProperty('--columns', names.length);
  heads.replaceChildren(...names.map((name) => {
    const head = put('span', {'data-emotion': name, title: name});
    if (facts.emotions.includes(name)) {
      const icon = put('svg:svg', {class: 'icon'});
      icon.append(put('svg:use', {href: `#icon-${name}`}));
      head.append(icon);
    }
    head.append(put('b', {}, name));
    return head;
  }));
}

function choose(changes) {
  Object.assign(state, changes);
  if (state.right === state.left) state.right = ''; // beside itself there is nothing to compare
  publish();
  return load().then(() => { for (const side of sides()) paintHeads(side); paint(); });
}

function save(button) {
  return saveAnswer(button, () => askServer(server.save, state[button.dataset.side]));
}

function step(by) {
  if (beating) pause();
  go(place() + by);
  publish();
}

const actions = {
  'back': () => step(-1),
  'on': () => step(1),
  'play': play,
  'save': save,
  'retry': () => choose({}),
  'copy-link': () => copyLink(publish),
};

function listen() {
  element.addEventListener('click', ({target}) => {
    const button = target.closest('button');
    if (!button) return;
    if (button.dataset.seen && timed()) {
      if (beating) pause();
      go(steps.findLastIndex((seen) => seen <= Number(button.dataset.seen)));
      publish();
    }
    actions[button.dataset.do]?.(button);
  });
  element.addEventListener('change', ({target}) => {
    if (target === field.left || target === field.right) choose({[target.dataset.field]: target.value});
    if (target === field.place) publish();
  });
  element.addEventListener('input', ({target}) => {
    if (target !== field.place) return;
    if (beating) pause();
    go(Number(target.value));
  });
  document.addEventListener('keydown', (event) => {
    if (!shown() || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (event.target === field.place) return; // it has keys of its own
    const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (by) { event.preventDefault(); step(by); }
    if (event.key === ' ' && !event.target.closest?.('button')) { event.preventDefault(); play(); }
  });
  const look = new ResizeObserver(() => { if (shown()) for (const side of sides()) paintFilm(side); });
  for (const canvas of $$('.evo-film canvas')) look.observe(canvas);
  addEventListener('fergan-tab', () => {
    if (!isOurs()) { if (beating) pause(); return; }
    publish(); // the address bar is ours again when the tab is
    paint();
  });
}

// --- the address bar ---

const isOurs = () => new URLSearchParams(location.search).get('tab') === 'evolution';

function publish() {
  if (isOurs()) writeLink({tab: 'evolution', model: state.left, beside: state.right || null, seen: state.seen});
}

function fromLink() {
  const query = new URLSearchParams(isOurs() ? location.search : '');
  const wrong = [];
  for (const [name, side] of [['model', 'left'], ['beside', 'right']]) {
    if (facts.models.some((one) => one.name === query.get(name))) state[side] = query.get(name);
    else if (query.has(name)) wrong.push(name);
  }
  if (state.right === state.left) state.right = '';
  if (/^\d+$/.test(query.get('seen') ?? '')) state.seen = Number(query.get('seen'));
  else if (query.has('seen')) wrong.push('seen');
  tellWrong(wrong, 'evolution');
}

if (facts.models.length) {
  const options = () => facts.models.map(({name, title}) => new Option(title, name));
  field.left.replaceChildren(...options());
  field.right.replaceChildren(new Option('Nothing', ''), ...options());
  field.right.disabled = facts.models.length < 2;
  fromLink();
  listen();
  choose({});
}
