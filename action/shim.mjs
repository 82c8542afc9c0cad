// Finds the binary for this platform, checks it against the SHA-256 that stands beside this file, and runs
// it with whatever the runner gave. It decides nothing else. What to run never comes from the
// environment: every earlier step of the job can write that.
import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { appendFileSync, constants as modes } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';

const HERE = import.meta.dirname;
const PLATFORM = `${process.platform}-${process.arch}`;
const ON_WINDOWS = process.platform === 'win32';
const NAME = ON_WINDOWS ? 'assent-action.exe' : 'assent-action';

// As the binary's own: it could not be found out whether there is a grant.
const COULD_NOT_FIND_OUT = 3;
const LARGEST = 256 * 1024 * 1024;
const DOWNLOAD_MILLIS = 120_000;
const TRIES = 3;

class Refused extends Error {}

/** Runs one stage, `main` or `post`, and ends as it ends. */
export async function run(stage) {
  // Where the step never came to run anything there is nothing to clear up, and it has said why.
  if (stage === 'post' && process.env.STATE_shim !== 'started') return;
  const signals = forwarded();
  let folder;
  try {
    const bytes = await binary(await release());
    folder = await mkdtemp(join(process.env.RUNNER_TEMP || tmpdir(), 'assent-'));
    // What was checked is what is run: a copy of these bytes that nobody else was given the name of.
    const program = join(folder, NAME);
    await writeFile(program, bytes, { mode: 0o700, flag: 'wx' });
    if (stage === 'main') tell('GITHUB_STATE', 'shim=started');
    process.exitCode = await ended(signals.start(program, stage));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const text = error.message.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
    process.stdout.write(`::error title=Assent::${text}\n`);
    if (stage === 'main') tell('GITHUB_OUTPUT', 'outcome=unreachable');
    process.exitCode = COULD_NOT_FIND_OUT;
  } finally {
    if (folder) await rm(folder, { recursive: true, force: true });
  }
}

// The runner signals this process alone, and kills the tree ten seconds later: whatever it says goes
// on to the binary, and without a binary there is nothing to wait for.
function forwarded() {
  let child;
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      if (!child) process.exit(128 + constants.signals[signal]);
      // There, a console's Ctrl-C reaches both already, and a signal would end the binary at once.
      if (!ON_WINDOWS) child.kill(signal);
    });
  }
  return {
    start(program, stage) {
      child = spawn(program, [stage], { stdio: 'inherit' });
      return child;
    },
  };
}

function ended(child) {
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Refused(`the binary cannot be started: ${error.message}`)));
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}

/** Tells the runner, by the file that it has for this. */
function tell(which, line) {
  const file = process.env[which];
  if (file) appendFileSync(file, `${line}\n`);
}

/** What this version of the action may run: its address, and the SHA-256 of each platform's binary. */
async function release() {
  const file = join(HERE, 'release.json');
  const { version, base, binaries } = JSON.parse(await readFile(file, 'utf8'));
  const listed = Object.hasOwn(binaries, PLATFORM) ? binaries[PLATFORM] : undefined;
  if (!listed) {
    const others = Object.keys(binaries).sort().join(', ') || 'none: this is not a release';
    throw new Refused(
      `release.json of the action lists no binary for ${PLATFORM} (it lists ${others}): ` +
        'use a release of the action by its commit, on a platform that it lists',
    );
  }
  const { file: name, sha256 } = listed;
  if (!/^[0-9a-f]{64}$/.test(sha256) || !/^[A-Za-z0-9_.-]+$/.test(name) || !/^[0-9A-Za-z.-]+$/.test(version)) {
    throw new Refused('release.json of the action cannot be read: it is not as its release made it');
  }
  return { version, base, name, sha256 };
}

/** The binary's bytes, checked: shipped beside this file, kept by the runner, or downloaded. */
async function binary(wanted) {
  const shipped = await read(join(HERE, 'bin', PLATFORM, NAME));
  if (shipped) return checked(shipped, wanted, 'the binary in the action\'s own directory');
  const cache = process.env.RUNNER_TOOL_CACHE;
  const place = cache && join(cache, 'assent-action', wanted.version, PLATFORM);
  const kept = place && (await read(join(place, NAME)));
  // Others may write there: what is not the binary is not used, and replaced.
  if (kept && digest(kept) === wanted.sha256) return kept;
  const bytes = checked(await downloaded(wanted), wanted, `what was downloaded from ${wanted.base}`);
  if (place) await keep(place, bytes);
  return bytes;
}

function digest(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

function checked(bytes, { sha256 }, what) {
  const found = digest(bytes);
  if (found === sha256) return bytes;
  throw new Refused(
    `${what} has the SHA-256 ${found}, and release.json lists ${sha256}: it was not run. Find out who changed it`,
  );
}

async function read(path) {
  let file;
  try {
    // Of what is no file nothing is read: a pipe that others put there would be waited for.
    file = await open(path, modes.O_RDONLY | modes.O_NONBLOCK);
    const found = await file.stat();
    return found.isFile() && found.size <= LARGEST ? await file.readFile() : undefined;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENXIO'].includes(error.code)) return undefined;
    throw new Refused(`${path} cannot be read: ${error.message}`);
  } finally {
    await file?.close();
  }
}

/** For the next job on this machine. That it cannot be kept is no reason to stop. */
async function keep(place, bytes) {
  const fresh = join(place, randomUUID());
  try {
    await mkdir(place, { recursive: true });
    await writeFile(fresh, bytes, { mode: 0o755, flag: 'wx' });
    await rename(fresh, join(place, NAME));
  } catch {
    await rm(fresh, { force: true }).catch(() => {});
  }
}

async function downloaded({ base, name }) {
  const from = new URL(`${base}/${name}`);
  const isHere = ['127.0.0.1', '[::1]', 'localhost'].includes(from.hostname);
  if (from.protocol !== 'https:' && !(from.protocol === 'http:' && isHere)) {
    throw new Refused(`release.json of the action names ${base}, and binaries are downloaded over https alone`);
  }
  let why;
  for (let tried = 0; tried < TRIES; tried += 1) {
    try {
      return await fetched(from);
    } catch (error) {
      if (error instanceof Refused) throw error;
      why = error.cause?.message ?? error.message;
    }
  }
  throw new Refused(`${from} cannot be downloaded: ${why}. Run the job again, or ship the binary with the action`);
}

async function fetched(from) {
  // Releases redirect to where files are kept. It does not matter who answers in the end: the SHA-256 does.
  const answer = await fetch(from, { signal: AbortSignal.timeout(DOWNLOAD_MILLIS) });
  if (answer.status >= 500 || answer.status === 429) throw new Error(`it answered ${answer.status}`);
  if (!answer.ok) throw new Refused(`${from} cannot be downloaded: it answered ${answer.status}`);
  const parts = [];
  let size = 0;
  for await (const part of answer.body) {
    size += part.length;
    if (size > LARGEST) throw new Refused(`${from} is larger than any binary of ours`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
