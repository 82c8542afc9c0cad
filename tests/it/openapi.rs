//! The API's description of itself: exactly its routes, and whole.

use std::collections::BTreeSet;

use assent_server::api::{Method, ROUTES};
use serde_json::{Value, json};

use crate::support::Server;

async fn document() -> Value {
    let server = Server::start().await;
    let document = server.stranger().get("/v1/openapi.json").await.is(200).json();
    assert_eq!(document["servers"][0]["url"], server.base());
    document
}

#[tokio::test]
async fn the_document_lists_exactly_the_routes() {
    let document = document().await;
    let mut described = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for verb in operations.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            described.insert((path.clone(), verb.clone()));
        }
    }
    let mut routed = BTreeSet::new();
    for route in ROUTES {
        let verbs: &[&str] = match route.method {
            Method::Get | Method::Public => &["get"],
            Method::Post | Method::Change | Method::Form | Method::Door | Method::Grant => {
                &["post"]
            }
            Method::GetAndPost => &["get", "post"],
            Method::Bytes => &["get", "put"],
            Method::Entry => &["get", "put", "delete"],
        };
        routed.extend(verbs.iter().map(|verb| (route.path.to_owned(), (*verb).to_owned())));
    }
    assert_eq!(described, routed);
}

#[tokio::test]
async fn only_the_open_routes_are_described_as_open() {
    let document = document().await;
    assert_eq!(document["security"], json!([{"bearer": []}]));
    for route in ROUTES {
        let is_open = matches!(route.method, Method::Public | Method::Door | Method::Grant);
        for (verb, operation) in document["paths"][route.path].as_object().unwrap() {
            if verb == "parameters" {
                continue;
            }
            let said = operation.get("security");
            assert_eq!(said == Some(&json!([])), is_open, "{route:?}");
            assert!(operation["responses"]["default"].is_object(), "{route:?} tells no fault");
            let named = operation["summary"] == route.summary || verb == "delete";
            assert!(named, "{route:?}");
        }
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_id_is_declared() {
    let document = document().await;
    let text = document.to_string();
    for part in text.split("\"$ref\":\"").skip(1) {
        let reference = part.split('"').next().unwrap();
        let place = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(place).is_some(), "{reference} leads nowhere");
    }
    for (path, operations) in document["paths"].as_object().unwrap() {
        let declared = operations["parameters"][0]["name"].as_str();
        let varies = declared.is_some_and(|name| path.contains(&format!("{{{name}}}")));
        assert_eq!(varies, path.contains('{'), "{path}");
    }
}

#[tokio::test]
async fn every_changing_call_is_described_with_its_key_and_body() {
    let document = document().await;
    for route in ROUTES {
        let keyed = matches!(route.method, Method::Change | Method::GetAndPost | Method::Bytes);
        let (changes, takes) = match route.method {
            Method::Entry => ("put", "put"),
            // What is given once is asked for with a key; what is put in its place needs none.
            Method::Bytes => ("get", "put"),
            Method::Get
            | Method::Public
            | Method::GetAndPost
            | Method::Post
            | Method::Change
            | Method::Form
            | Method::Door
            | Method::Grant => ("post", "post"),
        };
        let path = &document["paths"][route.path];
        let said = path[changes]["parameters"][0]["name"] == "Idempotency-Key";
        assert_eq!(said, keyed, "{route:?}");
        let reads = matches!(route.method, Method::Get | Method::Public);
        assert_eq!(path[takes]["requestBody"].is_object(), !reads, "{route:?}");
    }
}

#[tokio::test]
async fn the_endpoints_of_oauth_are_described_with_its_errors() {
    let document = document().await;
    for route in ROUTES.iter().filter(|route| route.path.starts_with("/oauth/")) {
        let fault = &document["paths"][route.path]["post"]["responses"]["default"];
        let shape = &fault["content"]["application/json"]["schema"]["$ref"];
        assert!(shape.as_str().unwrap().ends_with("/OauthError"), "{route:?}: {fault}");
        assert!(fault["content"].get("application/problem+json").is_none(), "{route:?}");
    }
}
