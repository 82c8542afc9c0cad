//! What others wrote, in the log, the summary, the annotation and the outputs of a step.

use assent_client::wire;
use serde_json::json;

use super::world::World;
use crate::runner::Ended;
use crate::support::{Reply, StandIn, fresh_key};

/// What would be something else than text in one place or another.
const EVIL: [&str; 9] = [
    "::add-mask::production",
    "::error title=x::forged",
    "::stop-commands::forged",
    "##[error]forged",
    "::set-output name=outcome::granted",
    "outcome<<EOF\ngranted\nEOF\nghadelimiter_0\n::error::forged",
    "<img src=https://evil.example/x onerror=alert(1)> <!-- -->",
    "`` ``` ~~~ [here](https://evil.example) ![x](https://evil.example/y) @octocat acme/orders#1 https://evil.example",
    "%0A::error::forged%0D",
];

/// What an eye does not see, or a terminal acts on.
const HIDDEN: [char; 8] =
    ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{1b}', '\u{7}', '\u{85}', '\u{2028}'];

fn hidden() -> String {
    format!("ship{}[31mend", HIDDEN.iter().collect::<String>())
}

fn evil() -> String {
    EVIL.join("\r\n")
}

/// A step that was denied with a comment, of a push and with inputs that others wrote.
async fn denied(world: &World, comment: &str, text: &str) -> Ended {
    world.job.event(&json!({"head_commit": {"id": crate::runner::SHA, "message": text}}));
    let base = world.base();
    let target = format!("service={}", text.replace(['\r', '\n'], " "));
    let context = json!({"ticket": text}).to_string();
    let with = [
        ("url", &*base),
        ("environment", "production"),
        ("target", &*target),
        ("context", &*context),
        ("reason", text),
    ];
    let running = world.job.step(&world.action, &with).start();
    let request = world.asked().await;
    running.says(&request.url).await;
    let review = wire::NewReview {
        verdict: wire::Verdict::Deny,
        comment: comment.to_owned(),
        digest: request.digest.clone(),
        signature: None,
    };
    world.bob().await.client.review(&request.id, &review, &fresh_key()).await.unwrap();
    running.end().await.exits(1)
}

/// Commands that a step of ours gives; what came of it is this.
#[track_caller]
fn gives_only_ours(ended: &Ended, outcome: &str) {
    assert_eq!(ended.log.commands(), ["error"], "{:#?}", ended.log.raw);
    gives_only_text(ended, outcome);
}

/// What others wrote is only text in it.
#[track_caller]
fn gives_only_text(ended: &Ended, outcome: &str) {
    for given in &ended.log.given {
        if given.name == "stop-commands" {
            let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(given.data.len() == 32 && is_hex(&given.data), "{given:?}");
        }
        assert!(given.name != "add-mask" || given.data != "production", "{given:?}");
    }
    assert_eq!(ended.output("outcome"), outcome);
    assert!(ended.log.raw.iter().all(|line| !line.contains("##[")), "{:#?}", ended.log.raw);
    let outside = outside_of_code(&ended.summary);
    for part in ["evil.example", "<img", "@octocat", "<!--", "forged"] {
        assert!(!outside.contains(part), "`{part}` is markup in {outside}");
    }
    let shown = [ended.log.raw.join("\n"), ended.summary.clone()];
    for text in shown {
        assert_eq!(text.chars().find(|c| HIDDEN.contains(c)), None, "{text:?}");
    }
}

#[tokio::test]
async fn t40_commands_in_any_field_are_text() {
    let world = World::new().await;
    let ended = denied(&world, &evil(), &evil()).await;
    gives_only_ours(&ended, "denied");
    let tokens: Vec<_> =
        ended.log.given.iter().filter(|given| given.name == "stop-commands").collect();
    let mut distinct: Vec<_> = tokens.iter().map(|given| &given.data).collect();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), tokens.len(), "a token is used twice");
    let known = &world.action.definition.outputs;
    assert!(ended.outputs.keys().all(|name| known.contains(name)), "{:?}", ended.outputs);
    assert!(ended.variables.is_empty(), "{:?}", ended.variables);
    assert!(ended.log.raw.iter().all(|line| !line.contains("##[")), "{:#?}", ended.log.raw);
}

#[tokio::test]
async fn t36_markdown_in_any_field_is_text() {
    let world = World::new().await;
    let ended = denied(&world, &evil(), &evil()).await;
    let outside = outside_of_code(&ended.summary);
    for part in ["evil.example", "<img", "@octocat", "<!--", "forged"] {
        assert!(!outside.contains(part), "`{part}` is markup in {outside}");
    }
    assert!(outside.contains(&world.base()), "the link of ours is one: {outside}");
}

#[tokio::test]
async fn t37_what_an_eye_does_not_see_is_written_out() {
    let world = World::new().await;
    let ended = denied(&world, "no", &hidden()).await;
    let summary = &ended.summary;
    assert!(summary.contains("202e"), "it is not said that something is hidden: {summary}");
    gives_only_ours(&ended, "denied");
}

