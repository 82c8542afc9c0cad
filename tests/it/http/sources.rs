//! Policy from a directory and from Git, read again while the server runs.

use std::path::Path;
use std::process::Command;

use assent_client::wire;
use assent_server::policy::{Checkout, Source};
use serde_json::json;

use crate::support::{Server, Setup, filing, fresh_key, sent};

const ONE: &str = "apiVersion: assent/v1\nkind: Policy\nmetadata: {name: one}\nrules:\n  - id: \
    staging\n    when: {intent.environment: staging}\n    allow: {}\n";
const TWO: &str = "apiVersion: assent/v1\nkind: Policy\nmetadata: {name: two}\nrules:\n  - id: \
    production\n    when: {intent.environment: production}\n    allow: {}\n";

async fn from(source: Source) -> Server {
    Server::set_up(Setup { source, ..Setup::default() }).await
}

async fn status(server: &Server) -> wire::PolicyStatus {
    server.person("alice").await.client.policy_status().await.unwrap()
}

#[tokio::test]
async fn a_directory_is_read_again_and_replaced_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one.yaml"), ONE).unwrap();
    let server = from(Source::Directory(folder.path().to_owned())).await;
    let before = status(&server).await;
    assert_eq!((before.rules, before.source.as_str()), (1, "directory"));
    server.authority.look_at_policy().await.unwrap();
    assert_eq!(status(&server).await.loaded_at, before.loaded_at);
    std::fs::create_dir(folder.path().join("teams")).unwrap();
    std::fs::write(folder.path().join("teams/two.yaml"), TWO).unwrap();
    server.time().pass(assent_core::time::Span::minutes(1));
    server.authority.look_at_policy().await.unwrap();
    let after = status(&server).await;
    assert_eq!((after.rules, &after.problem), (2, &None));
    assert!(after.loaded_at > before.loaded_at);
    let alice = server.person("alice").await;
    let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    assert_eq!((request.state.as_str(), request.ruling.policy), ("approved", after.revision));
}

#[tokio::test]
async fn t47_a_broken_directory_keeps_the_policy_before_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.yaml");
    std::fs::write(&file, ONE).unwrap();
    let server = from(Source::Directory(folder.path().to_owned())).await;
    let before = status(&server).await;
    std::fs::write(&file, ONE.replace("allow: {}", "allow: {colour: red}")).unwrap();
    server.authority.look_at_policy().await.unwrap();
    let broken = status(&server).await;
    assert_eq!(broken.revision, before.revision);
    let problem = broken.problem.clone().unwrap();
    assert_eq!(problem.faults.len(), 1, "{problem:?}");
    let fault = &problem.faults[0];
    assert!(fault.file.ends_with("one.yaml") && fault.line == 7 && fault.column > 1, "{fault:?}");
    assert!(fault.message.contains("colour"), "{fault:?}");
    // It goes on by the policy before, ready, and says so where people and machines look.
    let alice = server.person("alice").await;
    let request = alice.client.file(&filing("staging", "r"), &fresh_key()).await.unwrap();
    assert_eq!(request.state, "approved");
    let stranger = server.stranger();
    assert_eq!(sent(stranger.call("GET", "/readyz")).await.status, 200);
    let health = sent(stranger.call("GET", "/healthz")).await;
    assert_eq!(health.json()["policy"]["problem"]["since"], problem.since);
    assert!(!health.text.contains("colour"), "faults are not for strangers");
    let ci = server.workload("ci", &[]).await.client.policy_status().await.unwrap();
    assert!(ci.problem.unwrap().faults.is_empty());
    // Since when does not move while it stays broken, and it mends.
    server.time().pass(assent_core::time::Span::minutes(1));
    std::fs::remove_file(&file).unwrap();
    server.authority.look_at_policy().await.unwrap();
    assert_eq!(status(&server).await.problem.unwrap().since, problem.since);
    std::fs::write(&file, ONE).unwrap();
    server.authority.look_at_policy().await.unwrap();
    assert_eq!(status(&server).await, before);
}

