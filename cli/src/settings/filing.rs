//! A typed intent, settled: what is filed.

use std::collections::BTreeMap;

use assent_client::wire::{Filing, Intent};

use crate::args::{IntentArgs, Target};
use crate::commands::HandedIn;
use crate::failure::Failure;

/// What is filed. Everything that can be seen to be wrong here is refused before anybody is asked.
pub(crate) fn filing(
    args: IntentArgs,
    plan: Option<&HandedIn>,
    reason: String,
    reattach: bool,
) -> Result<Filing, Failure> {
    let IntentArgs { kind, environment, target, digest, context, duration, .. } = args;
    let digest = digest.or(plan.map(|plan| plan.file));
    let intent = Intent {
        kind,
        environment,
        target: targets(target)?,
        digest: digest.map(|digest| digest.to_string()),
        plan: plan.map(|plan| plan.plan.to_string()),
        context: context.unwrap_or_default(),
        reason,
        duration: duration.map(|span| span.to_string()),
    };
    if let Err(faults) = intent.clone().verify() {
        let failure = Failure::usage("this cannot be asked for");
        return Err(faults.iter().fold(failure, Failure::because));
    }
    Ok(Filing { intent, reattach, heartbeat: None })
}

/// The targets by name; one that is given twice is refused.
pub(crate) fn targets(targets: Vec<Target>) -> Result<BTreeMap<String, String>, Failure> {
    let mut map = BTreeMap::new();
    for Target { name, value } in targets {
        if map.contains_key(&name) {
            return Err(Failure::usage(format!("--target `{name}` is given twice")));
        }
        map.insert(name, value);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use assent_core::digest::Digest;

    use super::*;

    fn args(targets: &[&str]) -> IntentArgs {
        IntentArgs {
            kind: "terraform.apply".to_owned(),
            environment: "production".to_owned(),
            target: targets.iter().map(|text| text.parse().unwrap()).collect(),
            plan: None,
            digest: None,
            context: None,
            duration: None,
        }
    }

    #[test]
    fn targets_become_a_map() {
        let filing = filing(args(&["a=1", "b=2"]), None, "why".to_owned(), true).unwrap();
        assert_eq!(filing.intent.target["b"], "2");
        assert!(filing.reattach);
    }

    #[test]
    fn the_plan_file_is_the_exact_thing_unless_another_is_named() {
        let (plan, file) = (Digest::of(b"json"), Digest::of(b"file"));
        let handed_in = HandedIn { plan, file, is_saved: true, changes: 1 };
        let intent = filing(args(&[]), Some(&handed_in), "why".to_owned(), false).unwrap().intent;
        assert_eq!((intent.plan, intent.digest), (Some(plan.to_string()), Some(file.to_string())));
        let other = IntentArgs { digest: Some(Digest::of(b"x")), ..args(&[]) };
        let intent = filing(other, Some(&handed_in), "why".to_owned(), false).unwrap().intent;
        assert_eq!(intent.digest, Some(Digest::of(b"x").to_string()));
    }

    #[test]
    fn a_target_given_twice_is_refused() {
        assert!(filing(args(&["a=1", "a=2"]), None, "why".to_owned(), false).is_err());
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let mut args = args(&[]);
        args.kind = "Terraform Apply".to_owned();
        match filing(args, None, " ".to_owned(), false).unwrap_err() {
            Failure::Told(told) => assert_eq!(told.causes.len(), 2),
            Failure::OutputClosed => panic!("faults are told"),
        }
    }
}
