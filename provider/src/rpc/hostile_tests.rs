//! Whatever comes over the wire, every call answers: with a diagnostic or with a gRPC error. No
//! call panics. The number of cases is `PROPTEST_CASES`.

use std::sync::Arc;

use bytes::{Buf, BufMut};
use proptest::prelude::*;
use prost::Message;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::service::Routes;
use tonic::{Code, Request, Status};

use super::*;
use crate::environment::Defaults;
use crate::plugin::Lifetime;
use crate::value::Type;

/// The calls that take a value, and which type names mean something to them.
const CALLS: [&str; 20] = [
    "GetMetadata",
    "GetProviderSchema",
    "ValidateProviderConfig",
    "ConfigureProvider",
    "ValidateResourceConfig",
    "ValidateDataResourceConfig",
    "ValidateEphemeralResourceConfig",
    "UpgradeResourceState",
    "ReadResource",
    "PlanResourceChange",
    "ApplyResourceChange",
    "ImportResourceState",
    "MoveResourceState",
    "ReadDataSource",
    "OpenEphemeralResource",
    "RenewEphemeralResource",
    "CloseEphemeralResource",
    "GetFunctions",
    "CallFunction",
    "StopProvider",
];

/// Bytes as they are.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}

/// A provider that knows no server, and what is called there.
struct Provider {
    routes: Routes,
    runtime: tokio::runtime::Runtime,
}

impl Provider {
    fn new() -> Self {
        let session = Session::new(Defaults::default(), Arc::new(Lifetime::default()));
        let routes = routes(&Arc::new(session), &Trace::to(None));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { routes, runtime }
    }

    /// Makes a call with these bytes.
    fn call(&self, name: &str, message: Vec<u8>) -> Result<Vec<u8>, Status> {
        let path = format!("/tfplugin6.Provider/{name}").parse().unwrap();
        self.runtime.block_on(async {
            let mut client = Grpc::new(self.routes.clone())
                .max_decoding_message_size(LARGEST_MESSAGE)
                .max_encoding_message_size(LARGEST_MESSAGE);
            client.ready().await.unwrap();
            client.unary(Request::new(message), path, Raw).await.map(Response::into_inner)
        })
    }

    /// Makes a call that must be answered in good order; what is told.
    fn told(&self, name: &str, message: Vec<u8>) -> String {
        match self.call(name, message) {
            Ok(answer) => {
                let text = String::from_utf8_lossy(&answer).into_owned();
                assert!(!text.contains("The provider failed"), "{name}: {text}");
                text
            }
            Err(status) => {
                // Bytes that are no message of the call are the caller's fault.
                assert_eq!(status.code(), Code::Internal, "{name}: {status}");
                assert!(status.message().contains("decode"), "{name}: {status}");
                String::new()
            }
        }
    }
}

/// A value on the wire.
fn wire(msgpack: Vec<u8>) -> Option<pb::DynamicValue> {
    Some(pb::DynamicValue { msgpack, json: Vec::new() })
}

/// A message of each call that takes a value, with this name and value wherever one fits.
fn messages(
    type_name: &str,
    value: &Option<pb::DynamicValue>,
    more: &[u8],
) -> Vec<(&'static str, Vec<u8>)> {
    let (type_name, value, more) = (type_name.to_owned(), || value.clone(), || more.to_vec());
    let name = || type_name.clone();
    let json = value().map(|value| value.json).unwrap_or_default();
    let raw_state = Some(pb::RawState { json, flatmap: Default::default() });
    vec![
        (
            "ValidateProviderConfig",
            pb::ValidateProviderConfigRequest { config: value() }.encode_to_vec(),
        ),
        (
            "ValidateResourceConfig",
            pb::ValidateResourceConfigRequest {
                type_name: name(),
                config: value(),
                ..Default::default()
            }
            .encode_to_vec(),
        ),
        (
            "ValidateDataResourceConfig",
            pb::ValidateDataResourceConfigRequest { type_name: name(), config: value() }
                .encode_to_vec(),
        ),
        (
            "ValidateEphemeralResourceConfig",
            pb::ValidateEphemeralResourceConfigRequest { type_name: name(), config: value() }
                .encode_to_vec(),
        ),
        (
            "UpgradeResourceState",
            pb::UpgradeResourceStateRequest { type_name: name(), version: i64::MIN, raw_state }
                .encode_to_vec(),
        ),
        (
            "ReadResource",
            pb::ReadResourceRequest {
                type_name: name(),
                current_state: value(),
                private: more(),
                ..Default::default()
            }
            .encode_to_vec(),
        ),
        (
            "PlanResourceChange",
            pb::PlanResourceChangeRequest {
                type_name: name(),
                prior_state: value(),
                proposed_new_state: value(),
                config: value(),
                prior_private: more(),
                ..Default::default()
            }
            .encode_to_vec(),
        ),
        (
            "PlanResourceChange",
            pb::PlanResourceChangeRequest {
                type_name: name(),
                proposed_new_state: value(),
                config: value(),
                ..Default::default()
            }
            .encode_to_vec(),
        ),
        (
            "ApplyResourceChange",
            pb::ApplyResourceChangeRequest {
                type_name: name(),
                prior_state: value(),
                planned_private: more(),
                ..Default::default()
            }
            .encode_to_vec(),
        ),
        (
            "ApplyResourceChange",
            pb::ApplyResourceChangeRequest {
                type_name: name(),
                planned_state: value(),
                config: value(),
                ..Default::default()
            }
            .encode_to_vec(),
        ),
        (
            "ReadDataSource",
            pb::ReadDataSourceRequest { type_name: name(), config: value(), ..Default::default() }
                .encode_to_vec(),
        ),
        (
            "OpenEphemeralResource",
            pb::OpenEphemeralResourceRequest {
                type_name: name(),
                config: value(),
                ..Default::default()
            }
            .encode_to_vec(),
        ),
        (
            "RenewEphemeralResource",
            pb::RenewEphemeralResourceRequest { type_name: name(), private: Some(more()) }
                .encode_to_vec(),
        ),
        (
            "CloseEphemeralResource",
            pb::CloseEphemeralResourceRequest { type_name: name(), private: Some(more()) }
                .encode_to_vec(),
        ),
        (
            "CallFunction",
            pb::CallFunctionRequest { name: name(), arguments: value().into_iter().collect() }
                .encode_to_vec(),
        ),
    ]
}

