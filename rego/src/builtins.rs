//! The functions a policy may call, by name. What is not listed is refused when the module is
//! loaded, because the engine would only notice when it came by.

use regorus::unstable::{BUILTINS, Expr, Ref, Span};
use regorus::{Extension, Source, Value};

use crate::syntax;

/// Bound to the time of the question, so that equal questions have equal answers.
pub(crate) const NOW: &str = "time.now_ns";

/// Functions that are there and whose answer depends on the arguments alone.
#[rustfmt::skip]
pub(crate) const KNOWN: &[&str] = &[
    "abs", "array.concat", "array.reverse", "array.slice", "base64.decode", "base64.encode",
    "base64.is_valid", "base64url.decode", "base64url.encode", "base64url.encode_no_pad", "bits.and",
    "bits.lsh", "bits.negate", "bits.or", "bits.rsh", "bits.xor", "ceil", "concat", "contains",
    "count", "endswith", "floor", "format_int", "glob.match", "glob.quote_meta", "graph.reachable",
    "graph.reachable_paths", "hex.decode", "hex.encode", "indexof", "indexof_n", "intersection",
    "is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string",
    "json.filter", "json.is_valid", "json.marshal", "json.marshal_with_options", "json.patch",
    "json.remove", "json.unmarshal", "lower", "max", "min", "net.cidr_contains", "net.cidr_expand",
    "net.cidr_is_valid", "numbers.range", "numbers.range_step", "object.filter", "object.get",
    "object.keys", "object.remove", "object.subset", "object.union", "object.union_n", "print",
    "product", "regex.find_all_string_submatch_n", "regex.find_n", "regex.is_valid", "regex.match", "regex.replace", "regex.split",
    "regex.template_match", "replace", "round", "semver.compare", "semver.is_valid", "sort", "split",
    "sprintf", "startswith", "strings.any_prefix_match", "strings.any_suffix_match",
    "strings.count", "strings.replace_n", "strings.reverse", "substring", "sum", "time.add_date",
    "time.clock", "time.date", "time.diff", "time.format", NOW, "time.parse_duration_ns",
    "time.parse_ns", "time.parse_rfc3339_ns", "time.weekday", "to_number", "trim", "trim_left",
    "trim_prefix", "trim_right", "trim_space", "trim_suffix", "type_name", "union", "units.parse",
    "units.parse_bytes", "upper", "urlquery.decode", "urlquery.decode_object", "urlquery.encode",
    "urlquery.encode_object", "walk", "yaml.is_valid", "yaml.marshal", "yaml.unmarshal",
];

/// Functions that OPA has and that are refused, and why.
const BANNED: &[(&str, &str)] = &[
    ("http.send", "reaches the network; put what it would fetch into `data`"),
    ("net.lookup_ip_addr", "reaches the network; put addresses into `data`"),
    ("opa.runtime", "shows the machine it runs on"),
    ("rand.intn", "answers differently each time"),
    ("uuid.rfc4122", "answers differently each time"),
    ("rego.parse_module", "parses what it is given"),
    ("trace", "is OPA's; use print"),
];

/// Functions of which the engine says "no value" where OPA, asked to be strict, says "error": for
/// an address that is none, a text that should have been a list. A rule that denies would fall
/// silent over it, so here it is an error.
pub(crate) const STRICTER: &[&str] = &[
    "array.slice",
    "bits.and",
    "bits.lsh",
    "bits.negate",
    "bits.or",
    "bits.rsh",
    "bits.xor",
    "graph.reachable",
    "graph.reachable_paths",
    "net.cidr_contains",
    "object.union_n",
    "regex.replace",
    "regex.template_match",
    "strings.any_prefix_match",
    "strings.any_suffix_match",
    "substring",
    "time.add_date",
];

/// The engine's function with "no value" made an error.
pub(crate) fn stricter(name: &'static str) -> Option<(u8, Box<dyn Extension>)> {
    let (function, arity) = *BUILTINS.get(name)?;
    // The function wants to know where its arguments stand. Whoever calls this knows and says so.
    let source = Source::from_contents(String::new(), String::new()).ok()?;
    let span = Span { source, line: 1, col: 1, start: 0, end: 0 };
    let argument = Ref::new(Expr::Null { span: span.clone(), value: Value::Null, eidx: 0 });
    let arguments = vec![argument; usize::from(arity)];
    let strict = move |values: Vec<Value>| {
        let value = function(&span, &arguments, &values, true);
        // Without the place, which is not one.
        let value = value.map_err(|e| Refusal(syntax::told(&e.to_string(), "").message))?;
        match value {
            Value::Undefined => {
                Err(Refusal(format!("`{name}` has no value for these arguments")).into())
            }
            value => Ok(value),
        }
    };
    Some((arity, Box::new(strict)))
}

/// What a function says of its arguments.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

/// Why a function is refused, if it is refused by name.
pub(crate) fn banned(name: &str) -> Option<&'static str> {
    BANNED.iter().find(|(banned, _)| *banned == name).map(|(_, why)| *why)
}

/// Whether it is one of [`KNOWN`].
pub(crate) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

/// How many arguments it takes, where the engine says so.
pub(crate) fn arity(name: &str) -> Option<usize> {
    BUILTINS.get(name).map(|(_, arity)| usize::from(*arity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_has_what_the_list_says() {
        for name in KNOWN {
            assert!(*name == "print" || arity(name).is_some(), "{name}");
            assert!(banned(name).is_none(), "{name}");
        }
        for name in STRICTER {
            assert!(is_known(name) && stricter(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_function_that_the_engine_gains_is_listed_or_left_out_on_purpose() {
        let left_out = [
            // The compiler's own names for `&` and `|`.
            "__builtin_sets.intersection",
            "__builtin_sets.union",
        ];
        let mut unknown: Vec<_> = BUILTINS.keys().copied().collect();
        unknown.retain(|name| !is_known(name) && banned(name).is_none());
        unknown.retain(|name| !left_out.contains(name));
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
