// The film of the tab Translate, there and back: it goes on where translate-live.js ends. To play it, a few results
// between the ends are fetched and mixed; the file is drawn frame by frame on the server, which is asked how far it is.

const BETWEEN = 12; // steps from one end to the other that are fetched to play
const STILL = 0.4;  // seconds that both ends are held

let playing = null; // {at}: in shares of the way there and back, 0 to 2
let busy = null;    // what stops the work that is going on
let drawing = null; // the same of a film to play alone, which is of what was asked for before

/** The wish a share of the way there. */
function along(share) {
  const end = wish();
  if (field.start.value === 'photo') return {...end, intensity: Math.round(share * end.intensity * 1e4) / 1e4};
  const emotion = Object.fromEntries(Object.entries(end.emotion).map(([name, weight]) => [name, weight * share]));
  return {...end, emotion: {...emotion, neutral: (emotion.neutral ?? 0) + 1 - share}};
}

/** Plays or pauses; with reduced motion it takes one step, of a quarter of the way. */
async function play() {
  if (playing && !calm.matches) return leaveFilm();
  if (busy) return;
  if (lacking()) return notify(lacking());
  const frames = await fetchFilm();
  if (!frames) return;
  if (calm.matches) {
    playing = {at: ((playing?.at ?? 0) + 0.25) % 2};
    paintFrame(frames, playing.at);
    return;
  }
  const mine = playing = {at: 0};
  paintPlay();
  let last = performance.now();
  let hold = STILL;
  requestAnimationFrame(function next(now) {
    if (playing !== mine || !shown()) return;
    const seconds = Math.max(0, now - last) / 1000;
    last = now;
    if (hold > 0) {
      hold -= seconds;
    } else {
      const [end, there] = [mine.at < 1 ? 1 : 2, mine.at + seconds / Number(field.seconds.value)];
      if (there >= end) hold = STILL;
      mine.at = there >= end ? end % 2 : there;
    }
    paintFrame(frames, mine.at);
    requestAnimationFrame(next);
  });
}

/** The results to play: null where that was stopped or failed. */
async function fetchFilm() {
  let stopped = false;
  const frames = [];
  drawing = () => { stopped = true; };
  paintProgress('Drawing the film', 0, drawing);
  for (let step = 0; step <= BETWEEN && !stopped; step++) {
    const answer = await fetchResult(along(step / BETWEEN));
    if (answer.error) { notify(answer.error); stopped = true; }
    frames.push(answer);
    if (!stopped) paintProgress('Drawing the film', step / BETWEEN, busy);
  }
  drawing = null;
  paintProgress();
  return stopped ? null : frames;
}

function paintFrame(frames, at) {
  const share = at > 1 ? 2 - at : at;
  const eased = (1 - Math.cos(Math.PI * share)) / 2 * BETWEEN; // a face neither starts nor stops at once
  const step = Math.min(Math.floor(eased), BETWEEN - 1);
  paintAfter(frames[step]);
  paintAfter(frames[step + 1], eased - step);
  onScreen = null;
}

const stopDrawing = () => drawing?.();

/** Ends the film; what is asked for elsewhere brings the picture back. A file that is being made is not given up. */
function stopPlaying() {
  stopDrawing();
  playing = null;
  paintPlay();
}

function leaveFilm() {
  stopPlaying();
  work();
}

function paintPlay() {
  const button = $('[data-do=play]');
  const word = calm.matches ? 'Step' : playing ? 'Stop' : 'Play';
  if (button.textContent.trim() === word) return;
  button.innerHTML = `<svg class="icon" aria-hidden="true"><use href="#icon-${word.toLowerCase()}"></use></svg>${word}`;
}

/** A bar and a Stop while something is drawn or written; neither, without words. */
function paintProgress(words = '', share = 0, stop = null) {
  busy = stop;
  $('.tr-progress').hidden = !words;
  $('.tr-progress progress').value = share;
  const sentence = words && `${words}\u2026`;
  if ($('.tr-progress span').textContent !== sentence) $('.tr-progress span').textContent = sentence;
  $('[data-do=export]').ariaBusy = String(Boolean(busy));
}

/** What a person has to do before there is something to play, move or save; '' where there is. */
function lacking() {
  if (isLive()) return 'Take the camera\'s picture first.';
  return chosen().length ? '' : 'Choose a photo first.';
}

async function exportFilm() {
  if (busy) return;
  if (lacking()) return notify(lacking());
  const {width, height} = state.photo;
  const {canvas, scale} = cut({x: 0, y: 0, width, height}, facts.film);
  const asked = { // now: what is chosen may change while the photo is encoded
    ...wish(), faces: within(chosen(), {x: 0, y: 0}, scale),
    start: field.start.value, kind: field.kind.value, seconds: Number(field.seconds.value),
  };
  await saveJob(async () => askServer(server.film, {...asked, photo: await encode(canvas)}), paintProgress);
}