/// Everything that is offered, by name, with the type of its values.
fn offered() -> Vec<(String, Type)> {
    let resources = crate::offers::resources().into_iter();
    let resources = resources.map(|it| (it.name().to_owned(), it.schema().value_type()));
    let sources = crate::offers::data_sources().into_iter();
    let sources = sources.map(|it| (it.name().to_owned(), it.schema().value_type()));
    let ephemerals = crate::offers::ephemerals().into_iter();
    let ephemerals = ephemerals.map(|it| (it.name().to_owned(), it.schema().value_type()));
    let functions = crate::offers::functions().into_iter();
    let functions = functions.map(|it| {
        let of = it.parameters.first().map(|parameter| parameter.of.clone());
        (it.name.to_owned(), of.unwrap_or(Type::Dynamic))
    });
    resources.chain(sources).chain(ephemerals).chain(functions).collect()
}

/// Text that means something somewhere, and some that does not.
fn texts() -> impl Strategy<Value = String> {
    let known = ["", "30m", "production", "sha256:00", "{}", "[", "{\"gate\":1}", "\u{202e}", "\0"];
    prop_oneof![
        proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
        any::<String>(),
        "[0-9]{1,400}",
    ]
}

/// A value that fits a type, or nearly: now and then it is null, unknown or of another type.
fn values(of: &Type) -> BoxedStrategy<Value> {
    use crate::value::Number;
    let exact: BoxedStrategy<Value> = match of {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => prop_oneof![
            any::<i64>().prop_map(|it| Value::Number(Number::Signed(it))),
            any::<f64>().prop_map(|it| Value::Number(Number::Float(it))),
            "-?[0-9]{1,400}".prop_map(|it| Value::Number(Number::Decimal(it))),
        ]
        .boxed(),
        Type::String | Type::Dynamic => texts().prop_map(Value::String).boxed(),
        Type::List(of) | Type::Set(of) => {
            proptest::collection::vec(values(of), 0..4).prop_map(Value::List).boxed()
        }
        Type::Tuple(of) => of.iter().map(values).collect::<Vec<_>>().prop_map(Value::List).boxed(),
        Type::Map(of) => {
            proptest::collection::btree_map(texts(), values(of), 0..4).prop_map(Value::Map).boxed()
        }
        Type::Object(attributes) => {
            let names: Vec<_> = attributes.keys().cloned().collect();
            let all: Vec<_> = attributes.values().map(values).collect();
            all.prop_map(move |all| Value::Map(names.iter().cloned().zip(all).collect())).boxed()
        }
    };
    prop_oneof![
        12 => exact,
        2 => Just(Value::Null),
        1 => Just(Value::Unknown),
        1 => texts().prop_map(Value::String),
    ]
    .boxed()
}

/// A name and a value that nearly fits it.
fn nearly() -> impl Strategy<Value = (String, Value)> {
    proptest::sample::select(offered())
        .prop_flat_map(|(name, of)| values(&of).prop_map(move |value| (name.clone(), value)))
}

/// What a call that takes nothing answers.
fn answer_of<T: Message + Default>(name: &str) -> T {
    T::decode(Provider::new().call(name, Vec::new()).unwrap().as_slice()).unwrap()
}

