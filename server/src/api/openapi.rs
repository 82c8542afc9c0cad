//! The OpenAPI 3.1 description, made from the table of routes.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use assent_core::wire;

use crate::api::routes::{Method, ROUTES, Route};

/// The document for an authority at this base URL.
pub(super) fn document(base: &str) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<wire::Problem>();
    let mut paths = Map::new();
    for route in ROUTES {
        paths.insert(route.path.to_owned(), path(route, &mut generator, &problem));
    }
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Assent",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Just-in-time action approval.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas,
        },
    })
}

fn path(route: &Route, generator: &mut SchemaGenerator, problem: &Schema) -> Value {
    let mut operations = Map::new();
    if let Some(parameters) = parameters(route) {
        operations.insert("parameters".to_owned(), parameters);
    }
    let queries = queries(route.path);
    if route.method == Method::GetAndPost {
        let list = match route.path {
            "/v1/requests" => generator.subschema_for::<wire::Requests>(),
            "/v1/keys" => generator.subschema_for::<wire::Keys>(),
            "/v1/absences" => generator.subschema_for::<wire::Absences>(),
            "/v1/signals" => generator.subschema_for::<wire::Signals>(),
            _ => generator.subschema_for::<wire::AccessList>(),
        };
        let answer = json!({"200": answer("the list", Some(list)), "default": fault(problem)});
        let list =
            json!({"summary": route.summary, "responses": answer, "parameters": queries.clone()});
        operations.insert("get".to_owned(), list);
    }
    if route.method == Method::Entry {
        let given = route.gives.map(|shape| shape(generator));
        if route.path.starts_with("/v1/policy/") {
            operations.insert("parameters".to_owned(), of_policy(route));
        }
        let found = json!({"200": answer("as it is", given), "default": fault(problem)});
        operations.insert("get".to_owned(), json!({"summary": route.summary, "responses": found}));
        let gone = json!({"204": answer("taken away", None), "default": fault(problem)});
        let summary = "Take it away";
        operations.insert("delete".to_owned(), json!({"summary": summary, "responses": gone}));
    }
    if route.method == Method::Bytes {
        let given = json!({"description": "the bytes", "content": bytes()});
        let found = json!({"200": given, "default": fault(problem)});
        let told = route.summary;
        let get = json!({"summary": told, "responses": found, "parameters": [idempotency_key()]});
        operations.insert("get".to_owned(), get);
    }
    let verb = match route.method {
        Method::Get | Method::Public => "get",
        Method::Entry | Method::Bytes => "put",
        Method::GetAndPost
        | Method::Post
        | Method::Change
        | Method::Form
        | Method::Door
        | Method::Grant => "post",
    };
    let mut operation = operation(route, generator, problem);
    let of_list = route.method == Method::GetAndPost;
    if let (Some(operation), false, [_, ..]) = (operation.as_object_mut(), of_list, &*queries) {
        operation.insert("parameters".to_owned(), json!(queries));
    }
    operations.insert(verb.to_owned(), operation);
    Value::Object(operations)
}

/// What a path takes in its query, as the handlers read it.
fn queries(path: &str) -> Vec<Value> {
    let known: &[(&str, &str)] = match path {
        "/v1/requests" => &[
            ("state", "`open`, or one state"),
            ("environment", "only of this environment"),
            ("kind", "only of this kind"),
            ("requester", "only asked for by them: NAME, or ISSUER#SUBJECT"),
            ("reviewer", "only reviewed by them"),
            ("rule", "only decided by this rule"),
            ("since", "only filed at this time or later (RFC 3339)"),
            ("until", "only filed before this time (RFC 3339)"),
            ("q", "only with all of these words, of three letters or more"),
            ("cursor", "where the page begins: the `next_cursor` before"),
            ("limit", "how many, at most 200"),
        ],
        "/v1/requests/{id}/wait" => &[
            ("after", "answer once the version is later than this"),
            ("timeout", "or after this time, at most 60s"),
        ],
        "/v1/plans" => &[("saved", "SHA-256 of the saved plan file that it is of")],
        "/v1/events" => &[
            ("after", "begin after this index; without it, with what comes next"),
            ("brief", "`true`: of each entry only its type and its request"),
        ],
        "/v1/audit/entries" => {
            &[("from", "the first index"), ("wait", "how long to wait for an entry, at most 60s")]
        }
        _ => &[],
    };
    let query = |(name, description): &(&str, &str)| {
        json!({
            "name": name, "in": "query", "required": false, "description": description,
            "schema": {"type": "string"},
        })
    };
    known.iter().map(query).collect()
}

