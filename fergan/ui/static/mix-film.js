// The film of the tab Mix: its moments, its frames, its player, its file. It goes on where mix-thumbs.js ends.
// The server draws one strip of frames from a moment to the next; the browser keeps it and moves it, at its own rate.

const legs = new Map(); // key of two moments and their steps -> the strip of frames between them
const MOST_LEGS = 64;

const steps = (seconds) => Math.round(seconds * facts.rate);

/** What plays strips of frames on a canvas; `moved(at)` hears where it is, in frames. */
function newPlayer(canvas, moved) {
  const ink = canvas.getContext('2d');
  const player = {
    strips: [], loop: true, at: 0, playing: false,
    get frames() { return player.strips.reduce((sum, strip) => sum + strip.steps, 0); },
    /** Shows the frame at a place; between two frames both are mixed, so that a fast display has more of them. */
    paint() {
      let [at, leg] = [player.at, 0];
      while (leg < player.strips.length - 1 && at >= player.strips[leg].steps) at -= player.strips[leg++].steps;
      const {bitmap, steps} = player.strips[leg];
      const frame = Math.min(Math.floor(at), steps);
      const [side, height] = [bitmap.width / (steps + 1), bitmap.height];
      if (canvas.width !== side) [canvas.width, canvas.height] = [side, height];
      ink.globalAlpha = 1;
      ink.drawImage(bitmap, frame * side, 0, side, height, 0, 0, side, height);
      if (frame < steps && at > frame) {
        ink.globalAlpha = at - frame;
        ink.drawImage(bitmap, (frame + 1) * side, 0, side, height, 0, 0, side, height);
      }
      moved(player.at);
    },
    go(at) {
      player.at = at;
      player.paint();
    },
    play() {
      if (player.playing) return;
      player.playing = true;
      if (player.at >= player.frames) player.at = 0;
      let before = performance.now();
      requestAnimationFrame(function next(now) {
        if (!player.playing) return;
        player.at += Math.max(0, now - before) / 1000 * facts.rate;
        before = now;
        if (player.at >= player.frames) {
          player.playing = player.loop;
          player.at = player.loop ? player.at % player.frames : player.frames;
        }
        player.paint();
        if (player.playing) requestAnimationFrame(next);
      });
    },
    pause() { player.playing = false; },
  };
  return player;
}

/**
 * The strips through some settings, drawn where they are not here yet. `told(done, of)` hears how far it is and answers
 * whether to go on. Null where it was stopped, {error} where the server refused.
 */
async function drawStrips(all, model, count, loop, told) {
  const pairs = all.slice(0, loop ? all.length : -1).map((settings, place) => [settings, all[(place + 1) % all.length]]);
  const found = [];
  for (const [start, end] of pairs) {
    const name = `${key(start, model)} ${key(end, model)} ${count}`;
    if (!told(found.length, pairs.length)) return null;
    if (!legs.has(name)) {
      const answer = await askServer(server.strip, {model, moments: [moment(start, model), moment(end, model)], steps: count});
      if (answer.error) return answer;
      const image = new Image();
      image.src = answer.strip;
      await image.decode();
      if (legs.size >= MOST_LEGS) legs.delete(legs.keys().next().value);
      legs.set(name, {bitmap: await createImageBitmap(image), steps: count});
    }
    found.push(legs.get(name));
  }
  return told(pairs.length, pairs.length) ? found : null;
}

// --- the moments ---

function addMoment() {
  const {seed, weights, typical, coarse} = state;
  if (moments.length >= facts.most) return notify(`A film has at most ${facts.most} moments.`);
  moments.push({seed, weights: {...weights}, typical, coarse});
  changeFilm();
  $('.mix-moments').lastElementChild.scrollIntoView({block: 'nearest', inline: 'nearest'});
}

function moveMoment(place, by) {
  const there = place + by;
  if (there < 0 || there >= moments.length) return;
  moments.splice(there, 0, ...moments.splice(place, 1));
  changeFilm();
  $(`[data-move="${by}"][data-place="${there}"]`).focus();
}

function removeMoment(place) {
  moments.splice(place, 1);
  changeFilm();
  ($(`[data-remove="${Math.min(place, moments.length - 1)}"]`) ?? $('[data-do=add-moment]')).focus();
}

function changeFilm() {
  leaveFilm();
  memory.set('mix.moments', JSON.stringify(moments.map((settings) => ({...settings, model: state.model}))));
  paintMoments();
  drawThumbs();
}

