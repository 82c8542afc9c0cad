//! The schema of `when`: attributes, their types, and the tests that fit them.

use serde_json::{Map, Value, json};

use crate::policy::attribute::{Attribute, CHANGE_MEMBERS, PlanFact, Type};
use crate::policy::document::OPERATORS;
use crate::policy::schema::{Definition, list, of, reference};

/// What a part of a name stands for that the documents choose.
const OPEN: &str = "NAME";

const TYPES: [(Type, &str); 9] = [
    (Type::Text, "text"),
    (Type::Clock, "clock"),
    (Type::Number, "number"),
    (Type::Boolean, "boolean"),
    (Type::Span, "duration"),
    (Type::Instant, "moment"),
    (Type::Texts, "texts"),
    (Type::Maps, "changes"),
    (Type::Json, "json"),
];

pub(super) fn definitions() -> Vec<Definition> {
    let mut all = vec![
        ("when".to_owned(), when(&attributes(), "when", "All of it must hold")),
        (
            "change".to_owned(),
            inner(when(&change_members(), "change", "A change of the plan with all of this")),
        ),
        ("element".to_owned(), inner(element())),
    ];
    for (kind, word) in TYPES {
        all.extend(tests(kind, word));
    }
    all
}

/// Conditions over these names, and `not`, `any` and `all` of more of them.
fn when((fixed, open): &(Map<String, Value>, Map<String, Value>), me: &str, about: &str) -> Value {
    let mut members = fixed.clone();
    members.extend(joined(me));
    json!({
        "description": about,
        "type": "object",
        "properties": members,
        "patternProperties": open,
        "additionalProperties": false,
    })
}

fn joined(me: &str) -> Map<String, Value> {
    [
        ("not", of(me, "Not all of this holds")),
        ("any", list(me, "In one of these maps all holds")),
        ("all", list(me, "In each of these maps all holds")),
    ]
    .into_iter()
    .map(|(word, schema)| (word.to_owned(), schema))
    .collect()
}

/// Conditions within `some` and `every` state something.
fn inner(mut schema: Value) -> Value {
    if let Value::Object(schema) = &mut schema {
        schema.insert("minProperties".to_owned(), json!(1));
    }
    schema
}

/// Conditions on the members of an element that is free JSON: any name may be one.
fn element() -> Value {
    json!({
        "description": "An element of the list with all of this",
        "type": "object",
        "properties": joined("element"),
        "additionalProperties": reference("test-json"),
    })
}

/// Every attribute: by its name, and those with a part of one's own by what they begin with.
fn attributes() -> (Map<String, Value>, Map<String, Value>) {
    let (mut fixed, mut open) = (Map::new(), Map::new());
    for name in Attribute::names() {
        let Some(attribute) = Attribute::named(&name) else { continue };
        let schema = of(&format!("test-{}", word(attribute.type_of())), about(&attribute));
        match name.strip_suffix(OPEN) {
            Some(prefix) => {
                drop(open.insert(format!("^{}.+$", prefix.replace('.', "\\.")), schema))
            }
            None => drop(fixed.insert(name, schema)),
        }
    }
    (fixed, open)
}

fn change_members() -> (Map<String, Value>, Map<String, Value>) {
    let members = CHANGE_MEMBERS.map(|name| (name.to_owned(), reference("test-json")));
    (members.into_iter().collect(), Map::new())
}

fn word(kind: Type) -> &'static str {
    TYPES.iter().find(|(known, _)| *known == kind).map_or("json", |(_, word)| word)
}

/// A test of an attribute of this type: a value, a list, or a map of operators.
fn tests(kind: Type, word: &str) -> [Definition; 2] {
    let operators = format!("operators-{word}");
    let mut forms = vec![reference(&operators)];
    if let Some(value) = value(kind).filter(|_| fits(kind, "eq")) {
        forms.push(json!({"type": "array", "minItems": 1, "items": value}));
        forms.push(value);
    }
    [(format!("test-{word}"), json!({"anyOf": forms})), (operators, of_operators(kind, word))]
}

