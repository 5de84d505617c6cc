// The tab "Real or fake?": a game of ten faces, one at a time. What came of it, the summary, and what a person can do
// are in quiz-*.js, which run in the same function. `element`, `props` and `server` come from gr.HTML.
const {facts} = props;
const $ = (selector) => element.querySelector(selector);
const $$ = (selector) => [...element.querySelectorAll(selector)];
const WORDS = {real: 'Real', fake: 'Fake'};
const KEYS = {real: ['ArrowLeft', 'r'], fake: ['ArrowRight', 'f']};
const SIGNS = {real: '\u2190 R', fake: '\u2192 F'};
const ALL_DRAWN = 'All of these are drawn: this page may show no photos. The tab Models shows how each network draws.';

const [box, failed, verdict, show] = ['.quiz-face', '.failed', '.quiz-said', '.quiz-show'].map($);
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const modes = Object.keys(facts.answers);
const game = {
  mode: modes[0], session: '', began: '', faces: [], tickets: [],
  answers: [],  // of each round that was answered: what was said, and what it was
  shownAt: 0,   // when the face of this round came on screen
  open: true,   // whether this round waits for an answer
};
let dealing = 0;     // the number of the last deal that was asked for: an older one is not played
let again = null;    // what Retry does
let saying = null;   // the answer that is on its way

const title = (name) => facts.models[name] ?? name;
const word = (answer) => WORDS[answer] ?? title(answer);
const number = () => game.answers.length - (game.open ? 0 : 1); // of the round on screen, from 0
const isOver = () => game.answers.length === facts.rounds && game.done;
const right = (answer) => answer.said === answer.truth;
const score = () => game.answers.filter(right).length;

// --- a game: its ten faces come at once, so that no face is told by how long it takes ---

async function begin() {
  const own = ++dealing;
  Object.assign(game, {faces: [], tickets: [], answers: [], open: true, done: false});
  again = saying = null;
  paint();
  const answer = await askServer(server.deal, game.mode);
  if (own !== dealing) return;
  if (answer.error) return fail(answer.error, begin);
  Object.assign(game, {
    faces: answer.faces, tickets: answer.tickets, session: answer.tickets[0].split('.')[1], began: new Date().toISOString(),
    shownAt: performance.now(),
  });
  paint();
}

/** Says what the face on screen is; the server tells what it was. */
async function say(said) {
  if (!game.open || saying || !game.faces.length || again) return;
  saying = said;
  const [own, place] = [dealing, number()];
  const milliseconds = Math.round(performance.now() - game.shownAt);
  const time = new Date().toISOString();
  paintAsking();
  paintStage();
  const answer = await askServer(server.reveal, {tickets: [game.tickets[place]], said}, 20);
  if (own !== dealing) return;
  saying = null;
  if (answer.error) return fail(answer.error, answer.lost ? () => say(said) : begin);
  again = null;
  game.answers.push({round: place + 1, time, milliseconds, said, ...answer, machines: {}});
  game.open = false;
  paint();
  if (!show.open) $('[data-do=next]').focus({preventScroll: true});
}

function next() {
  if (game.open || !game.faces.length) return;
  if (game.answers.length === facts.rounds) {
    game.done = true;
    finish();
  } else {
    game.open = true;
    game.shownAt = performance.now();
  }
  paint();
  (isOver() ? $('#quiz-result-title') : $('.quiz-question')).focus({preventScroll: !isOver()});
}

function fail(sentence, retry) {
  again = retry;
  paint();
  failed.querySelector('p').textContent = sentence;
}

function retry() {
  const wish = again;
  again = null;
  paint();
  wish?.();
}

// --- painting ---

function paint() {
  const root = element.firstElementChild;
  root.dataset.stage = isOver() ? 'over' : game.open ? 'asking' : 'told';
  $('.quiz-look').hidden = isOver();
  $('.quiz-result').hidden = !isOver();
  failed.hidden = !again;
  paintFace();
  paintPips();
  paintAsking();
  paintVerdict();
  paintStage();
}

