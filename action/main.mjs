// What the runner starts in the step.
import { run } from './shim.mjs';

await run('main');
