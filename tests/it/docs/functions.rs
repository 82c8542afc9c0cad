//! What a schema says of a function: how it is called, and what with.

use std::fmt::Write as _;

use serde_json::Value;

use super::attributes::type_in_words;

/// The sections about a function.
pub(super) fn sections(name: &str, function: &Value) -> String {
    let parameters = function["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let variadic = Some(&function["variadic_parameter"]).filter(|it| !it.is_null());
    let mut text = format!("## Signature\n\n```text\n{}\n```\n", signature(name, function));
    if parameters.is_empty() && variadic.is_none() {
        return text;
    }
    text.push_str("\n## Arguments\n\n");
    for (number, parameter) in (1..).zip(parameters.iter().chain(variadic)) {
        let _ = writeln!(text, "{number}. {}", line(parameter, Some(parameter) == variadic));
    }
    text
}

/// `` `name` (String, Nullable) What it is. ``
fn line(parameter: &Value, variadic: bool) -> String {
    let nullable = parameter["is_nullable"] == true;
    let notes = [(variadic, ", Variadic"), (nullable, ", Nullable")];
    let notes: String = notes.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
    let (name, of) = (parameter["name"].as_str().unwrap(), type_in_words(&parameter["type"]));
    let said = parameter["description"].as_str().unwrap_or_default().trim();
    format!("`{name}` ({of}{notes}) {said}").trim_end().to_owned()
}

/// `name(first string, rest ...number) bool`
fn signature(name: &str, function: &Value) -> String {
    let of = |parameter: &Value| type_in_words(&parameter["type"]).to_lowercase();
    let named = |parameter: &Value| parameter["name"].as_str().unwrap().to_owned();
    let parameters = function["parameters"].as_array().into_iter().flatten();
    let mut said: Vec<String> =
        parameters.map(|parameter| format!("{} {}", named(parameter), of(parameter))).collect();
    let variadic = &function["variadic_parameter"];
    if !variadic.is_null() {
        said.push(format!("{} ...{}", named(variadic), of(variadic)));
    }
    let gives = type_in_words(&function["return_type"]).to_lowercase();
    format!("{name}({}) {gives}", said.join(", "))
}

#[test]
fn a_function_says_how_it_is_called() {
    let function = serde_json::json!({
        "return_type": ["list", "string"],
        "parameters": [
            {"name": "value", "type": "dynamic", "is_nullable": true, "description": "A value."},
        ],
        "variadic_parameter": {"name": "more", "type": "number", "description": "More."},
    });
    let text = "## Signature\n\n```text\npick(value dynamic, more ...number) list of string\n```\n\n\
                ## Arguments\n\n\
                1. `value` (Dynamic, Nullable) A value.\n2. `more` (Number, Variadic) More.\n";
    assert_eq!(sections("pick", &function), text);
}