#[test]
fn calls_that_terraform_1_11_does_not_make_are_answered_as_later_ones_expect() {
    let schema: pb::GetProviderSchemaResponse = answer_of("GetProviderSchema");
    let names: pb::GetMetadataResponse = answer_of("GetMetadata");
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let offered = names.resources.into_iter().map(|it| it.type_name).collect();
    assert_eq!(sorted(offered), sorted(schema.resource_schemas.into_keys().collect()));
    assert_eq!(names.server_capabilities, schema.server_capabilities);
    let functions: pb::GetFunctionsResponse = answer_of("GetFunctions");
    assert!(functions.functions.contains_key("digest"));
    assert_eq!(functions.functions, schema.functions);
    let moved = pb::MoveResourceStateRequest {
        source_type_name: "null_resource".to_owned(),
        target_type_name: "assent_gate".to_owned(),
        ..Default::default()
    };
    let moved = Provider::new().call("MoveResourceState", moved.encode_to_vec()).unwrap();
    let moved = pb::MoveResourceStateResponse::decode(moved.as_slice()).unwrap();
    assert_eq!(moved.diagnostics[0].summary, "The resource cannot be moved");
    let later = ["GetResourceIdentitySchemas", "ListResource", "InvokeAction", "PlanAction"];
    for name in later {
        assert_eq!(Provider::new().call(name, Vec::new()).unwrap_err().code(), Code::Unimplemented);
    }
}

#[test]
fn bytes_that_are_no_message_are_refused_by_every_call() {
    let provider = Provider::new();
    for call in CALLS {
        provider.told(call, Vec::new());
        provider.told(call, vec![0xff; 64]);
        // A length that lies; text that is not UTF-8.
        provider.told(call, vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1]);
        provider.told(call, vec![0x0a, 2, 0xc3, 0x28]);
    }
    let status = provider.call("GenerateResourceConfig", Vec::new()).unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[test]
fn an_absent_value_or_an_unknown_name_is_told() {
    let provider = Provider::new();
    for name in ["", "assent_approval", "assent_nothing", &"x".repeat(1 << 20)] {
        for value in [None, wire(Vec::new()), wire(vec![0xc0]), wire(vec![0xd4, 0, 0])] {
            for (call, message) in messages(name, &value, b"") {
                let told = provider.told(call, message);
                assert!(told.len() < 1 << 18, "{call} repeats what it was sent");
            }
        }
    }
}

#[test]
fn deep_nesting_is_told() {
    let provider = Provider::new();
    let list = [0x91_u8];
    let dynamic = [0x92, 0xc4, 9, b'"', b'd', b'y', b'n', b'a', b'm', b'i', b'c', b'"'];
    for layer in [&list[..], &dynamic] {
        let msgpack = layer.repeat(100_000);
        for (name, _) in offered() {
            for (call, message) in messages(&name, &wire(msgpack.clone()), &msgpack) {
                provider.told(call, message);
            }
        }
    }
    // A type nested in a type, as deep as a value may say.
    let of = format!("{}\"string\"{}", "[\"list\",".repeat(50_000), "]".repeat(50_000));
    let mut msgpack = Vec::new();
    let value = rmpv::Value::Array(vec![of.into_bytes().into(), rmpv::Value::Nil]);
    rmpv::encode::write_value(&mut msgpack, &value).unwrap();
    let json = "[{".repeat(100_000).into_bytes();
    for (name, _) in offered() {
        for value in [
            wire(msgpack.clone()),
            Some(pb::DynamicValue { msgpack: Vec::new(), json: json.clone() }),
        ] {
            for (call, message) in messages(&name, &value, &json) {
                provider.told(call, message);
            }
        }
    }
}

#[test]
fn text_of_64_mib_is_answered_and_not_repeated() {
    let provider = Provider::new();
    let long = "[".repeat(64 << 20);
    for name in ["reason", "context", "environment", "duration", "digest", "kind"] {
        let of = crate::offers::resources();
        let approval = of.iter().find(|it| it.name() == "assent_approval").unwrap();
        let Type::Object(attributes) = approval.schema().value_type() else { panic!() };
        let nothing = attributes.into_keys().map(|name| (name, Value::Null)).collect();
        let config = Value::Map(nothing).with(name, Value::text(&long));
        let config = wire(crate::value::encode_msgpack(&config).unwrap());
        let message = pb::ValidateResourceConfigRequest {
            type_name: "assent_approval".to_owned(),
            config,
            ..Default::default()
        };
        let told = provider.told("ValidateResourceConfig", message.encode_to_vec());
        assert!(told.len() < 1 << 18, "`{name}` is repeated");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_call_panic(
        call in proptest::sample::select(CALLS.to_vec()),
        bytes in proptest::collection::vec(any::<u8>(), 0..256),
    ) {
        Provider::new().told(call, bytes);
    }

    #[test]
    fn values_that_nearly_fit_are_answered((name, value) in nearly()) {
        let provider = Provider::new();
        let value = wire(crate::value::encode_msgpack(&value).unwrap());
        for (call, message) in messages(&name, &value, b"") {
            provider.told(call, message);
        }
    }

    #[test]
    fn spoiled_values_are_answered(
        (name, value) in nearly(),
        spoilt in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
        private in proptest::collection::vec(any::<u8>(), 0..16),
    ) {
        let mut bytes = crate::value::encode_msgpack(&value).unwrap();
        for (index, byte) in spoilt {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let provider = Provider::new();
        for (call, message) in messages(&name, &wire(bytes), &private) {
            provider.told(call, message);
        }
    }
}
