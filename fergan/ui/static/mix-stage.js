// The stage of the tab Mix: one big face for a room. It goes on where mix-film.js ends. A modal dialog covers the page
// and keeps its keys; Escape closes it, as any dialog. The link ?view=stage opens it, &autoplay=1 with a tour.

const TOUR = 3; // seconds from one emotion to the next
const tourCanvas = show.querySelector('.film-frame');
const guide = newPlayer(tourCanvas, (at) => nameOnStage(facts.emotions[Math.round(at / steps(TOUR)) % facts.emotions.length]));
let touring = false;
let passed = null; // the blend that clicks on the stage went on from: they are for the room, so it comes back

function openStage(tour = false) {
  leaveFilm();
  if (!show.open) show.showModal();
  if (faces.has(onScreen)) show.querySelector('img').src = faces.get(onScreen).picture; // no hand waits for a hidden picture
  paintStage();
  publish();
  if (tour) beginTour();
}

show.addEventListener('close', () => {
  endTour();
  if (passed) change({weights: passed});
  document.documentElement.classList.remove('on-stage');
  paintStage();
  publish();
  $('[data-do=stage]').focus();
});

/** From emotion to emotion, round and round; not where motion is unwelcome. */
async function beginTour() {
  if (touring) return;
  if (calm.matches) return nameOnStage(strongest(), 'Your system asks for less motion: step with the arrow keys.');
  touring = true;
  publish();
  const people = facts.emotions.map((name) => ({...state, weights: pure(name)}));
  const found = await drawStrips(people, state.model, steps(TOUR), true, () => touring && show.open);
  if (found?.error) nameOnStage(strongest(), found.error);
  if (!Array.isArray(found)) { touring = false; return; }
  guide.strips = found;
  guide.at = steps(TOUR) * facts.emotions.indexOf(strongest()); // from the face that is there
  tourCanvas.hidden = false;
  guide.play();
}

function endTour() {
  guide.pause();
  touring = false;
  tourCanvas.hidden = true;
}

/** To the next emotion or the one before; after a blend, from its strongest. */
function stepOnStage(by) {
  const here = touring ? Math.round(guide.at / steps(TOUR)) : facts.emotions.indexOf(strongest());
  endTour();
  change({weights: pure(facts.emotions[(here + by + facts.emotions.length) % facts.emotions.length])});
}

function nameOnStage(emotion, sentence = emotion) {
  const line = show.querySelector('p');
  if (line.lastElementChild.textContent === sentence) return;
  line.dataset.emotion = emotion;
  line.querySelector('use').setAttribute('href', `#icon-${emotion}`);
  line.lastElementChild.textContent = sentence;
}

function paintStage() {
  if (show.open && !touring) nameOnStage(strongest(), told());
  $('.mix-show img').alt = `Synthetic face: ${told()}, seed ${state.seed}`;
}

show.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const by = {ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1}[event.key];
  if (by) { event.preventDefault(); stepOnStage(by); }
  if (event.key === ' ' && !event.target.closest('button')) { event.preventDefault(); touring ? endTour() : beginTour(); paintStage(); }
});
show.addEventListener('click', ({target}) => {
  if (target.closest('button')) return;
  const blend = passed ?? (Math.max(...shares(state.weights)) < 1 ? state.weights : null);
  stepOnStage(1); // as any other change of the blend it forgets the one before
  passed = blend;
});
