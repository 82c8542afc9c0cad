//! What is printed: markdown, to standard output. And what is made of many measurements.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Prints a line.
#[expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints a heading.
pub(crate) fn heading(text: &str) {
    say(&format!("\n## {text}\n"));
}

/// Prints a table.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    let mut text = format!("| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let _ = write!(text, "\n| {} |", row.join(" | "));
    }
    say(&text);
}

/// Says what everything is measured on, and how busy it is with something else.
pub(crate) fn machine() -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    let sync = crate::floor::data_sync(Duration::from_millis(5), 200)?;
    say(&format!("{cores} cores, load {load} before; data sync {sync}"));
    Ok(())
}

/// The middle and the slow end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// Half are faster. Seconds.
    pub(crate) p50: f64,
    /// Of a hundred, one is slower. Seconds.
    pub(crate) p99: f64,
}

impl Spread {
    /// Of times in seconds. One that is negative was over before it began.
    pub(crate) fn of(mut seconds: Vec<f64>) -> Result<Self> {
        seconds.sort_by(f64::total_cmp);
        let at = |hundredth: usize| {
            let place = (seconds.len().saturating_sub(1) * hundredth).div_ceil(100);
            seconds.get(place).copied().context("nothing was measured")
        };
        Ok(Self { p50: at(50)?, p99: at(99)? })
    }

    /// Of times.
    pub(crate) fn of_durations(times: &[Duration]) -> Result<Self> {
        Self::of(times.iter().map(Duration::as_secs_f64).collect())
    }

    /// Of rounds: each figure's median by itself.
    pub(crate) fn median(rounds: &[Self]) -> Result<Self> {
        let p50 = median(rounds.iter().map(|round| round.p50))?;
        let p99 = median(rounds.iter().map(|round| round.p99))?;
        Ok(Self { p50, p99 })
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let (p50, p99) = (self.p50 * 1_000.0, self.p99 * 1_000.0);
        write!(f, "{p50:.digits$} / {p99:.digits$} ms")
    }
}

/// The middle one.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Result<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("nothing was measured")
}

/// `12,345`.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slow_end_of_a_hundred_is_the_slowest_but_one() {
        let spread = Spread::of((1..=101).map(f64::from).collect()).unwrap();
        assert_eq!(spread, Spread { p50: 51.0, p99: 100.0 });
        assert_eq!(Spread::of(vec![3.0]).unwrap(), Spread { p50: 3.0, p99: 3.0 });
        assert!(Spread::of(Vec::new()).is_err());
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(thousands(7.4), "7");
        assert_eq!(thousands(123_456.0), "123,456");
        assert_eq!(thousands(1_000.0), "1,000");
    }
}
