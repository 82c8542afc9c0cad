//! What the templates show, made from what callers are shown.

use askama::Template;
use assent_core::time::Span;
use assent_core::{endorsement, wire};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::api::error::ApiError;
use crate::app::AppError;
use crate::rates::seconds;
use crate::web::assets;
use crate::web::live::Live;
use crate::web::people::Name;
use crate::web::risk;
use crate::web::text::{LookAlike, hides, look_alikes_in_name, look_alikes_in_prose, plain};
use crate::web::when;

/// What every page has.
pub(super) struct Page {
    pub(super) title: String,
    pub(super) person: Option<Name>,
    pub(super) csrf: String,
    pub(super) bars: Vec<Bar>,
    /// Whether whoever looks at it administers.
    pub(super) administers: bool,
    /// Whether nothing is kept from them.
    pub(super) reads_everything: bool,
    /// The entry of the navigation that it belongs to, by its address.
    pub(super) here: &'static str,
    /// Since when it is to be kept true, where it is.
    pub(super) live: Option<Live>,
}

/// What stands above whatever a page shows.
#[derive(Clone)]
pub(super) struct Bar {
    pub(super) text: String,
    pub(super) lines: Vec<String>,
    pub(super) link: Option<String>,
    pub(super) urgent: bool,
}

impl Page {
    pub(super) fn anonymous(title: &str) -> Self {
        let (csrf, bars) = (String::new(), Vec::new());
        let title = title.to_owned();
        Self {
            title,
            person: None,
            csrf,
            bars,
            administers: false,
            reads_everything: false,
            here: "",
            live: None,
        }
    }

    /// The same, as a part of the site that the navigation leads to.
    pub(super) fn at(self, here: &'static str) -> Self {
        Self { here, ..self }
    }

    /// The same, to be kept true from then on.
    pub(super) fn live(self, live: Live) -> Self {
        Self { live: Some(live), ..self }
    }

    /// Whether it is a part of what this entry of the navigation leads to.
    pub(super) fn is_here(&self, path: &str) -> bool {
        self.here == path
    }

    /// Where its style is.
    pub(super) fn style(&self) -> &'static str {
        assets::style()
    }

    /// Where the script is that keeps it true.
    pub(super) fn script(&self) -> &'static str {
        assets::live()
    }

    /// Where the script of passkeys is.
    pub(super) fn passkey_script(&self) -> &'static str {
        assets::passkey()
    }

    /// The parts of the site that are open to whoever looks.
    pub(super) fn navigation(&self) -> Vec<(&'static str, &'static str)> {
        let mut all = vec![("/", "Inbox"), ("/history", "History"), ("/policy", "Policy")];
        if self.reads_everything {
            all.extend([("/insights", "Insights"), ("/audit", "Audit")]);
        }
        all.push(("/settings", "Settings"));
        all
    }
}

pub(super) fn html(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made\n").into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "fault.html")]
struct FaultPage {
    page: Page,
    detail: String,
    errors: Vec<String>,
}

pub(super) fn fault(error: AppError) -> Response {
    refused(&ApiError::from(error))
}

pub(super) fn refused(error: &ApiError) -> Response {
    error.log();
    let page = FaultPage {
        page: Page::anonymous("That did not work"),
        detail: plain(error.detail()),
        errors: error.faults().map(|text| plain(&text)).collect(),
    };
    with_wait((error.status(), html(&page)).into_response(), error.wait())
}

/// An answer that says how long to wait before trying again (RFC 9110 section 10.2.3), where that is known.
pub(super) fn with_wait(mut answer: Response, wait: Option<Span>) -> Response {
    if let Some(wait) = wait {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds(wait).into());
    }
    answer
}

/// What will happen, in one sentence.
pub(super) fn sentence(intent: &wire::Intent) -> String {
    risk::sentence(intent, None, None)
}

/// Whether anything hides in what the requester wrote, or in the names of where it comes from.
pub(super) fn has_hidden(request: &wire::Request) -> bool {
    has_hidden_words(&request.intent) || request.source.as_ref().is_some_and(has_hidden_name)
}

