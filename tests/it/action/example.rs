//! The workflows of `examples/github`, run as they stand there: the same steps, inputs and commands.

use std::collections::BTreeMap;

use serde_json::Value;

use super::world::World;
use crate::runner::{Ended, Job, evaluated, root, yaml};

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

    /// Runs a job of it, with what this world has in place of `assent.example.com`, and then the end of
    /// its steps.
    pub(super) async fn run(&mut self, name: &str, job: &Job, world: &World) -> JobEnded {
        let (mut ended, mut left) = (JobEnded::default(), Vec::new());
        let mut contexts = self.given.clone();
        for step in self.workflow["jobs"][name]["steps"].as_array().unwrap() {
            let text = |value: &Value| match value {
                Value::String(text) => evaluated(text, &contexts),
                other => other.to_string(),
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