/// The rule that denies is written last: without a second look, the half without it would rule.
#[tokio::test]
async fn t47_a_directory_that_is_being_written_does_not_rule_by_half() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one.yaml"), ONE).unwrap();
    let server = from(Source::Directory(folder.path().to_owned())).await;
    let before = status(&server).await;
    let alice = server.person("alice").await;
    let decided =
        async || alice.client.decide(&filing("production", "r")).await.unwrap().ruling.outcome;
    std::fs::write(folder.path().join("two.yaml"), TWO).unwrap();
    let freeze = TWO
        .replace("name: two", "name: freeze")
        .replace("id: production", "id: freeze")
        .replace("allow: {}", "deny: {message: everything stands still}");
    let path = folder.path().join("freeze.yaml");
    let mut pauses = 0;
    let write_the_rest = || {
        pauses += 1;
        if pauses == 1 {
            std::fs::write(&path, &freeze).unwrap();
        }
        std::future::ready(())
    };
    server.authority.look_at_policy_twice(write_the_rest).await.unwrap();
    assert_eq!(pauses, 2, "read until it held still");
    let whole = status(&server).await;
    assert_eq!((whole.rules, &whole.problem), (3, &None));
    assert_eq!(decided().await, wire::Said::Refuse);
    // One that never holds still does not rule at all, and that is said.
    let mut count = 0;
    let goes_on = || {
        count += 1;
        std::fs::write(folder.path().join("three.yaml"), format!("# {count}\n")).unwrap();
        std::future::ready(())
    };
    std::fs::remove_file(&path).unwrap();
    server.authority.look_at_policy_twice(goes_on).await.unwrap();
    let moving = status(&server).await;
    assert_eq!(moving.revision, whole.revision);
    assert!(moving.problem.unwrap().message.contains("rename"));
    assert_eq!(decided().await, wire::Said::Refuse);
    assert_ne!(before.revision, whole.revision);
}

#[tokio::test]
async fn documents_of_the_api_and_files_live_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one.yaml"), ONE).unwrap();
    let server = from(Source::Directory(folder.path().to_owned())).await;
    let root = server.administrator().await;
    root.put("/v1/policy/documents/two.yaml", &json!({"text": TWO})).await.is(200);
    assert_eq!(status(&server).await.rules, 2);
    // One id in both is refused, whichever comes second.
    root.put("/v1/policy/documents/one.yaml", &json!({"text": ONE}))
        .await
        .refuses(422, "invalid_policy");
    std::fs::write(folder.path().join("two.yaml"), TWO.replace("{name: two}", "{name: three}"))
        .unwrap();
    server.authority.look_at_policy().await.unwrap();
    let broken = status(&server).await;
    let faults = broken.problem.unwrap().faults;
    assert!(faults.iter().any(|fault| fault.message.contains("production")), "{faults:?}");
    // What is wrong with the files is not mended by a document beside them.
    let three = TWO.replace("production", "third");
    root.put("/v1/policy/documents/third.yaml", &json!({"text": three})).await.is(200);
    let status = status(&server).await;
    assert!(status.problem.is_some() && status.rules == 3, "{status:?}");
}

/// A repository with a policy.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        repository.git(&["init", "-q", "-b", "main"]);
        repository.write("policy/one.yaml", ONE);
        repository.commit();
        repository
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let who =
            ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
        let git = Command::new("git").current_dir(self.path()).args(who).args(arguments).output();
        let output = git.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn commit(&self) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "policy"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn source(&self, reference: &str, inside: Option<&str>) -> Source {
        Source::Git(Checkout {
            repository: self.path().to_owned(),
            reference: reference.parse().unwrap(),
            inside: inside.map(str::to_owned),
        })
    }
}

#[tokio::test]
async fn t47_what_is_committed_rules_and_not_the_working_tree() {
    let repository = Repository::new();
    let first = repository.git(&["rev-parse", "HEAD"]);
    let server = from(repository.source("refs/heads/main", Some("policy"))).await;
    let before = status(&server).await;
    assert_eq!((before.source.as_str(), before.commit.as_deref()), ("git", Some(first.as_str())));
    repository.write("policy/two.yaml", TWO);
    server.authority.look_at_policy().await.unwrap();
    assert_eq!(status(&server).await, before, "a file that nobody committed");
    repository.git(&["checkout", "-q", "-b", "other"]);
    repository.commit();
    server.authority.look_at_policy().await.unwrap();
    assert_eq!(status(&server).await, before, "a commit of another branch");
    repository.git(&["branch", "-f", "main", "other"]);
    server.authority.look_at_policy().await.unwrap();
    let after = status(&server).await;
    assert_eq!((after.rules, after.commit), (2, Some(repository.git(&["rev-parse", "other"]))));
}

#[tokio::test]
async fn t47_a_commit_with_links_or_submodules_does_not_rule() {
    let repository = Repository::new();
    let server = from(repository.source("refs/heads/main", None)).await;
    let before = status(&server).await;
    std::os::unix::fs::symlink("/etc/passwd", repository.path().join("policy/link.yaml")).unwrap();
    repository.commit();
    server.authority.look_at_policy().await.unwrap();
    let linked = status(&server).await;
    assert_eq!((&linked.revision, &linked.commit), (&before.revision, &before.commit));
    assert!(linked.problem.unwrap().message.contains("symbolic link"));
    repository.git(&["rm", "-q", "policy/link.yaml"]);
    let id = repository.commit_nothing();
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},shared")]);
    repository.git(&["commit", "-q", "-m", "submodule"]);
    server.authority.look_at_policy().await.unwrap();
    assert!(status(&server).await.problem.unwrap().message.contains("submodule"));
}

