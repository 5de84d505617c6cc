// What a person can do on the tab "Real or fake?", its stage, and its link: it goes on where quiz-summary.js ends. The
// stage is a modal dialog, as that of the tab Mix, whose looks it has: it covers the page and keeps its keys.

function openStage() {
  if (!show.open) show.showModal();
  paint();
  publish();
}

function paintStage() {
  if (!show.open) return;
  const answer = game.open ? null : game.answers.at(-1);
  const ways = facts.answers[game.mode].map((name, place) => [name, `${(SIGNS[name] ?? `${place + 1}`).split(' ')[0]} ${word(name)}`]);
  const asked = ways.map(([, words]) => words).join(' ');
  let line = game.faces.length ? asked : 'The faces are on their way.';
  if (answer) line = `${right(answer) ? 'Right.' : 'Wrong.'} ${told(answer)}`;
  if (isOver()) line = `${score()} of ${facts.rounds} right. Enter plays again.`;
  if (again) line = `${failed.querySelector('p').textContent} Enter tries again.`;
  show.className = `mix-show quiz-show ${answer && !isOver() && !again ? (right(answer) ? 'right' : 'wrong') : ''}`;
  const [said, points] = show.querySelectorAll('p > *');
  const buttons = () => ways.flatMap(([name, words]) => [make('button', {type: 'button', 'data-say': name}, words), ' ']).slice(0, -1);
  if (said.textContent !== line) said.replaceChildren(...(line === asked ? buttons() : [line]));
  markSaying(said);
  points.textContent = isOver() || !game.answers.length ? '' : `${score()} of ${game.answers.length}`;
}

/** On with whatever comes: Retry, the next face, another game. */
function goOn() {
  if (again) retry();
  else if (isOver()) playAgain();
  else next();
}

/** Another game: the button that began it is gone, so the focus goes to the question, which is read then. */
function playAgain() {
  begin();
  if (!show.open) $('.quiz-question').focus();
}

const actions = {
  'next': next,
  'again': playAgain,
  'begin': begin,
  'retry': retry,
  'compare': () => { compared = null; paintResult(); compare(dealing); },
  'count': summarise,
  'json': saveJson,
  'csv': saveCsv,
  'all': saveAll,
  'clear': clear,
  'stage': openStage,
  'leave': () => show.close(),
};

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
  const own = event.key === 'Enter' ? 'summary, [type=file]' : event.key.startsWith('Arrow') ? 'input' : null;
  if (own && event.target.closest?.(own)) return; // they have keys of their own
  if (event.key === 'Enter') {
    if (event.target.closest?.('button:not([aria-disabled=true])') || (game.open && !again)) return;
    event.preventDefault();
    return goOn();
  }
  const names = facts.answers[game.mode];
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const said = game.mode === 'real' ? names.find((name) => KEYS[name].includes(key)) : /^[1-9]$/.test(key) && names[key - 1];
  if (!said) return;
  event.preventDefault();
  say(said);
}

function listen() {
  element.addEventListener('click', ({target}) => {
    const button = target.closest('button');
    if (button?.dataset.say) say(button.dataset.say);
    else if (button) actions[button.dataset.do]?.(button);
  });
  element.addEventListener('change', ({target}) => {
    if (target.name === 'quiz-mode') { game.mode = target.value; begin(); publish(); }
    if (target.dataset.field === 'files') { add([...target.files]); target.value = ''; }
  });
  document.addEventListener('keydown', (event) => { if (shown() || show.open) press(event); });
  $('.quiz-summary').addEventListener('toggle', summarise);
  show.addEventListener('click', ({target}) => { if (!target.closest('button') && (again || !game.open)) goOn(); });
  show.addEventListener('close', () => {
    document.documentElement.classList.remove('on-stage');
    publish();
    $('[data-do=stage]').focus();
  });
  addEventListener('fergan-tab', publish); // the address bar is ours again when the tab is
}

// --- the address bar ---

const isOurs = () => new URLSearchParams(location.search).get('tab') === 'real-or-fake';

function publish() {
  if (isOurs()) writeLink({tab: 'real-or-fake', mode: modes.length > 1 ? game.mode : null, view: show.open ? 'stage' : null});
}

function start() {
  const query = new URLSearchParams(isOurs() ? location.search : '');
  if (modes.includes(query.get('mode'))) game.mode = query.get('mode');
  else if (query.has('mode')) notify(`This link asks for a quiz that is not here (${query.get('mode')}); another one is.`);
  listen();
  begin();
  if (query.get('view') === 'stage') openStage();
  publish();
}

if (modes.length) start();
else document.documentElement.classList.remove('on-stage');