fn of_operators(kind: Type, type_word: &str) -> Value {
    let fitting = OPERATORS.into_iter().filter(|operator| fits(kind, operator));
    let members: Map<String, Value> = fitting
        .map(|operator| (operator.to_owned(), operator_schema(kind, type_word, operator)))
        .collect();
    json!({"type": "object", "minProperties": 1, "properties": members, "additionalProperties": false})
}

/// Whether an operator can be settled of values of this type; the reader says the same.
fn fits(kind: Type, operator: &str) -> bool {
    let among = |types: &[Type]| kind == Type::Json || types.contains(&kind);
    let ordered = [Type::Clock, Type::Number, Type::Span, Type::Instant];
    match operator {
        "eq" | "in" => !matches!(kind, Type::Texts | Type::Maps),
        "contains" | "contains_any" | "contains_all" => among(&[Type::Texts]),
        "gt" | "gte" | "lt" | "lte" => among(&ordered),
        "prefix" | "suffix" | "glob" => among(&[Type::Text, Type::Clock]),
        "cidr" => among(&[Type::Text]),
        "within" | "before" | "after" => among(&[Type::Instant]),
        "some" | "every" => among(&[Type::Maps]),
        _ => true,
    }
}

fn operator_schema(kind: Type, type_word: &str, operator: &str) -> Value {
    let value = || value(kind).unwrap_or(json!(true));
    let test = || reference(&format!("test-{type_word}"));
    let many = |of: Value| json!({"type": "array", "minItems": 1, "items": of});
    let one_or_many =
        |of: Value| json!({"anyOf": [of, {"type": "array", "minItems": 1, "items": of}]});
    let scalar = || json!({"type": ["string", "number", "boolean"]});
    let text = || json!({"type": "string", "minLength": 1});
    let schema = match operator {
        "eq" => value(),
        "in" => many(value()),
        "contains" => scalar(),
        "contains_any" | "contains_all" => many(scalar()),
        "gt" | "gte" | "lt" | "lte" if kind == Type::Json => {
            json!({"anyOf": [{"type": "number"}, reference("span"), reference("instant")]})
        }
        "gt" | "gte" | "lt" | "lte" => value(),
        "prefix" | "suffix" => text(),
        "glob" => one_or_many(reference("glob")),
        "cidr" => one_or_many(text()),
        "exists" => json!({"type": "boolean"}),
        "within" => json!({"anyOf": [reference("name"), reference("inline-window")]}),
        "before" | "after" => reference("instant"),
        "some" | "every" if kind == Type::Maps => reference("change"),
        "some" | "every" => reference("element"),
        "same_as" => text(),
        "not" => test(),
        _ => many(test()),
    };
    described(schema, operator)
}

fn described(mut schema: Value, operator: &str) -> Value {
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), json!(meaning(operator)));
    }
    schema
}

/// When an operator holds. What is absent or of another type is unknown, neither.
pub(super) fn meaning(operator: &str) -> &'static str {
    match operator {
        "eq" => "Equals this, in type and value",
        "in" => "Equals one of these",
        "contains" => "The list holds this",
        "contains_any" => "The list holds one of these",
        "contains_all" => "The list holds all of these",
        "gt" => "Greater than this",
        "gte" => "This or greater",
        "lt" => "Less than this",
        "lte" => "This or less",
        "prefix" => "The text begins so",
        "suffix" => "The text ends so",
        "glob" => "The text has one of these forms",
        "cidr" => "The address is in one of these ranges",
        "exists" => "Something is there, or nothing",
        "within" => "Inside this calendar, or this window",
        "before" => "Before this instant",
        "after" => "At this instant or later",
        "some" => "One element has all of this",
        "every" => "There are elements, and each has all of this",
        "same_as" => "Equals another attribute",
        "not" => "Not this test",
        "any" => "One of these tests",
        "all" => "Each of these tests",
        _ => "",
    }
}

