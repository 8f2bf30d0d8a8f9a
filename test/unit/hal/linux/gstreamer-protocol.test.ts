import test from 'ava';
import { audioBranch, isAudioElement } from '../../../../src/hal/linux/gstreamer-protocol.js';

const AUDIO = 'alsasrc device=hw:1 ! queue ! avenc_aac ! appsink name=audio';
const VIDEO = 'libcamerasrc ! queue ! x264enc ! appsink name=video sync=false';

test('the audio branch is what stands before the end of its sink', (t) => {
  t.is(audioBranch(`${AUDIO} sync=false ${VIDEO}`), AUDIO);
  t.is(audioBranch(VIDEO), undefined);
});

test('an element belongs to the microphone only when it cannot be of the camera', (t) => {
  const launch = `${AUDIO} sync=false ${VIDEO}`;
  for (const element of ['alsasrc0', 'avenc_aac12', 'audio']) {
    t.true(isAudioElement(launch, element), element);
  }
  for (const element of ['libcamerasrc0', 'queue0', 'x264enc0', 'video', 'pipeline0', '']) {
    t.false(isAudioElement(launch, element), element);
  }
  t.false(isAudioElement(VIDEO, 'alsasrc0'));
});
