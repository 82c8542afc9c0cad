// What the runner starts after the job's last step, however the job ended.
import { run } from './shim.mjs';

await run('post');
