// The camera of a tab that has one. It comes after fergan.js.

const REFUSED = {
  NotAllowedError: 'The camera was not allowed. Allow it in the browser\'s address bar, then try again.',
  NotFoundError: 'No camera was found on this device.',
  NotReadableError: 'The camera is in use by another program.',
};

/** Why there is no camera, from what `start` threw. */
const refusal = (error) => REFUSED[error.name] ?? 'This browser gives the page no camera: it must come over https or from this machine.';

const CAMERA_GONE = 'The camera is gone: it was unplugged or taken away. Plug it in or allow it, then try again.';

/** Turns a camera's stream off. */
const release = (stream) => stream?.getTracks().forEach((track) => track.stop());

/**
 * A camera that plays in `video`, `width` pixels wide where it can; its button says what a click does now. The latest
 * wish for it, or for none, wins. Where it ends by itself `gone` is called, and the person told.
 */
function newCamera(video, width, button, gone) {
  let wishes = 0;

  async function ask() {
    if (!navigator.mediaDevices?.getUserMedia) throw new DOMException('', 'InsecureError');
    const stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'user', width: {ideal: width}}});
    for (const track of stream.getTracks()) {
      track.addEventListener('ended', () => { // one that is stopped here ends without a word
        if (!camera.stream?.getTracks().includes(track)) return;
        gone();
        notify(CAMERA_GONE);
      });
    }
    return stream;
  }

  function hold(stream) {
    camera.stream = video.srcObject = stream;
    button.querySelector('span').textContent = stream ? 'Stop camera' : 'Use camera';
    button.querySelector('use').setAttribute('href', stream ? '#icon-stop' : '#icon-camera');
  }

  const camera = {
    stream: null,

    /** Whether its pictures come now, and not another wish did meanwhile; throws what `refusal` has words for, and is off. */
    async start() {
      const wish = ++wishes;
      try {
        const stream = await ask();
        if (wish !== wishes) {
          release(stream);
          return false;
        }
        hold(stream);
        await video.play();
      } catch (error) {
        if (wish !== wishes) return false;
        camera.stop();
        throw error;
      }
      return wish === wishes;
    },

    stop() {
      wishes++;
      release(camera.stream);
      hold(null);
    },

    /** The same camera by another stream: who watches the one before ends. */
    turn() {
      camera.stream = new MediaStream(camera.stream.getTracks());
    },
  };
  return camera;
}
