//! What newly waits, on the desktop.

use std::process::Stdio;

use tokio::process::Command;

use crate::commands::watch::board::Change;
use crate::output::{Output, clean};
use crate::show;

/// Tells of what newly waits: by `notify-send`, or where there is none as terminals do (OSC 9), if one
/// is looked at.
pub(super) async fn tell(changes: &[Change], output: &Output) {
    let came: Vec<_> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Came(request) => Some(show::sentence(request)),
            Change::Changed(_) | Change::Went(_) => None,
        })
        .collect();
    let text = match came.as_slice() {
        [] => return,
        [one] => clean(one),
        several => format!("{} requests wait for approval", several.len()),
    };
    let mut command = Command::new("notify-send");
    command.args(["--app-name=assent", "--", "Approval wanted", &text]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let shown = command.status().await.is_ok_and(|status| status.success());
    if !shown && output.shows() {
        // A terminal that cannot is one that was not told.
        let _ = output.frame(&format!("\u{1b}]9;{text}\u{7}"));
    }
}