/// Names of branches and workflows are chosen by whoever pushes them.
fn has_hidden_name(source: &wire::Source) -> bool {
    let wire::Source { reference, workflow, event, actor, .. } = source;
    [reference, workflow, event, actor].into_iter().flatten().any(|name| hides(name))
}

fn has_hidden_words(intent: &wire::Intent) -> bool {
    hides(&intent.reason)
        || intent.context.iter().any(|(key, value)| hides(key) || has_hidden_text(value))
        || intent.target.iter().any(|(key, value)| hides(key) || hides(value))
}

/// What of a request looks like something else: its names, and what the requester wrote. Each with where
/// it stands.
pub(super) fn look_alikes(request: &wire::Request) -> Vec<(String, LookAlike)> {
    let intent = &request.intent;
    let mut found = Vec::new();
    let mut note = |place: &str, some: Vec<LookAlike>| {
        found.extend(some.into_iter().map(|one| (place.to_owned(), one)));
    };
    note("the reason", look_alikes_in_prose(&intent.reason));
    for (key, value) in &intent.target {
        note(&format!("the target {}", plain(key)), look_alikes_in_name(value));
    }
    for value in intent.context.values() {
        each_text(value, &mut |text| {
            note("what the requester also says", look_alikes_in_prose(text))
        });
    }
    if let Some(wire::Source { reference, workflow, actor, .. }) = &request.source {
        for (place, name) in
            [("the branch or tag", reference), ("the workflow", workflow), ("the actor", actor)]
        {
            note(place, name.as_deref().map(look_alikes_in_name).unwrap_or_default());
        }
    }
    note("the requester", look_alikes_in_name(&request.requester.sub));
    found.dedup();
    found.truncate(MOST_LOOK_ALIKES);
    found
}

/// So many are told of; one is reason enough to look closely.
const MOST_LOOK_ALIKES: usize = 8;

fn each_text(value: &serde_json::Value, look: &mut dyn FnMut(&str)) {
    use serde_json::Value;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => look(text),
        Value::Array(elements) => elements.iter().for_each(|element| each_text(element, look)),
        Value::Object(members) => {
            for (key, member) in members {
                look(key);
                each_text(member, look);
            }
        }
    }
}

/// Whether a text somewhere in there hides something: as JSON it would be written out already.
fn has_hidden_text(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => hides(text),
        Value::Array(elements) => elements.iter().any(has_hidden_text),
        Value::Object(members) => {
            members.iter().any(|(key, value)| hides(key) || has_hidden_text(value))
        }
    }
}

/// A question of another organisation's authority: who asks, for whom, and about what.
pub(super) struct Question {
    pub(super) authority: String,
    pub(super) url: String,
    pub(super) requester: String,
    pub(super) behind: String,
    pub(super) sentence: String,
    pub(super) fields: Vec<(String, String)>,
    pub(super) context: Option<String>,
}

/// What another authority asks about, where the intent is such a question. Only that authority itself
/// files one, which is seen to when it is filed.
pub(super) fn question(intent: &wire::Intent) -> Option<Question> {
    if intent.kind != endorsement::KIND {
        return None;
    }
    let text = |name: &str| intent.context.get(name).and_then(|value| value.as_str());
    let about: wire::Intent = serde_json::from_value(intent.context.get("intent")?.clone()).ok()?;
    let behind = intent.context.get("behind")?.as_array()?;
    let behind: Vec<_> = behind.iter().filter_map(|who| who.as_str()).map(plain).collect();
    let authority = intent.target.get("authority")?;
    // The link leads to whoever asks, whatever it says.
    let url = text("url").filter(|url| {
        url.strip_prefix(authority.as_str()).is_some_and(|rest| rest.starts_with('/'))
    });
    Some(Question {
        authority: plain(authority),
        url: plain(url.unwrap_or(authority)),
        requester: plain(text("requester")?),
        behind: behind.join(", "),
        sentence: sentence(&about),
        fields: fields(&about),
        context: context(&about),
    })
}