fn operation(route: &Route, generator: &mut SchemaGenerator, problem: &Schema) -> Value {
    let given = route.gives.map(|shape| shape(generator));
    let is_new = route.method == Method::GetAndPost
        || matches!(
            route.path,
            "/v1/bootstrap" | "/v1/requests/{id}/credentials" | "/access/v1/requests"
        );
    let mut responses = Map::new();
    if is_new {
        responses.insert("201".to_owned(), answer("made", given.clone()));
    }
    if !is_new || route.path == "/v1/requests" {
        responses.insert("200".to_owned(), answer("answered", given.clone()));
    }
    if route.path == "/v1/signals" {
        responses.insert("202".to_owned(), answer("a security event token is heard", None));
    }
    if route.path == "/access/v1/requests" {
        responses.insert("202".to_owned(), answer("people are asked", given.clone()));
    }
    let is_oauth = matches!(route.method, Method::Form | Method::Grant);
    let fault = if is_oauth { oauth_fault(generator) } else { fault(problem) };
    responses.insert("default".to_owned(), fault);
    let mut operation = Map::new();
    operation.insert("summary".to_owned(), json!(route.summary));
    operation.insert("responses".to_owned(), Value::Object(responses));
    if let Some(body) = body(route, generator) {
        operation.insert("requestBody".to_owned(), body);
    }
    if matches!(route.method, Method::Public | Method::Door | Method::Grant) {
        operation.insert("security".to_owned(), json!([]));
    }
    if matches!(route.method, Method::Change | Method::GetAndPost) {
        operation.insert("parameters".to_owned(), json!([idempotency_key()]));
    }
    Value::Object(operation)
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "required": true,
        "description": "A fresh one for each wish, the same one when it is repeated.",
        "schema": {"type": "string", "minLength": 8, "maxLength": 128},
    })
}

fn bytes() -> Value {
    json!({"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}})
}

fn body(route: &Route, generator: &mut SchemaGenerator) -> Option<Value> {
    let json_body = |schema: Value| json!({"required": true, "content": {"application/json": {"schema": schema}}});
    match route.method {
        Method::Get | Method::Public => None,
        Method::Bytes => Some(json!({"required": true, "content": bytes()})),
        Method::Form => Some(json!({
            "required": true,
            "content": {"application/x-www-form-urlencoded": {"schema": {
                "type": "object",
                "properties": {"token": {"type": "string"}},
                "required": ["token"],
            }}},
        })),
        Method::Grant => Some(json!({
            "required": true,
            "content": {"application/x-www-form-urlencoded": {"schema": grant(route.path)}},
        })),
        Method::GetAndPost | Method::Post | Method::Change | Method::Entry | Method::Door => {
            let schema = route
                .takes
                .map_or_else(|| json!({"type": "object"}), |shape| shape(generator).to_value());
            let mut body = json_body(schema);
            if route.path == "/v1/signals"
                && let Some(content) = body.get_mut("content").and_then(Value::as_object_mut)
            {
                let token = json!({"schema": {"type": "string"}});
                content.insert("application/secevent+jwt".to_owned(), token);
            }
            Some(body)
        }
    }
}

/// What is sent to the endpoints of OAuth.
fn grant(path: &str) -> Value {
    let client = json!({"const": wire::oauth::COMMAND_LINE});
    if path == "/oauth/device_authorization" {
        return json!({
            "type": "object", "properties": {"client_id": client}, "required": ["client_id"],
        });
    }
    let exchange = json!({
        "type": "object",
        "properties": {
            "grant_type": {"const": wire::oauth::TOKEN_EXCHANGE},
            "subject_token": {"type": "string"},
            "subject_token_type": {"enum": [wire::oauth::JWT, wire::oauth::ID_TOKEN]},
        },
        "required": ["grant_type", "subject_token", "subject_token_type"],
    });
    let poll = json!({
        "type": "object",
        "properties": {
            "grant_type": {"const": wire::oauth::DEVICE_CODE},
            "device_code": {"type": "string"},
            "client_id": client,
        },
        "required": ["grant_type", "device_code", "client_id"],
    });
    json!({"oneOf": [exchange, poll]})
}

fn parameters(route: &Route) -> Option<Value> {
    let (_, after) = route.path.split_once('{')?;
    let (name, _) = after.split_once('}')?;
    Some(json!([{"name": name, "in": "path", "required": true, "schema": {"type": "string"}}]))
}

/// What is in the path, and by which request a change of it was approved.
fn of_policy(route: &Route) -> Value {
    let path = parameters(route).unwrap_or_else(|| json!([]));
    let approval = json!({
        "name": "Assent-Approval", "in": "header", "required": false,
        "description": "The request that approved this change, where policy wants one.",
        "schema": {"type": "string"},
    });
    let path = path.as_array().into_iter().flatten().cloned();
    Value::Array(path.chain([approval]).collect())
}

fn answer(description: &str, schema: Option<Schema>) -> Value {
    match schema {
        Some(schema) => json!({
            "description": description,
            "content": {"application/json": {"schema": schema}},
        }),
        None => json!({"description": description}),
    }
}

fn fault(problem: &Schema) -> Value {
    json!({
        "description": "what went wrong, for programs and people (RFC 9457)",
        "content": {"application/problem+json": {"schema": problem}},
    })
}

fn oauth_fault(generator: &mut SchemaGenerator) -> Value {
    let schema = generator.subschema_for::<wire::oauth::OauthError>();
    json!({
        "description": "what went wrong, in OAuth's words (RFC 6749 section 5.2)",
        "content": {"application/json": {"schema": schema}},
    })
}
