// The camera of the tab Recognise: a picture of `facts.live` pixels at a time, mirrored as people know themselves. It goes
// on where recognise.js ends.

const PAUSE = 100; // milliseconds from one picture to the next, at least

const camera = newCamera(video, 640, $('[data-do=camera]'), stopCamera);

async function startCamera() {
  stopBatch();
  try {
    if (!await camera.start()) return;
  } catch (error) {
    return refuse(refusal(error));
  }
  asked++;
  clearReading();
  boxes.replaceChildren();
  image.hidden = true;
  video.hidden = false;
  if (state.photo?.src?.startsWith('blob:')) URL.revokeObjectURL(state.photo.src);
  Object.assign(state, {photo: null, answer: null, face: 0, emotion: null});
  enter('live');
  fit();
  watchCamera(camera.stream);
}

function stopCamera() {
  camera.stop();
  if (!isLive()) return;
  Object.assign(state, {answer: null, emotion: null}); // else a map on its way would be painted over nothing
  clearReading();
  boxes.replaceChildren();
  enter('empty');
}

async function watchCamera(mine) {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d');
  while (camera.stream === mine) {
    const began = performance.now();
    if (!shown() || document.hidden) return stopCamera(); // another tab: nobody is watched unseen
    const scale = facts.live / Math.max(video.videoWidth, video.videoHeight);
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    context.setTransform(-1, 0, 0, 1, canvas.width, 0);
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const content = canvas.toDataURL('image/jpeg', 0.85).split(',')[1];
    const answer = await askServer(server.recognise, {photo: content, model: state.model}, 10);
    if (camera.stream !== mine) return;
    if (answer.error) { stopCamera(); return fail(answer.error); }
    state.answer = answer;
    state.face = Math.min(state.face, Math.max(0, answer.faces.length - 1));
    paintBoxes();
    if (answer.faces.length) {
      paintReading();
      if (Number(field.overlay.value)) await look();
    } else {
      clearReading();
      say('No face is in sight.');
    }
    await new Promise((done) => setTimeout(done, Math.max(0, PAUSE - (performance.now() - began))));
  }
}