/// Who reviews a stage in another organisation, and where, in one sentence.
pub(super) fn elsewhere(to: &wire::StageElsewhere, problem: Option<&str>) -> Elsewhere {
    let name = plain(&to.authority);
    let text = match to.status.as_str() {
        "waiting" => format!("{name} is asked once the stages before are filled"),
        "unasked" => format!("{name} is about to be asked"),
        "asked" => format!("{name} is asked; its people decide there"),
        "endorsed" => format!("the people of {name} approved it there"),
        _ => format!("what the people of {name} approved was taken back there"),
    };
    let problem = problem.map(plain);
    let link = to.url.clone().unwrap_or_else(|| to.issuer.clone());
    Elsewhere { text, link: plain(&link), problem }
}

/// A stage that another organisation reviews, as people are told of it.
pub(super) struct Elsewhere {
    pub(super) text: String,
    pub(super) link: String,
    pub(super) problem: Option<String>,
}

/// The job that asks, with links that are made here.
pub(super) struct Source {
    pub(super) repository: String,
    pub(super) repository_url: String,
    pub(super) commit: String,
    pub(super) commit_url: String,
    pub(super) run: String,
    pub(super) run_url: String,
    pub(super) more: Vec<(&'static str, String)>,
}

impl From<&wire::Source> for Source {
    fn from(source: &wire::Source) -> Self {
        let said = [
            ("branch or tag", &source.reference),
            ("workflow", &source.workflow),
            ("started by", &source.event),
            ("actor", &source.actor),
            ("changes looked at since", &source.changes_since),
            ("commits of unknown authors", &source.unknown_authors),
        ];
        let more =
            said.into_iter().filter_map(|(name, value)| Some((name, plain(value.as_ref()?))));
        Self {
            repository: source.repository.clone(),
            repository_url: source.repository_url.clone(),
            commit: source.commit.clone(),
            commit_url: source.commit_url.clone(),
            run: source.run.clone(),
            run_url: source.run_url.clone(),
            more: more.collect(),
        }
    }
}

/// The fields of an intent, in the order in which people read them.
pub(super) fn fields(intent: &wire::Intent) -> Vec<(String, String)> {
    let mut fields = vec![
        ("kind".to_owned(), intent.kind.clone()),
        ("environment".to_owned(), intent.environment.clone()),
    ];
    fields.extend(intent.target.iter().map(|(key, value)| (format!("target {key}"), plain(value))));
    fields.extend(intent.plan.iter().map(|digest| ("plan".to_owned(), digest.clone())));
    fields.extend(intent.digest.iter().map(|digest| ("exact thing".to_owned(), digest.clone())));
    fields.extend(intent.duration.iter().map(|span| ("for".to_owned(), when::written(span))));
    fields
}

/// What a change of policy changes, line by line.
pub(super) fn diff(intent: &wire::Intent) -> Option<String> {
    let diff = intent.context.get("diff")?.as_str()?;
    (intent.kind == assent_core::policy::changes::KIND).then(|| plain(diff))
}

/// The requester's free JSON, as it is digested; without the diff where that stands by itself.
pub(super) fn context(intent: &wire::Intent) -> Option<String> {
    let mut context = intent.context.clone();
    if diff(intent).is_some() {
        context.remove("diff");
        if context.get("before").is_some_and(serde_json::Value::is_null) {
            context.remove("before");
        }
    }
    let is_empty = context.is_empty();
    let text = serde_json::to_string_pretty(&serde_json::Value::Object(context));
    (!is_empty).then(|| plain(&text.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_hides_deep_inside_is_noticed() {
        let intent = |context: serde_json::Value| wire::Intent {
            context: context.as_object().unwrap().clone(),
            ..wire::Intent::default()
        };
        assert!(!has_hidden_words(&intent(json!({"diff": "a\nb", "list": [1, null, {"k": "v"}]}))));
        for hidden in [
            json!({"diff": "a\u{1b}[2J"}),
            json!({"list": ["a", {"k": "b\u{202e}"}]}),
            json!({"list": [{"k\u{200b}": "b"}]}),
        ] {
            assert!(has_hidden_words(&intent(hidden.clone())), "{hidden}");
        }
    }
}