function paintFace() {
  const source = game.faces[number()];
  box.classList.toggle('waiting', !source && !again);
  const words = game.open ? 'A face' : told(game.answers.at(-1));
  for (const image of [box.firstElementChild, show.querySelector('img')]) {
    image.alt = source ? words : '';
    if (!source) { image.removeAttribute('src'); continue; }
    if (image.getAttribute('src') === source) continue;
    image.src = source;
    if (!calm.matches) image.animate([{opacity: 0.35}, {opacity: 1}], {duration: 160, easing: 'ease-out'});
  }
}

function paintPips() {
  $$('.quiz-pips li').forEach((pip, place) => {
    const answer = game.answers[place];
    pip.className = answer ? (right(answer) ? 'right' : 'wrong') : place === number() && !isOver() ? 'now' : '';
  });
}

function paintAsking() {
  const asked = game.mode === 'real' ? 'Is this face real or fake?' : 'Which network drew this face?';
  const at = `Round ${Math.min(number() + 1, facts.rounds)} of ${facts.rounds}`;
  const names = facts.answers[game.mode];
  write('.quiz-round', `${at}, ${score()} right so far`);
  write('.quiz-question', asked);
  const group = $('.quiz-answers');
  if (group.dataset.mode !== game.mode) {
    group.dataset.mode = game.mode;
    group.replaceChildren(...names.map((name, place) => make('button', {type: 'button', class: 'button quiz-answer', 'data-say': name},
      make('span', {}, word(name)), make('kbd', {}, SIGNS[name] ?? `${place + 1}`))));
  }
  for (const button of group.children) {
    const answer = game.open ? null : game.answers.at(-1);
    button.setAttribute('aria-disabled', String(!game.open || !game.faces.length || Boolean(saying)));
    button.classList.toggle('said', answer?.said === button.dataset.say);
    button.classList.toggle('truth', answer?.truth === button.dataset.say);
  }
  group.setAttribute('aria-disabled', String(Boolean(saying)));
  markSaying(group);
  for (const radio of $$('.quiz-mode input')) radio.checked = radio.value === game.mode;
  write('.quiz-hint', game.mode === 'real'
    ? 'About half are photos of real people from FER2013; networks drew the others. Click, or press R and F.'
    : `${modes.includes('real') ? 'A network drew each of them.' : ALL_DRAWN} Click, or press 1 to ${names.length}.`);
}

/** Shows at once which answer was given: no other one is heard until the server says what the face was. */
function markSaying(group) {
  for (const button of group.querySelectorAll('[data-say]')) {
    button.classList.toggle('saying', button.dataset.say === saying);
    button.ariaBusy = String(button.dataset.say === saying);
  }
}

function paintVerdict() {
  const answer = game.open ? null : game.answers.at(-1);
  const over = isOver();
  $('.quiz-ask').hidden = $('.quiz-verdict').hidden = over;
  $('[data-do=next]').hidden = !answer;
  $('[data-do=next]').firstChild.textContent = game.answers.length === facts.rounds ? 'See the score ' : 'Next ';
  verdict.className = `quiz-said ${answer ? (right(answer) ? 'right' : 'wrong') : ''}`;
  const words = answer ? `${right(answer) ? 'Right.' : 'Wrong.'} ${told(answer)}` : '';
  if (verdict.textContent !== words) {
    verdict.replaceChildren(...(answer ? [icon(right(answer) ? 'better' : 'close'), make('span', {},
      make('b', {}, right(answer) ? 'Right.' : 'Wrong.'), ` ${told(answer)}`)] : []));
  }
}

/** What a face was, in words. */
function told({model, emotion, seed}) {
  if (!model) return `A photo of a real person, labelled ${emotion}.`;
  return `${title(model)} drew it: ${emotion}, seed ${seed}.`;
}

/** Text where it is another one: a screen reader speaks at each change. */
function write(selector, text) {
  if ($(selector).textContent !== text) $(selector).textContent = text;
}
