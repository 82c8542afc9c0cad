//! Writes annotations out where a policy asks for them.
//!
//! `rego.metadata.rule()` gives the annotations of the rule it stands in: YAML in the comment
//! block above the rule that begins with `# METADATA`. The engine does not have the call, so it is
//! replaced by the object it would give.

use regorus::Value;

use crate::source::{Fault, Kind, Module, Token, line_of, scan};
use crate::syntax;

const CALL: &str = "rego.metadata.rule()";

/// The module with its calls of `rego.metadata.rule()` replaced.
pub(super) fn inlined(module: &Module) -> Result<Module, Fault> {
    let whole =
        |text: &str| scan(text).map_err(|(at, message)| module.fault(line_of(text, at), message));
    let tokens = whole(&module.text)?;
    let calls = calls(&module.text, &tokens);
    if calls.is_empty() {
        return Ok(module.clone());
    }
    let tree = syntax::parse(module)?;
    let starts: Vec<usize> =
        tree.policy.iter().filter_map(|rule| usize::try_from(rule.span().start).ok()).collect();
    let mut text = module.text.clone();
    for call in calls.into_iter().rev() {
        let rule = starts.iter().copied().filter(|start| *start <= call).max().unwrap_or_default();
        let annotations = annotations(module, &tokens, rule)?;
        text.replace_range(call..call + CALL.len(), &annotations);
    }
    whole(&text)?;
    Ok(Module { text, ..module.clone() })
}

/// Where the call stands outside strings and comments.
fn calls(text: &str, tokens: &[Token]) -> Vec<usize> {
    let hidden = |at: usize| {
        tokens.iter().any(|token| {
            matches!(token.kind, Kind::Text | Kind::Comment) && token.start <= at && at < token.end
        })
    };
    text.match_indices(CALL).map(|(at, _)| at).filter(|at| !hidden(*at)).collect()
}

/// The annotations above a rule, as an object on one line.
///
/// OPA answers `{}` where there are none; a message that was to come from them would be missing
/// and its rule silent, so that is refused here.
fn annotations(module: &Module, tokens: &[Token], rule: usize) -> Result<String, Fault> {
    let fault = |at: usize, message: &str| module.fault(line_of(&module.text, at), message);
    let block = block(module, tokens, rule);
    let begins = block.iter().rposition(|(_, comment)| comment.trim() == "METADATA");
    let Some((begin, (at, _))) = begins.and_then(|begin| Some((begin, block.get(begin)?))) else {
        let message =
            "`rego.metadata.rule()` is asked for, and no `# METADATA` stands above the rule";
        return Err(fault(rule, message));
    };
    let lines = block.iter().skip(begin + 1);
    let yaml: Vec<&str> = lines.map(|(_, text)| text.strip_prefix(' ').unwrap_or(text)).collect();
    let not_yaml = |_| fault(*at, "the annotations are not YAML");
    let mut value = Value::from_yaml_str(&yaml.join("\n")).map_err(not_yaml)?;
    let scope = Value::from("scope");
    let Ok(object) = value.as_object_mut() else {
        return Err(fault(*at, "expected `key: value` lines of annotations"));
    };
    match object.get(&scope) {
        None => {
            object.insert(scope, Value::from("rule"));
        }
        Some(Value::String(scope)) if scope.as_ref() == "rule" => {}
        Some(_) => return Err(fault(*at, "only annotations of scope `rule` are known here")),
    }
    let json = value.to_json_str().ok().and_then(|json| serde_json::from_str(&json).ok());
    let json = json.map(|json: serde_json::Value| json.to_string());
    json.ok_or_else(|| fault(*at, "the annotations cannot be written as JSON"))
}

/// The lines of the comment block above a rule, each with where it begins.
fn block<'a>(module: &'a Module, tokens: &[Token], rule: usize) -> Vec<(usize, &'a str)> {
    let text = module.text.as_str();
    let mut block: Vec<(usize, &str)> = Vec::new();
    let above = tokens.iter().rev().skip_while(|token| token.end > rule);
    for token in above.take_while(|token| token.kind == Kind::Comment) {
        let next = block.first().map_or(rule, |(start, _)| *start);
        let between = text.get(token.end..next).unwrap_or_default();
        // A line of its own ends a block; before the rule there may be empty ones.
        let ends = !block.is_empty() && between.matches('\n').count() != 1;
        if ends || !between.trim().is_empty() || !stands_alone(text, token.start) {
            break;
        }
        let comment = text.get(token.start + 1..token.end).unwrap_or_default();
        block.insert(0, (token.start, comment.trim_end()));
    }
    block
}

fn stands_alone(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    before.rsplit('\n').next().is_some_and(|line| line.trim().is_empty())
}