impl Repository {
    fn commit_nothing(&self) -> String {
        self.git(&["commit", "-q", "-m", "removed"]);
        self.git(&["rev-parse", "HEAD"])
    }
}

#[tokio::test]
async fn a_tag_of_the_branchs_name_is_not_the_branch() {
    let repository = Repository::new();
    let first = repository.git(&["rev-parse", "HEAD"]);
    repository.write("policy/two.yaml", TWO);
    repository.commit();
    // CVE-2023-2576: a tag named like a branch.
    repository.git(&["tag", "main", &first]);
    let server = from(repository.source("refs/heads/main", None)).await;
    assert_eq!(status(&server).await.rules, 2);
}

/// Every way by which `git` takes a short name for something else, with the whole name for a short
/// one (gitrevisions(7)).
#[tokio::test]
async fn t47_what_is_only_named_like_the_branch_never_stands_for_it() {
    let repository = Repository::new();
    let server = from(repository.source("refs/heads/main", Some("policy"))).await;
    let before = status(&server).await;
    repository.git(&["checkout", "-q", "-b", "mallory"]);
    repository.write("policy/one.yaml", &ONE.replace("staging", "production"));
    repository.commit();
    repository.git(&["branch", "-D", "main"]);
    for other in ["tags", "heads", "remotes"] {
        let name = format!("refs/{other}/refs/heads/main");
        repository.git(&["update-ref", &name, "mallory"]);
        assert_eq!(
            repository.git(&["rev-parse", "refs/heads/main"]),
            repository.git(&["rev-parse", "mallory"]),
            "`git` itself takes {name} for it"
        );
        server.authority.look_at_policy().await.unwrap();
        let gone = status(&server).await;
        assert_eq!((&gone.revision, &gone.commit), (&before.revision, &before.commit), "{name}");
        let problem = gone.problem.expect("it says so").message;
        assert!(problem.contains("refs/heads/main"), "{problem}");
        // Nothing to start from, either.
        let started = repository.source("refs/heads/main", Some("policy"));
        assert!(started.read(&Default::default()).await.is_err(), "{name}");
        repository.git(&["update-ref", "-d", &name]);
    }
    // A branch of the name is the branch, wherever it points.
    repository.git(&["branch", "main", "mallory"]);
    server.authority.look_at_policy().await.unwrap();
    let after = status(&server).await;
    assert_eq!((after.commit, after.problem), (Some(repository.git(&["rev-parse", "main"])), None));
}

#[tokio::test]
async fn a_tag_with_an_object_of_its_own_leads_to_its_commit() {
    let repository = Repository::new();
    repository.git(&["tag", "-a", "v1", "-m", "first"]);
    let commit = repository.git(&["rev-parse", "HEAD"]);
    assert_ne!(repository.git(&["rev-parse", "refs/tags/v1"]), commit);
    let server = from(repository.source("refs/tags/v1", Some("policy"))).await;
    assert_eq!(status(&server).await.commit, Some(commit));
}

#[tokio::test]
async fn hooks_and_configuration_of_the_repository_run_nothing() {
    let repository = Repository::new();
    let trap = repository.path().join("trap");
    let script = format!("#!/bin/sh\ntouch {}\n", trap.display());
    repository.write("evil.sh", &script);
    let evil = repository.path().join("evil.sh");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&evil, mode).unwrap();
    let evil = evil.to_str().unwrap();
    for name in ["core.fsmonitor", "core.pager", "core.sshCommand", "diff.external"] {
        repository.git(&["config", name, evil]);
    }
    let server = from(repository.source("refs/heads/main", Some("policy"))).await;
    assert_eq!(status(&server).await.rules, 1);
    assert!(!trap.exists());
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_is_a_problem_and_no_end() {
    let repository = Repository::new();
    let bare = tempfile::tempdir().unwrap();
    let place = bare.path().join("policy.git");
    repository.git(&["clone", "-q", "--bare", ".", place.to_str().unwrap()]);
    let reference = "refs/heads/main".parse().unwrap();
    let checkout =
        Checkout { repository: place.clone(), reference, inside: Some("policy".to_owned()) };
    let server = from(Source::Git(checkout)).await;
    let before = status(&server).await;
    std::fs::rename(&place, bare.path().join("away")).unwrap();
    server.authority.look_at_policy().await.unwrap();
    let gone = status(&server).await;
    assert_eq!((&gone.revision, gone.problem.is_some()), (&before.revision, true));
    std::fs::rename(bare.path().join("away"), &place).unwrap();
    server.authority.look_at_policy().await.unwrap();
    assert_eq!(status(&server).await, before);
}
