//! Values as the text of a module.

use std::fmt::Write as _;

use serde_json::Value;

use crate::principal::is_visible;

/// As far as a line may go before a value is broken into several.
const WIDTH: usize = 100;

/// A value in one line. JSON is Rego; what cannot be seen is escaped, since it could hide something.
pub(super) fn plain(value: &Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        if is_visible(c) {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// A value in as many lines as it needs.
pub(super) fn wrapped(value: &Value) -> String {
    let mut text = String::new();
    wrap(value, 0, &mut text);
    text
}

fn wrap(value: &Value, depth: usize, text: &mut String) {
    let whole = plain(value);
    if depth > 1 && depth + whole.len() < WIDTH {
        return text.push_str(&whole);
    }
    let (brackets, members): (_, Vec<(String, &Value)>) = match value {
        Value::Object(members) if !members.is_empty() => {
            let key = |key: &String| format!("{}: ", plain(&Value::from(key.as_str())));
            (('{', '}'), members.iter().map(|(name, value)| (key(name), value)).collect())
        }
        Value::Array(items) if !items.is_empty() => {
            (('[', ']'), items.iter().map(|item| (String::new(), item)).collect())
        }
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => return text.push_str(&whole),
    };
    text.push(brackets.0);
    for (at, (key, value)) in members.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let indent = "\t".repeat(depth + 1);
        let _ = write!(text, "{comma}\n{indent}{key}");
        wrap(value, depth + 1, text);
    }
    let _ = write!(text, "\n{}{}", "\t".repeat(depth), brackets.1);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_in_a_module_hides() {
        let value = json!(["a\u{202e}b", "\u{e0041}", "é`\"\n"]);
        let text = plain(&value);
        assert_eq!(text, r#"["a\u202eb","\udb40\udc41","é`\"\n"]"#);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_long_value_is_broken_into_lines_and_stays_the_same() {
        let value = json!({"a": {"b": vec!["word"; 40], "c": []}, "d": {}});
        let text = wrapped(&value);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
