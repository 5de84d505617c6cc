// All sessions of this browser, and those of files that were added: how often people are wrong, with the interval in
// which their rate lies. It goes on where quiz-results.js ends. The server counts, and keeps nothing.

const KEPT = 500; // sessions that this browser keeps

const added = new Map(); // sessions of files, by their number, until the page closes
let counting = 0;

function kept() {
  try {
    const found = JSON.parse(memory.get('quiz') ?? '[]');
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

/** Keeps a session, in the place of the same one of before. */
function keep(session) {
  const others = kept().filter((one) => one.session !== session.session);
  memory.set('quiz', JSON.stringify([...others, session].slice(-KEPT)));
  summarise();
}

/** Counts all sessions anew, where somebody looks. */
async function summarise() {
  if (!$('.quiz-summary').open) return;
  const own = ++counting;
  const all = [...kept(), ...added.values()];
  if (!all.length) return $('.quiz-all').replaceChildren(make('p', {class: 'hint'}, 'Nothing yet: a game counts when it is played to its end.'));
  const answer = await askServer(server.count, all);
  if (own !== counting) return;
  if (answer.error) {
    return $('.quiz-all').replaceChildren(make('p', {class: 'hint', role: 'alert'}, answer.error, ' ', make('button', {type: 'button', 'data-do': 'count'}, 'Retry')));
  }
  $('.quiz-all').replaceChildren(...Object.entries(answer.modes).map(([mode, found]) => make('section', {class: 'quiz-table'},
    make('h3', {}, `${mode === 'real' ? 'Real or fake?' : 'Which network?'} ${found.sessions} ${found.sessions === 1 ? 'game' : 'games'}`), table(found, erring))));
}

const percent = (share) => Math.round(100 * share);

/** Of many games: how often the answer was wrong; of people with the interval, as words and as a band. */
function erring({n, errors, rate, low, high}, place) {
  const words = `${errors} of ${n} wrong; 95 % interval ${percent(low)} to ${percent(high)} %, as if all answers were independent`;
  if (place) return make('td', {title: words}, `${percent(rate)} %`);
  const band = make('i', {class: 'quiz-band', 'aria-hidden': 'true'});
  band.style.setProperty('--low', low);
  band.style.setProperty('--high', high);
  band.style.setProperty('--rate', rate);
  return make('td', {title: words}, `${percent(rate)} % `, make('small', {}, `${percent(low)} to ${percent(high)}`), band);
}
erring.caption = 'Wrong answers; small: where the rate lies with 95 % confidence (Wilson 1927)';
erring.head = (head) => (head === 'You' ? 'People' : head);

/** Adds the sessions of downloaded files; the server checks what they say. */
async function add(files) {
  const sessions = [];
  for (const file of files) {
    try {
      sessions.push(...[JSON.parse(await file.text())].flat());
    } catch {
      return notify(`${file.name} is no JSON file of this quiz.`);
    }
  }
  const answer = await askServer(server.count, sessions);
  if (answer.error) return notify(answer.error);
  for (const session of sessions) added.set(session.session, session);
  summarise();
  notify(`Added ${sessions.length} ${sessions.length === 1 ? 'game' : 'games'}.`);
}

const saveAll = () => handOver('fergan_quiz_all.json', 'application/json', `${JSON.stringify([...kept(), ...added.values()], null, 1)}\n`);

/** Forgets all sessions, at the second click. */
function clear(button) {
  if (button.dataset.sure) {
    added.clear();
    memory.set('quiz', '[]');
    summarise();
  }
  button.dataset.sure = button.dataset.sure ? '' : 'yes';
  button.textContent = button.dataset.sure ? 'Clear all?' : 'Clear';
}
