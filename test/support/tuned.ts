import { tuneV8 } from '../../src/tune-v8.js';

// For `node --import`: a process that measures is tuned as `lapel` is, before anything else is loaded.
tuneV8();
