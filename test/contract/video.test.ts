import { GStreamerSource } from '../../src/hal/linux/gstreamer.js';
import type { VideoRun } from '../../src/hal/ports/video.js';
import { SimClock } from '../../src/hal/sim/sim-clock.js';
import { SimVideo } from '../../src/hal/sim/sim-video.js';
import { testLaunch } from '../support/test-launch.js';
import { eventually } from './eventually.js';
import { videoContract } from './video-contract.js';

const STEP_MS = 33;
const STEPS_MAX = 1000;

videoContract('SimVideo', () => {
  const clock = new SimClock();
  const source = new SimVideo(clock, { gopFrames: 15 });
  const launch = 'videotestsrc ! appsink name=video';
  return {
    source,
    launch,
    sinklessLaunch: 'videotestsrc ! fakesink',
    until: async (t, what, condition) => {
      for (let step = 0; step < STEPS_MAX && !condition(); step += 1) await clock.advance(STEP_MS);
      t.true(condition(), what);
    },
    settle: async (promise) => {
      await clock.advance(STEP_MS);
      return await promise;
    },
    ending: async (events): Promise<VideoRun> => {
      const run = source.startRun(launch, events);
      await clock.advance(500);
      source.end();
      return run;
    },
    crash: () => {
      source.die();
    },
  };
});

videoContract('GStreamerSource', () => {
  const source = new GStreamerSource();
  return {
    source,
    launch: testLaunch({ gopFrames: 15 }),
    sinklessLaunch: 'videotestsrc ! fakesink',
    until: eventually,
    settle: (promise) => promise,
    ending: (events) =>
      Promise.resolve(
        source.startRun(
          testLaunch({ source: 'videotestsrc num-buffers=20', gopFrames: 15 }),
          events,
        ),
      ),
    crash: ({ pid }) => {
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    },
  };
});