/// One value of this type; `None` where it is a list.
fn value(kind: Type) -> Option<Value> {
    Some(match kind {
        Type::Text => json!({"type": "string"}),
        Type::Clock => json!({"anyOf": [reference("date"), reference("time-of-day")]}),
        Type::Number => json!({"type": "number"}),
        Type::Boolean => json!({"type": "boolean"}),
        Type::Span => reference("span"),
        Type::Instant => reference("instant"),
        Type::Json => json!({"type": ["string", "number", "boolean"]}),
        Type::Texts | Type::Maps => return None,
    })
}

/// What an attribute is.
pub(super) fn about(attribute: &Attribute) -> &'static str {
    match attribute {
        Attribute::Kind => "What is done: terraform.apply",
        Attribute::Category => "change, access or read: by `kinds`, or by the kind's own name",
        Attribute::Environment => "Where it is done",
        Attribute::Target(_) => "What it is done to, by this name",
        Attribute::Reason => "Why, in the requester's words",
        Attribute::Digest => "The digest of the exact thing: sha256:…",
        Attribute::Duration => "How long the credential is wanted for",
        Attribute::Tier => "The environment's tier, by `environments`",
        Attribute::Label(_) => "A label of the environment, by `environments`",
        Attribute::RequesterIss => "Who vouches for the requester",
        Attribute::RequesterSub => "The requester, as the issuer names it",
        Attribute::RequesterKind => "person or workload",
        Attribute::RequesterGroups => "The requester's groups, of the documents and of the issuer",
        Attribute::RequesterStates => {
            "What is the matter with the requester or anybody it acts for: risky, flagged; suspended is refused anyway"
        }
        Attribute::EnvironmentStates => "What is the matter in the environment: incident",
        Attribute::Claim(_) => "What else the issuer vouches for",
        Attribute::NetworkIp => "The requester's address, as a trusted proxy says",
        Attribute::NetworkCountry => "The requester's country, ISO 3166-1 alpha-2",
        Attribute::Plan(fact) => about_plan(*fact),
        Attribute::Now => "This moment, by the authority's clock",
        Attribute::Weekday => "The day of the week, in the policy's zone",
        Attribute::Date => "The date, in the policy's zone",
        Attribute::Time => "Hour and minute, in the policy's zone",
        Attribute::Signal(_) => "What other systems have told the authority",
        Attribute::Context(_) => "The requester's own claim: a wish, never a proof",
        Attribute::Risk => "The weights of the risk factors that hold, together",
        Attribute::Member(_) => "A member of the list's element",
    }
}

fn about_plan(fact: PlanFact) -> &'static str {
    match fact {
        PlanFact::Creates => "How many resources are created",
        PlanFact::Updates => "How many are changed in place",
        PlanFact::Deletes => "How many are destroyed",
        PlanFact::Replaces => "How many are destroyed and created anew",
        PlanFact::Reads => "How many data sources are read while applying",
        PlanFact::Imports => "How many are imported",
        PlanFact::Moves => "How many get another address",
        PlanFact::Forgets => "How many are no longer looked after",
        PlanFact::Drifts => "How many were changed outside of Terraform",
        PlanFact::Deferred => "How many changes are put off",
        PlanFact::Outputs => "How many outputs change",
        PlanFact::ChangeCount => "Creates, updates, deletes, replaces and forgets together",
        PlanFact::Types => "The types of what changes",
        PlanFact::Providers => "The providers of what changes",
        PlanFact::Actions => "What is done to anything: create, update, delete …",
        PlanFact::TagsOnly => "Whether tags change and nothing else",
        PlanFact::TouchesIam => "Whether it touches who may do what",
        PlanFact::PublicExposure => "Whether it opens something to everybody",
        PlanFact::Provisioners => "Whether a provisioner can run",
        PlanFact::Complete => "Whether applying leaves nothing undone",
        PlanFact::Applyable => "Whether there is something to apply",
        PlanFact::Errored => "Whether planning failed halfway",
        PlanFact::TerraformVersion => "The Terraform that made the plan",
        PlanFact::FormatVersion => "The version of the plan's JSON",
        PlanFact::Changes => "Each change, for `some` and `every`",
    }
}
