//! What the disk allows: no ledger can be faster than a file that is appended to and synced.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::sync::oneshot;

use crate::report::Spread;

/// As many in one batch as the ledger has in a group.
const LARGEST_BATCH: usize = 512;

type Job = (Vec<u8>, oneshot::Sender<bool>);

/// A file that is appended to by one thread, with one data sync for all that is waiting.
#[derive(Clone, Debug)]
pub(crate) struct Appender(SyncSender<Job>);

impl Appender {
    /// A new file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let (jobs, waiting) = sync_channel(4_096);
        std::thread::spawn(move || run(file, &waiting));
        Ok(Self(jobs))
    }

    /// Appends; returns when it is durable.
    pub(crate) async fn append(&self, bytes: Vec<u8>) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.0.try_send((bytes, done)).context("the floor's queue is full")?;
        anyhow::ensure!(answer.await?, "the file could not be written");
        Ok(())
    }
}

fn run(mut file: File, waiting: &Receiver<Job>) {
    while let Ok(first) = waiting.recv() {
        let mut batch = vec![first];
        batch.extend(waiting.try_iter().take(LARGEST_BATCH - 1));
        let bytes: Vec<u8> = batch.iter().flat_map(|(bytes, _)| bytes).copied().collect();
        let written = file.write_all(&bytes).and_then(|()| file.sync_data()).is_ok();
        for (_, done) in batch {
            let _ = done.send(written);
        }
    }
}

/// How long one page and its data sync take, one every `pause`. The file has its whole size from
/// the beginning, as a write-ahead log has after its first round: growing a file syncs slower.
pub(crate) fn data_sync(pause: Duration, times: usize) -> Result<Spread> {
    const PAGE: [u8; 4_096] = [7; 4_096];
    const PAGES: usize = 256;
    let directory = tempfile::tempdir()?;
    let mut file = File::create(directory.path().join("sync"))?;
    for _ in 0..PAGES {
        file.write_all(&PAGE)?;
    }
    file.sync_all()?;
    let mut took = Vec::with_capacity(times);
    for at in 0..times {
        if at % PAGES == 0 {
            file.rewind()?;
        }
        std::thread::sleep(pause);
        let begun = Instant::now();
        file.write_all(&PAGE)?;
        file.sync_data()?;
        took.push(begun.elapsed());
    }
    Spread::of_durations(&took)
}