function paintMoments() {
  $('.mix-moments').replaceChildren(...moments.map((settings, place) => {
    const label = `Moment ${place + 1}: ${told(settings.weights)}, seed ${settings.seed}`;
    const item = document.createElement('li');
    item.append(newThumb('moment', place, label));
    item.insertAdjacentHTML('beforeend', `<span class="mix-order">
      <button type="button" data-move="-1" data-place="${place}" aria-label="Moment ${place + 1} earlier" ${place ? '' : 'disabled'}><svg class="icon" aria-hidden="true"><use href="#icon-previous"></use></svg></button>
      <button type="button" data-remove="${place}" aria-label="Remove moment ${place + 1}"><svg class="icon" aria-hidden="true"><use href="#icon-close"></use></svg></button>
      <button type="button" data-move="1" data-place="${place}" aria-label="Moment ${place + 1} later" ${place < moments.length - 1 ? '' : 'disabled'}><svg class="icon" aria-hidden="true"><use href="#icon-next"></use></svg></button></span>`);
    return item;
  }));
  const missing = 2 - moments.length;
  $('.mix-film-hint').textContent = missing === 2 ? 'Keep two moments or more: the film goes from one to the next.' : 'One moment is kept: change the face, then add another.';
  $('.mix-film-hint').hidden = missing <= 0;
  $('.mix-player').hidden = missing > 0;
  paintThumbs();
  paintFilm();
}

// --- playing: on the face's own place, until the face is changed ---

const canvas = box.querySelector('.film-frame');
const player = newPlayer(canvas, (at) => {
  field.position.value = at;
  paintFilm();
});
let ready = ''; // the film whose strips the player has
let busy = null; // what stops the work that is going on
let drawing = null; // the same of a film to play alone, which the face in its place gives up

const signature = () => JSON.stringify([moments.map((settings) => key(settings)), field.seconds.value, field.loop.checked]);

/** Draws what the film lacks and shows it at its place; false where that was stopped or failed. */
async function prepare() {
  if (ready !== signature()) {
    if (busy) return false;
    const wanted = signature();
    let stopped = false;
    drawing = () => { stopped = true; };
    paintProgress('Drawing the film', 0, drawing);
    const found = await drawStrips(moments, state.model, steps(Number(field.seconds.value)), field.loop.checked, (done, of) => {
      if (!stopped) paintProgress('Drawing the film', done / of, busy);
      return !stopped;
    });
    drawing = null;
    paintProgress();
    if (found?.error) notify(found.error);
    if (!Array.isArray(found) || wanted !== signature()) return false;
    Object.assign(player, {strips: found, loop: field.loop.checked, at: 0});
    ready = wanted;
  }
  field.position.max = player.frames;
  canvas.hidden = false;
  player.paint();
  return true;
}

/** Plays or pauses; with reduced motion it takes one step, of a quarter of the way to the next moment. */
async function play() {
  if (player.playing) { player.pause(); return paintFilm(); }
  const begun = !canvas.hidden;
  if (!await prepare()) return;
  if (!calm.matches) player.play();
  else if (begun) player.go(player.at >= player.frames ? 0 : Math.min(player.frames, player.at + player.strips[0].steps / 4));
  paintFilm();
}

async function seek(at) {
  player.pause();
  if (canvas.hidden && !await prepare()) return;
  player.go(Math.min(at, player.frames));
}

/** Back from the film to the face. */
function leaveFilm() {
  drawing?.();
  player.pause();
  canvas.hidden = true;
  paintFilm();
}

function paintFilm() {
  const button = $('[data-do=play]');
  const word = player.playing ? 'Pause' : calm.matches ? 'Step' : 'Play';
  if (button.textContent.trim() !== word) {
    button.innerHTML = `<svg class="icon" aria-hidden="true"><use href="#icon-${word.toLowerCase()}"></use></svg>${word}`;
  }
  field.seconds.nextElementSibling.textContent = `${Number(field.seconds.value).toFixed(1)} s`;
  field.position.setAttribute('aria-valuetext', `${(Number(field.position.value) / facts.rate).toFixed(1)} seconds`);
}

/** A bar and a Stop while something is drawn or written; neither, without words. */
function paintProgress(words = '', share = 0, stop = null) {
  busy = stop;
  $('.mix-progress').hidden = !words;
  $('.mix-progress progress').value = share;
  const sentence = words && `${words}\u2026`;
  if ($('.mix-progress span').textContent !== sentence) $('.mix-progress span').textContent = sentence;
  $('[data-do=export]').ariaBusy = String(Boolean(busy));
}

// --- the file: made aside on the server, which is asked how far it is ---

async function exportFilm() {
  if (busy) return;
  await saveJob(() => askServer(server.film, {
    model: state.model, moments: moments.map((settings) => moment(settings)), seconds: Number(field.seconds.value),
    loop: field.loop.checked, kind: field.kind.value, width: Number(field.width.value),
  }), paintProgress);
}
