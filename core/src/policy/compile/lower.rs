//! A rule as it is written becomes the rule that is asked: names replaced by what they stand for.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::policy::ask::{Ask, Attachment, Engine};
use crate::policy::document::{self, EngineText, Fault, Place, PolicyDocument, StageText};
use crate::policy::partner::Partner;
use crate::policy::record::Records;
use crate::policy::ruling::{PostReview, Stage};
use crate::policy::{Asking, Effect, Requiring, Rule};

/// `None` where a fault was found.
pub(super) fn lower(
    rule: &document::Rule,
    records: &Records,
    attachments: &[&PolicyDocument],
    faults: &mut Vec<Fault>,
) -> Option<Rule> {
    let effect = match &rule.effect {
        document::Effect::Deny { message, waivable, notify } => {
            Effect::Deny { message: message.clone(), waivable: *waivable, notify: notify.clone() }
        }
        document::Effect::Require(require) => Effect::Require(Requiring {
            owners: owners(&require.stages),
            stages: ordered(&rule.id, &require.stages, require.parallel, records),
            expires_after: require.expires_after,
            limits: require.limits.clone(),
            notify: require.notify.clone(),
        }),
        document::Effect::Allow(allow) => Effect::Allow {
            waives: allow.waives.iter().map(|(_, id)| id.clone()).collect(),
            limits: allow.limits.clone(),
            notify: allow.notify.clone(),
            post_review: allow.post_review.as_ref().map(|review| PostReview {
                rule: rule.id.clone(),
                approvals: review.approvals,
                by: review.by.clone(),
                within: review.within,
                suspend: review.suspend.as_ref().map(|(_, id)| id.clone()),
                notify: review.notify.clone(),
            }),
        },
        document::Effect::Ask(ask) => Effect::Ask(Asking {
            ask: asking(&rule.id, &ask.place, &ask.engine, attachments, faults)?,
            stages: Requiring {
                owners: owners(&ask.stages),
                stages: ordered(&rule.id, &ask.stages, false, records),
                expires_after: None,
                limits: document::Limits::default(),
                notify: BTreeSet::new(),
            },
            waives: ask.waives.iter().map(|(_, id)| id.clone()).collect(),
        }),
    };
    Some(Rule {
        id: rule.id.clone(),
        place: rule.place.clone(),
        description: rule.description.clone(),
        when: rule.when.clone(),
        effect,
    })
}

fn owners(stages: &[StageText]) -> BTreeSet<String> {
    stages.iter().filter(|stage| stage.owners).map(|stage| stage.name.clone()).collect()
}

fn asking(
    rule: &str,
    place: &Place,
    engine: &EngineText,
    attachments: &[&PolicyDocument],
    faults: &mut Vec<Fault>,
) -> Option<Ask> {
    let mut attached = |names: &[(Place, String)]| -> Option<Vec<Attachment>> {
        let mut found = Vec::new();
        for (place, name) in names {
            match attachments.iter().find(|file| is_beside(&file.file, name, &place.file)) {
                Some(file) => {
                    let text = Arc::from(file.text.as_str());
                    found.push(Attachment { file: file.file.clone(), text });
                }
                None => {
                    let message = format!("there is no file `{name}` in this document's directory");
                    faults.push(Fault { place: place.clone(), message });
                }
            }
        }
        (found.len() == names.len()).then_some(found)
    };
    let (engine, shape) = match engine {
        EngineText::Rego { files, data, v0, shape } => {
            let (modules, data) = (attached(files), attached(data));
            (Engine::Rego { modules: modules?, data: data?, v0: *v0 }, shape)
        }
        EngineText::Opa { url, token_file, ca_file, timeout, shape } => {
            let (url, timeout) = (url.clone(), *timeout);
            let (token_file, ca_file) = (token_file.clone(), ca_file.clone());
            (Engine::Opa { url, token_file, ca_file, timeout }, shape)
        }
    };
    let needs_query = shape.dialect == crate::policy::ask::Dialect::HcpTerraform;
    if needs_query && shape.query.is_none() && matches!(engine, Engine::Rego { .. }) {
        let message = "the dialect hcp-terraform needs a `query`".to_owned();
        faults.push(Fault { place: place.clone(), message });
        return None;
    }
    Some(Ask {
        rule: rule.to_owned(),
        place: place.clone(),
        engine,
        dialect: shape.dialect,
        query: shape.query.clone(),
        namespace: shape.namespace.clone(),
        hidden: shape.hidden,
    })
}

/// Whether `file` is what a document in `document` means by `name`: a path from its own directory
/// downwards.
fn is_beside(file: &str, name: &str, document: &str) -> bool {
    let directory = document.rsplit_once('/').map_or("", |(directory, _)| directory);
    let inside = match directory {
        "" => Some(file),
        directory => file.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')),
    };
    inside == Some(name)
}

/// Stages of one rule run in their order, unless they stand side by side.
pub(super) fn ordered<'s>(
    rule: &str,
    stages: impl IntoIterator<Item = &'s StageText>,
    parallel: bool,
    records: &Records,
) -> Vec<Stage> {
    let partner = |name: &String| records.authorities.get(name).map(Partner::asked).cloned();
    let mut after = None;
    let mut ordered = Vec::new();
    for stage in stages {
        ordered.push(Stage {
            name: stage.name.clone(),
            rules: BTreeSet::from([rule.to_owned()]),
            approvals: stage.approvals,
            from: stage.from.clone(),
            elsewhere: stage.authority.as_ref().and_then(partner),
            exclude: stage.exclude.clone(),
            after: if parallel { None } else { after.replace(stage.name.clone()) },
            login_within: stage.login_within,
            signature: stage.signature,
            means: stage.means.clone(),
            expires_after: stage.expires_after,
            escalate: stage.escalate.clone(),
            remind: stage.remind,
        });
    }
    ordered
}