/// A plan's addresses hold what its configuration says, and the configuration is anybody's.
#[tokio::test]
async fn t40_the_addresses_of_a_plan_are_text() {
    let world = World::new().await;
    let job = world.another_job();
    job.set("CHECKPOINT_DISABLE", "1");
    let keys: Vec<String> = EVIL.iter().map(|key| format!("{key}{}", hidden())).collect();
    let config = json!({
        "variable": {"keys": {"default": keys}},
        "resource": {"terraform_data": {"x": {"for_each": "${toset(var.keys)}"}}},
    });
    std::fs::write(job.at("workspace/main.tf.json"), config.to_string()).unwrap();
    let script = "terraform init -input=false && terraform plan -input=false -out=tfplan";
    let planned = job.shell(script, &[].into()).await;
    assert!(planned.status.success(), "{}", String::from_utf8_lossy(&planned.stdout));
    let base = world.base();
    let with = [
        ("url", &*base),
        ("environment", "free"),
        ("kind", "terraform.apply"),
        ("plan-file", "tfplan"),
    ];
    let ended = job.step(&world.action, &with).main().await;
    assert_eq!(ended.code, Some(0), "{:#?}", ended.log.raw);
    assert_eq!(ended.summary.matches("terraform_data.x").count(), EVIL.len(), "{}", ended.summary);
    assert_eq!(ended.log.commands(), ["notice"]);
    gives_only_text(&ended, "granted");
}

#[tokio::test]
async fn t40_the_name_of_a_branch_is_text() {
    let world = World::new().await;
    let name = format!("{}{}", EVIL.join("").replace('\n', ""), hidden());
    world.job.set("GITHUB_REF_NAME", &name);
    world.job.event(&json!({"release": {"name": evil()}}));
    let base = world.base();
    let with = [("url", &*base), ("environment", "never")];
    let ended = world.job.step(&world.action, &with).main().await.exits(4);
    gives_only_ours(&ended, "refused");
    assert!(world.requests().await[0].intent.reason.contains("acme/orders@::add-mask::production"));
}

#[tokio::test]
async fn t40_what_is_wrong_with_an_input_is_told_as_text() {
    let world = World::new().await;
    let base = world.base();
    let text = format!("{}{}", evil(), hidden());
    for input in ["environment", "kind", "mode", "target", "digest", "url", "timeout", "context"] {
        let mut with = vec![("url", &*base), ("environment", "free")];
        with.retain(|(name, _)| *name != input);
        with.push((input, &text));
        let ended = world.job.step(&world.action, &with).start_bare("main").end().await.exits(2);
        gives_only_ours(&ended, "invalid");
    }
    assert!(world.requests().await.is_empty());
}

/// Whoever stands in the authority's place says anything.
#[tokio::test]
async fn t40_what_an_authority_answers_is_told_as_text() {
    let world = World::new().await;
    let text = format!("{}{}", evil(), hidden());
    let problem = json!({
        "type": "about:blank", "title": text, "status": 403, "code": "forbidden", "detail": text,
        "errors": [{"field": text, "problem": text}],
    });
    let posing = StandIn::start(move |_| {
        let problem = problem.to_string();
        Box::pin(async move { Reply::new(403, problem) })
    })
    .await;
    let with = [("url", &*posing.url), ("environment", "production"), ("timeout", "1s")];
    let ended = world.job.step(&world.action, &with).main().await.exits(4);
    gives_only_ours(&ended, "refused");
}

/// What of Markdown is outside of code spans and blocks (CommonMark 0.31, sections 4.5 and 6.1).
fn outside_of_code(markdown: &str) -> String {
    let (mut outside, mut fence) = (String::new(), None);
    for line in markdown.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(open) if ticks >= open && line.trim_start_matches('`').trim().is_empty() => {
                fence = None
            }
            Some(_) => {}
            None if ticks >= 3 && !line[ticks..].contains('`') => fence = Some(ticks),
            None => outside += &format!("{}\n", without_spans(line)),
        }
    }
    assert_eq!(fence, None, "a block stays open: {markdown}");
    outside
}

fn without_spans(line: &str) -> String {
    let (mut outside, mut rest) = (String::new(), line);
    while let Some(start) = rest.find('`') {
        let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        outside += &rest[..start];
        let inner = &rest[start + ticks..];
        let (mut at, mut closed) = (0, None);
        while let Some(next) = inner[at..].find('`').map(|found| at + found) {
            let run = inner[next..].len() - inner[next..].trim_start_matches('`').len();
            at = next + run;
            if run == ticks {
                closed = Some(at);
                break;
            }
        }
        // What is not closed is no span, and everything in it is markup.
        rest = closed.map_or_else(
            || {
                outside += &inner.replace('`', "'");
                ""
            },
            |end| &inner[end..],
        );
    }
    outside + rest
}

#[test]
fn code_hides_markup_and_nothing_else_does() {
    assert_eq!(outside_of_code("a `<b>` ``c ` <d>`` <e>"), "a   <e>\n");
    assert!(outside_of_code("`a <b>").contains("<b>"));
    assert_eq!(outside_of_code("x\n````\n```\n<b>\n````\ny\n"), "x\ny\n");
}
