//! The worker: a process that may be lost.
//!
//! The program runs itself again with [`ARGUMENT`]. The new process takes limits upon itself that
//! it cannot take off, then loads and evaluates what it is told on stdin and answers on stdout. It
//! knows no secret, opens nothing, and whoever started it kills it at the first doubt.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};

use crate::engine::{Engine, Outcome};
use crate::frame::{MAX_ORDER_BYTES, Order, Reply, framed};
use crate::policy::{Policy, Revision};

/// The only argument of a worker, followed by its [`Bounds`].
pub const ARGUMENT: &str = "rego-worker";

/// What a worker may take of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Address space, in bytes.
    pub memory: u64,
    /// Processor time of one order, in seconds.
    pub processor: u64,
    /// Time of one evaluation by the engine's own timer, in milliseconds.
    pub timer: u64,
}

/// How the engine's message begins when its timer runs out.
const OUT_OF_TIME: &str = "execution exceeded time limit";

/// The worker's order, as it reads it.
type Received = Order<Policy, regorus::Value>;

/// Large enough for what twelve levels of brackets and long chains need; a deeper recursion ends
/// the worker.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// Becomes a worker if that is what the program was started as, and then ends with this code. To
/// be called before anything else in `main`.
pub fn run_if_worker() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(ARGUMENT) {
        return None;
    }
    let numbers: Option<Vec<u64>> = arguments.map(|text| text.parse().ok()).collect();
    Some(match numbers.as_deref() {
        Some(&[memory, processor, timer]) => run(Bounds { memory, processor, timer }),
        _ => ExitCode::from(2),
    })
}

/// Takes on the limits and serves until stdin ends.
fn run(bounds: Bounds) -> ExitCode {
    if let Err(error) = confine(bounds) {
        return said(&format!("the worker could not limit itself: {error}"));
    }
    let serving = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || serve(bounds));
    match serving.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        Ok(Ok(Err(error))) => said(&format!("the worker stopped: {error}")),
        Ok(Err(_)) => said("the worker panicked"),
        Err(error) => said(&format!("the worker has no thread: {error}")),
    }
}

fn said(message: &str) -> ExitCode {
    // The parent reads it; if it cannot, it knows by the exit code.
    let _ = writeln!(std::io::stderr(), "{message}");
    ExitCode::FAILURE
}

fn confine(bounds: Bounds) -> nix::Result<()> {
    let fixed = |resource, limit| setrlimit(resource, limit, limit);
    fixed(Resource::RLIMIT_AS, bounds.memory)?;
    fixed(Resource::RLIMIT_CORE, 0)?;
    set_dumpable(false)?;
    close_what_was_inherited();
    // No file can be opened from here on, and no program started: the engine needs neither.
    fixed(Resource::RLIMIT_FSIZE, 0)?;
    fixed(Resource::RLIMIT_NOFILE, 3)
}

/// Closes every descriptor but the three it talks through. The program opens all of its own to be
/// closed on exec; this is for those that it was started with itself.
fn close_what_was_inherited() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect();
    for number in numbers {
        // The listing itself is among them and is closed already.
        let _ = nix::unistd::close(number);
    }
}

/// Allows so much processor time more than was used so far.
fn extend(bounds: Bounds) -> nix::Result<()> {
    let used = getrusage(UsageWho::RUSAGE_SELF)?;
    let seconds = used.user_time().tv_sec() + used.system_time().tv_sec();
    let soft = u64::try_from(seconds).unwrap_or(0) + bounds.processor + 1;
    let (_, hard) = getrlimit(Resource::RLIMIT_CPU)?;
    setrlimit(Resource::RLIMIT_CPU, soft, hard)
}

fn serve(bounds: Bounds) -> std::io::Result<()> {
    let mut engines: BTreeMap<Revision, Engine> = BTreeMap::new();
    let (mut orders, mut replies) = (std::io::stdin().lock(), std::io::stdout().lock());
    while let Some(bytes) = read(&mut orders)? {
        extend(bounds)?;
        let reply = match serde_json::from_slice::<Received>(&bytes) {
            Ok(order) => obey(order, &mut engines, Duration::from_millis(bounds.timer)),
            Err(error) => Reply::Confused(format!("the order cannot be read: {error}")),
        };
        replies.write_all(&framed(&reply)?)?;
        replies.flush()?;
    }
    Ok(())
}

fn obey(order: Received, engines: &mut BTreeMap<Revision, Engine>, timer: Duration) -> Reply {
    match order {
        Order::Load { revision, policy } => match Engine::load(&policy, timer) {
            Ok(engine) => {
                engines.insert(revision, engine);
                Reply::Loaded
            }
            Err(faults) => Reply::Refused(faults),
        },
        Order::Ask { revision, input, now_ns, account } => match engines.get_mut(&revision) {
            Some(engine) => {
                let done = engine.evaluate(input, now_ns, account);
                let outcomes = done.outcomes.into_iter();
                Reply::Evaluated {
                    outcomes: outcomes.map(|(name, it)| (name, timed(it, timer))).collect(),
                    prints: done.prints,
                    coverage: done.coverage,
                    broken: done.broken,
                }
            }
            None => Reply::Confused("the policy was not loaded here".to_owned()),
        },
    }
}

/// The engine tells by the nanosecond when it ran out of time. What is recorded is to be the same
/// each time.
fn timed(outcome: Outcome, timer: Duration) -> Outcome {
    match outcome {
        Outcome::Error(error) if error.contains(OUT_OF_TIME) => {
            Outcome::Error(format!("it took longer than {} ms", timer.as_millis()))
        }
        Outcome::Undefined | Outcome::Value(_) | Outcome::Error(_) => outcome,
    }
}

/// The next order, or nothing if there will be none.
fn read(orders: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut head = [0; 4];
    match orders.read_exact(&mut head) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    if length > MAX_ORDER_BYTES {
        return Err(std::io::Error::other("the order is too long"));
    }
    let mut bytes = vec![0; length];
    orders.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}
