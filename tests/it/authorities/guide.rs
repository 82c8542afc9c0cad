//! The commands of the guide, as they stand there but for the ports: two servers on one machine.

use std::path::Path;

use crate::support::{free_place, shell};

/// Everything that the guide has a shell do.
fn commands() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let guide = std::fs::read_to_string(root.join("docs/guides/two-organisations.md")).unwrap();
    let blocks = guide.split("\n```sh\n").skip(1);
    let blocks: Vec<_> = blocks.map(|rest| rest.split_once("\n```").unwrap().0).collect();
    assert_eq!(blocks.len(), 3);
    blocks.join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_guide_take_a_request_through_both_organisations() {
    let folder = tempfile::tempdir().unwrap();
    let ports = ["8601", "8602"].map(|named| (named, free_place().port().to_string()));
    let commands = ports.iter().fold(commands(), |text, (named, port)| text.replace(named, port));
    // Whatever becomes of it, no server is left behind.
    let script = format!("trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n{commands}\n");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::os::unix::fs::symlink(root.join("examples"), folder.path().join("examples")).unwrap();
    let mut shell = shell(&["bash", "-em", "-c", &script], folder.path());
    let output = tokio::time::timeout(std::time::Duration::from_secs(120), shell.output());
    let output = output.await.expect("it ends").unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, told) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}\n{told}");
    let theirs = format!("http://127.0.0.1:{}#olga", ports[1].1);
    let approved = format!("approved; approved by bob, {theirs}");
    assert!(said.contains(&approved) || told.contains(&approved), "{said}\n{told}");
    assert!(said.contains(&format!("counted {theirs}")), "{said}");
}
