//! `assent digest`

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use assent_core::canonical;
use serde_json::json;

use crate::args::DigestArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// How many bytes are read.
const LARGEST: u64 = 32 << 20;

/// Prints the SHA-256 of the canonical JSON (RFC 8785) of what a file holds.
pub(crate) fn run(args: &DigestArgs, output: &Output) -> Result<Exit, Failure> {
    let name = clean(&args.file.display().to_string());
    let bytes = read(&args.file)?;
    let value = canonical::parse(&bytes)
        .map_err(|error| Failure::usage(format!("{name} has no digest")).because(error))?;
    let digest = canonical::digest(&value).to_string();
    match args.printing.is_json() {
        true => output.json(&json!({"digest": digest}))?,
        false => output.data(digest)?,
    }
    Ok(Exit::Granted)
}

/// The bytes of a file, or of stdin for `-`.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    // One byte more than is taken, so that a longer file is seen to be.
    let done = match path == Path::new("-") {
        true => io::stdin().take(LARGEST + 1).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)),
    };
    let count = done.map_err(|error| Failure::file(path, &error))?;
    match u64::try_from(count).is_ok_and(|count| count <= LARGEST) {
        true => Ok(bytes),
        false => Err(Failure::usage(format!("more than {LARGEST} bytes are not read"))),
    }
}
