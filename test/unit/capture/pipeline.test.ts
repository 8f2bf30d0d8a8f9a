import test from 'ava';
import {
  launchLine,
  launchLineWithAudio,
  type CameraParts,
} from '../../../src/capture/pipeline.js';
import { audioBranch } from '../../../src/hal/linux/gstreamer-protocol.js';

const CAMERA: CameraParts = {
  source: 'videotestsrc is-live=true',
  width: 1280,
  height: 720,
  framesPerSecond: 30,
  format: 'I420',
  encoder: 'x264enc',
  bitrateKbps: 4000,
  gopFrames: 30,
};

const TAIL =
  ' ! h264parse config-interval=-1 ! video/x-h264,stream-format=avc,alignment=au ! gdppay' +
  ' ! appsink name=video sync=false max-buffers=300 drop=false enable-last-sample=false';

test('software encoder', (t) => {
  t.is(
    launchLine(CAMERA),
    'videotestsrc is-live=true ! video/x-raw,format=I420,width=1280,height=720,framerate=30/1' +
      ' ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=4000 key-int-max=30 bframes=0' +
      TAIL,
  );
});

test('software encoder with its threads limited', (t) => {
  t.true(launchLine({ ...CAMERA, threads: 2 }).includes(' bframes=0 threads=2 ! '));
});

test('an overlay stands between picture and encoder, and nothing in it is taken for markup or for elements', (t) => {
  const [source, caps, overlay, ...rest] = launchLine({
    ...CAMERA,
    overlay: 'cam-7 "O\\\'N" <b>& ! appsink name=audio é\n\u0000😀',
  }).split(' ! ');
  t.is(
    overlay,
    'clockoverlay text="cam&#45;7 &#34;O&#92;&#39;N&#34; &#60;b&#62;&#38; &#33; appsink name&#61;audio &#233;  &#128512;"' +
      ' time-format="%Y-%m-%d %H:%M:%S UTC" halignment=left valignment=bottom',
  );
  t.is([source, caps, ...rest].join(' ! '), launchLine(CAMERA));
  t.is(audioBranch(launchLine({ ...CAMERA, overlay: 'appsink name=audio' })), undefined);
});

test('the other software encoder, in bits a second', (t) => {
  t.is(
    launchLine({ ...CAMERA, encoder: 'openh264enc', format: 'NV12', gopFrames: 15 }),
    'videotestsrc is-live=true ! video/x-raw,format=NV12,width=1280,height=720,framerate=30/1' +
      ' ! openh264enc complexity=low rate-control=bitrate bitrate=4000000 gop-size=15' +
      TAIL,
  );
});

test('the encoder of a Raspberry Pi gets colorimetry, a level and a profile', (t) => {
  t.is(
    launchLine({ ...CAMERA, encoder: 'v4l2h264enc', source: ' libcamerasrc ' }),
    'libcamerasrc ! video/x-raw,format=I420,width=1280,height=720,framerate=30/1' +
      ',colorimetry=bt709,interlace-mode=progressive' +
      ' ! v4l2h264enc extra-controls="controls,video_bitrate=4000000,h264_i_frame_period=30,' +
      'repeat_sequence_header=1" ! video/x-h264,level=(string)4,profile=(string)high' +
      TAIL,
  );
});

test('two caps never follow each other: GStreamer cannot parse that', (t) => {
  for (const encoder of ['x264enc', 'openh264enc', 'v4l2h264enc'] as const) {
    const elements = launchLine({ ...CAMERA, encoder }).split(' ! ');
    const isCaps = (element: string | undefined): boolean => (element ?? '').startsWith('video/x-');
    t.false(
      elements.some((element, index) => isCaps(element) && isCaps(elements[index + 1])),
      encoder,
    );
  }
});

test('a source of several elements and quoted paths is kept as it is', (t) => {
  const source =
    'multifilesrc location="/foot age/a \\"b\\".i420" loop=true blocksize=345600' +
    ' ! rawvideoparse format=i420 width=640 height=360 framerate=30/1 ! identity sync=true';
  t.true(launchLine({ ...CAMERA, source }).startsWith(`${source} ! video/x-raw,`));
});

test('a source that ends in caps or in nothing is refused', (t) => {
  for (const source of ['libcamerasrc ! video/x-raw,width=640', 'videotestsrc !', '  ']) {
    t.throws(() => launchLine({ ...CAMERA, source }), { code: 'board/invalid' }, source);
  }
});

test('the branch of the microphone stands before that of the camera and ends in a sink of its own', (t) => {
  const microphone = { source: ' alsasrc device=hw:1 ', bitrateKbps: 48 };
  t.is(
    launchLineWithAudio(CAMERA, microphone),
    'alsasrc device=hw:1 ! queue max-size-time=1000000000 max-size-buffers=0 max-size-bytes=0 leaky=downstream' +
      ' ! audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=1 ! avenc_aac bitrate=48000 ! aacparse' +
      ' ! audio/mpeg,stream-format=raw ! gdppay' +
      ' ! appsink name=audio sync=false async=false max-buffers=470 drop=true enable-last-sample=false' +
      ` ${launchLine(CAMERA)}`,
  );
  t.throws(() => launchLineWithAudio(CAMERA, { ...microphone, source: 'alsasrc ! audio/x-raw' }), {
    code: 'board/invalid',
  });
});
