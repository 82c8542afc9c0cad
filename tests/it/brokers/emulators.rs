//! The same by `assent run`, against what other people have written to stand in for AWS and GitHub:
//! moto and emulate. In front of them stand the strict services, because neither looks at
//! everything.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use assent_client::wire;
use assent_server::clock::Clock;
use serde_json::json;
use tokio::process::{Child, Command};

use super::installations::{self, Github, private_key};
use super::sts::{self, Sts};
use super::{aws, github};
use crate::support::{Binary, free_place, policy_in, program, tools, until};

/// A program of somebody else's that answers on a port of its own, until it is dropped.
struct Running {
    port: u16,
    _child: Child,
}

impl Running {
    async fn start(what: &str, command: impl FnOnce(u16) -> Command) -> Self {
        let port = free_place().port();
        let mut command = command(port);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.kill_on_drop(true).spawn().unwrap();
        until(what, || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        Self { port, _child: child }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A server with these brokers, in a folder of its own.
async fn serving(folder: &Path, policy: &str, brokers: &str) -> Binary {
    let at = |name: &str| folder.join(name);
    policy_in(&at("policy"), policy);
    std::fs::write(at("brokers.yaml"), brokers).unwrap();
    let more: Vec<PathBuf> = vec!["--brokers".into(), at("brokers.yaml")];
    let more: Vec<&Path> = more.iter().map(AsRef::as_ref).collect();
    Binary::start_with(&at("data"), &at("policy"), &more).await
}

/// What `assent run` prints, of a Python program that it runs with what a broker opened.
async fn run(binary: &Binary, arguments: &[&str], script: &str, more: &[(&str, &str)]) -> String {
    let mut command = Command::new(program());
    command.arg("run").args(arguments).args(["--audience", "orders", "--"]);
    command.arg(tools::python("python")).args(["-c", script]);
    command.env("ASSENT_URL", &binary.base).env("ASSENT_TOKEN", &binary.tokens["alice"]);
    command.envs(more.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    let ran = command.output().await.unwrap();
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{told}");
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

/// Waits until what a broker opened for the only request is in this state.
async fn settled(binary: &Binary, wanted: &str) -> wire::Request {
    let alice = binary.person("alice");
    let request = alice.client.requests(&[]).await.unwrap().requests.pop().unwrap();
    super::settled(&alice, &request.id, wanted).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sdk_of_aws_is_somebody_under_approval() {
    let moto = Running::start("moto", |port| {
        let mut moto = Command::new(tools::python("moto_server"));
        moto.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        moto
    })
    .await;
    let clock = Clock::system();
    let sts = Sts::start(move || clock.now().as_millis(), Some(moto.url())).await;
    let folder = tempfile::tempdir().unwrap();
    let text = sts::brokers_yaml(&sts.stand_in.url);
    let mut binary = serving(folder.path(), aws::POLICY, &text).await;
    sts.trusts(&binary.base);
    let intent = ["--kind", "aws.deploy", "--environment", "free", "--broker", "aws-orders"];
    let script = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])";
    // What whoever starts it is elsewhere must not decide who it is.
    let endpoint = moto.url();
    let more = [("AWS_ENDPOINT_URL", endpoint.as_str()), ("AWS_PROFILE", "administrator")];
    let arn = run(&binary, &intent, script, &more).await;
    let session = sts.sessions().pop().unwrap();
    let wanted = format!("arn:aws:sts::123456789012:assumed-role/orders-deploy/{}", session.name);
    assert_eq!(arn, wanted);
    let request = settled(&binary, "outlives").await;
    assert_eq!(session.claims["https://aws.amazon.com/source_identity"], request.id);
    binary.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_works_on_github_under_approval_and_not_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let seed = json!({
        "tokens": {"admin": {"login": "octo", "scopes": ["repo", "admin:org"]}},
        "github": {
            "users": [{"login": "octo", "name": "Octo", "email": "octo@example.com"}],
            "orgs": [{"login": "acme", "name": "Acme", "members": [{"login": "octo", "role": "admin"}]}],
            "repos": [
                {"owner": "acme", "name": "orders", "auto_init": true, "private": true},
                {"owner": "acme", "name": "payroll", "auto_init": true, "private": true},
            ],
            "apps": [{
                "app_id": 12345, "slug": "assent", "name": "Assent", "private_key": private_key(),
                "permissions": {"issues": "write", "contents": "read", "metadata": "read"},
                "events": [],
                "installations": [{
                    "installation_id": 7, "account": "acme", "repository_selection": "all",
                }],
            }],
        },
    });
    // JSON is YAML too.
    let seeded = folder.path().join("seed.yaml");
    std::fs::write(&seeded, seed.to_string()).unwrap();
    let emulate = Running::start("emulate", |port| {
        let mut node = Command::new(tools::node());
        node.arg(tools::node_modules().join("emulate/dist/index.js"));
        node.args(["start", "--service", "github", "--port", &port.to_string(), "--seed"]);
        node.arg(&seeded).current_dir(folder.path());
        node
    })
    .await;
    let clock = Clock::system();
    let behind = Some(emulate.url());
    let github = Github::start(move || clock.now().as_millis(), behind).await;
    std::fs::write(folder.path().join("app.pem"), private_key()).unwrap();
    std::fs::set_permissions(
        folder.path().join("app.pem"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let key = format!("private_key_file: {}", folder.path().join("app.pem").display());
    let text = installations::brokers_yaml(&github.stand_in.url, &key);
    let mut binary = serving(folder.path(), github::POLICY, &text).await;
    let intent = ["--kind", "github.triage", "--environment", "free", "--broker", "github-orders"];
    let script = "
import os, requests
api, token = os.environ['ASSENT_FIELD_API_URL'], os.environ['GH_ENTERPRISE_TOKEN']
assert api.endswith(os.environ['GH_HOST']) and 'GH_TOKEN' not in os.environ
headers = {'authorization': 'Bearer ' + token}
made = requests.post(api + '/repos/acme/orders/issues', json={'title': 'x'}, headers=headers)
other = requests.post(api + '/repos/acme/payroll/issues', json={'title': 'x'}, headers=headers)
print(made.status_code, made.json()['user']['login'], other.status_code, token)
";
    let said = run(&binary, &intent, script, &[("GH_TOKEN", "somebody-elses")]).await;
    let words: Vec<&str> = said.split(' ').collect();
    assert_eq!(words[..2], ["201", "assent[bot]"], "{said}");
    assert!(["403", "404"].contains(&words[2]), "another repository: {said}");
    settled(&binary, "closed").await;
    let after = reqwest::Client::new()
        .get(format!("{}/repos/acme/orders/issues", github.stand_in.url))
        .bearer_auth(words[3])
        .send()
        .await
        .unwrap();
    assert_eq!(after.status().as_u16(), 401);
    binary.kill().await;
}
