//! The workflows of `examples/github`, run as they stand there: the same steps, inputs and commands.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use assent_client::wire;
use serde_json::Value;

use super::world::World;
use crate::runner::{Ended, Job, evaluated, root, yaml};
use crate::support::{approve, eventually};

/// What others' actions do is the test's to have done.
const OTHERS: [&str; 2] = ["actions/checkout@", "hashicorp/setup-terraform@"];

/// A workflow, and what the jobs of its run gave out so far.
pub(super) struct Example {
    workflow: Value,
    given: BTreeMap<String, String>,
}

/// A job that has ended.
#[derive(Debug, Default)]
pub(super) struct JobEnded {
    /// The step that failed, by its name.
    pub(super) failed: Option<String>,
    /// The main stages of steps that use the action.
    pub(super) used: Vec<Ended>,
    /// What scripts printed.
    pub(super) said: String,
}

impl JobEnded {
    /// The job, each of whose steps must have gone on.
    #[track_caller]
    pub(super) fn succeeds(self) -> Self {
        assert_eq!(self.failed, None, "{self:#?}");
        self
    }

    /// The job, which must have failed in this step.
    #[track_caller]
    pub(super) fn fails_in(self, step: &str) -> Self {
        assert_eq!(self.failed.as_deref(), Some(step), "{self:#?}");
        self
    }
}

impl Example {
    pub(super) fn read(name: &str) -> Self {
        let file = root().join("examples/github").join(name);
        let workflow = yaml(&std::fs::read_to_string(file).unwrap());
        Self { workflow, given: BTreeMap::new() }
    }

    /// The same in a context that says this too.
    fn where_it_says(mut self, name: &str, value: &str) -> Self {
        self.given.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Runs a job of it, with what this world has in place of `assent.example.com`, and then the end of
    /// its steps.
    pub(super) async fn run(&mut self, name: &str, job: &Job, world: &World) -> JobEnded {
        let (mut ended, mut left) = (JobEnded::default(), Vec::new());
        let mut contexts = self.given.clone();
        for step in self.workflow["jobs"][name]["steps"].as_array().unwrap() {
            let text = |value: &Value| {
                value.as_str().map_or_else(|| value.to_string(), |text| evaluated(text, &contexts))
            };
            let texts = |map: &Value| -> BTreeMap<String, String> {
                let members = map.as_object().into_iter().flatten();
                members.map(|(name, value)| (name.clone(), text(value))).collect()
            };
            let uses = step["uses"].as_str().unwrap_or_default();
            let succeeds = if let Some(script) = step["run"].as_str() {
                let output = job.shell(&evaluated(script, &contexts), &texts(&step["env"])).await;
                ended.said += &String::from_utf8_lossy(&[output.stdout, output.stderr].concat());
                output.status.success()
            } else if uses.starts_with("assent-dev/assent/action@") {
                let mut with = texts(&step["with"]);
                with.insert("url".to_owned(), world.base());
                let with: Vec<_> = with.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                let mut used = job.step(&world.action, &with);
                let main = used.main().await;
                main.variables.iter().for_each(|(name, value)| job.set(name, value));
                let id = step["id"].as_str().unwrap_or_default();
                contexts.extend(
                    main.outputs
                        .iter()
                        .map(|(n, v)| (format!("steps.{id}.outputs.{n}"), v.clone())),
                );
                let succeeds = main.code == Some(0);
                ended.used.push(main);
                left.push(used);
                succeeds
            } else {
                assert!(OTHERS.iter().any(|other| uses.starts_with(other)), "{step}");
                true
            };
            if !succeeds {
                ended.failed = Some(step["name"].as_str().unwrap().to_owned());
                break;
            }
        }
        job.context("job.status", if ended.failed.is_some() { "failure" } else { "success" });
        for used in left.iter().rev() {
            used.post().await.exits(0);
        }
        for (output, value) in
            self.workflow["jobs"][name]["outputs"].as_object().into_iter().flatten()
        {
            let value = evaluated(value.as_str().unwrap(), &contexts);
            self.given.insert(format!("needs.{name}.outputs.{output}"), value);
        }
        ended
    }
}

/// A program of the workspace, which copies what it is told and keeps the credential that it finds.
fn deploys(job: &Job) {
    let program = "#!/bin/sh\nset -e\necho \"$@\" >deployed\ntest -z \"$CREDENTIAL_FILE\" || \
                   cp \"$CREDENTIAL_FILE\" credential\n";
    let file = job.at("workspace/deploy.sh");
    fs::write(&file, program).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    let made = "deploy:\n\t@./deploy.sh \"$(CREDENTIAL_FILE)\"\n";
    fs::write(job.at("workspace/Makefile"), made).unwrap();
}

fn deployed(job: &Job) -> String {
    fs::read_to_string(job.at("workspace/deployed")).unwrap().trim().to_owned()
}

#[tokio::test]
async fn the_examples_of_one_job_deploy_with_a_credential_that_ends_with_it() {
    let gate = Example::read("deploy-gate.yml");
    let reusable = Example::read("reusable-workflow.yml")
        .where_it_says("inputs.environment", "production")
        .where_it_says("inputs.audience", "orders");
    for mut example in [gate, reusable] {
        let world = World::new().await;
        let job = world.another_job();
        deploys(&job);
        let deciding = async { approve(&world.bob().await, &world.asked().await).await.unwrap() };
        let (ended, _) = tokio::join!(example.run("deploy", &job, &world), deciding);
        let ended = ended.succeeds();
        assert!(deployed(&job).ends_with(ended.used[0].output("credential-file")));
        let held = fs::read(job.at("workspace/credential")).unwrap();
        let held: wire::Credential = serde_json::from_slice(&held).unwrap();
        assert!(!world.is_live(&held.token).await, "the job is over");
        assert!(!std::path::Path::new(ended.used[0].output("credential-file")).exists());
    }
}

#[tokio::test]
async fn the_example_of_a_matrix_asks_once() {
    let world = World::new().await;
    let regions = ["eu-central-1", "us-east-1", "ap-southeast-2"];
    let jobs = regions.map(|_| world.another_job());
    let mut examples =
        regions.map(|region| Example::read("matrix.yml").where_it_says("matrix.region", region));
    for job in &jobs {
        job.context("strategy.job-total", "3");
        deploys(job);
    }
    let deciding = async {
        let request = world.asked().await;
        let wait = |call: &String| call.ends_with("/wait");
        let waits = || world.relay.asked_by_jobs().iter().filter(|call| wait(call)).count();
        eventually("three waits", async || (waits() >= 3).then_some(())).await;
        approve(&world.bob().await, &request).await.unwrap();
    };
    let [one, two, three] = &mut examples;
    let ended = tokio::join!(
        one.run("deploy", &jobs[0], &world),
        two.run("deploy", &jobs[1], &world),
        three.run("deploy", &jobs[2], &world),
        deciding,
    );
    for ended in [ended.0, ended.1, ended.2] {
        ended.succeeds();
    }
    assert_eq!(jobs.each_ref().map(deployed), regions);
    assert_eq!(world.requests().await.len(), 1);
}
