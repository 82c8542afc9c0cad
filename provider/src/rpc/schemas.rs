//! Everything that is offered, found by name, and values read by its schema.

use std::collections::{BTreeMap, HashMap};

use super::messages::{misfit, read};
use super::pb;
use crate::configure;
use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::offer::{Change, DataSource, Ephemeral, Function, PlannedChange, Resource, unknown};
use crate::offers;
use crate::schema::Schema;
use crate::value::{self, Type, Value};

/// Something that is offered, with the type of its values.
#[derive(Debug)]
pub(super) struct Offer<T: ?Sized> {
    of: Type,
    schema: Schema,
    /// What it does.
    pub(super) what: Box<T>,
}

impl<T: ?Sized> Offer<T> {
    fn new(schema: Schema, what: Box<T>) -> Self {
        Self { of: schema.value_type(), schema, what }
    }

    /// A value of it.
    pub(super) fn read(&self, wire: Option<&pb::DynamicValue>) -> Result<Value, Diagnostics> {
        read(wire, &self.of)
    }
}

impl Offer<dyn Resource> {
    /// Checks a configuration, for a client of these capabilities. One that does not know of
    /// attributes that are only written would keep them.
    pub(super) fn validate(
        &self,
        config: &Value,
        capabilities: Option<pb::ClientCapabilities>,
    ) -> Diagnostics {
        let mut faults = self.what.validate(config);
        if capabilities.is_some_and(|client| client.write_only_attributes_allowed) {
            return faults;
        }
        for name in self.schema.write_only().filter(|name| !config.attribute(name).is_null()) {
            let detail = format!(
                "`{name}` is only written, and this Terraform cannot keep such an argument out of \
                 its state. Use Terraform 1.11 or later, or leave it out."
            );
            let told = Diagnostic::error(format!("`{name}` cannot be used here"), detail);
            faults.push(told.at(Path::attribute(name)));
        }
        faults
    }

    /// The state as Terraform keeps it.
    pub(super) fn read_state(&self, json: &[u8]) -> Result<Value, Diagnostics> {
        value::decode_json(json, &self.of).map_err(misfit)
    }

    /// The change that Terraform wants planned.
    pub(super) fn change_to_plan(
        &self,
        request: &pb::PlanResourceChangeRequest,
    ) -> Result<Change, Diagnostics> {
        Ok(Change {
            prior: self.read(request.prior_state.as_ref())?,
            proposed: self.read(request.proposed_new_state.as_ref())?,
            config: self.read(request.config.as_ref())?,
            private: request.prior_private.clone(),
        })
    }

    /// The change that Terraform wants made.
    pub(super) fn change_to_make(
        &self,
        request: &pb::ApplyResourceChangeRequest,
    ) -> Result<PlannedChange, Diagnostics> {
        Ok(PlannedChange {
            prior: self.read(request.prior_state.as_ref())?,
            planned: self.read(request.planned_state.as_ref())?,
            config: self.read(request.config.as_ref())?,
            private: request.planned_private.clone(),
        })
    }
}

/// What is offered of one kind, by name.
type Offers<T> = BTreeMap<&'static str, Offer<T>>;

/// Everything that is offered.
#[derive(Debug)]
pub(super) struct Schemas {
    provider: Offer<()>,
    resources: Offers<dyn Resource>,
    data_sources: Offers<dyn DataSource>,
    ephemerals: Offers<dyn Ephemeral>,
    functions: BTreeMap<&'static str, Function>,
}

impl Schemas {
    /// The schemas, made once.
    pub(super) fn new() -> Self {
        let resources = offers::resources().into_iter();
        let data_sources = offers::data_sources().into_iter();
        let ephemerals = offers::ephemerals().into_iter();
        let functions = offers::functions().into_iter();
        Self {
            provider: Offer::new(configure::schema(), Box::new(())),
            resources: resources.map(|it| (it.name(), Offer::new(it.schema(), it))).collect(),
            data_sources: data_sources.map(|it| (it.name(), Offer::new(it.schema(), it))).collect(),
            ephemerals: ephemerals.map(|it| (it.name(), Offer::new(it.schema(), it))).collect(),
            functions: functions.map(|function| (function.name, function)).collect(),
        }
    }

    /// All of them in the protocol's form.
    ///
    /// Terraform may skip asking for them in later processes of one command.
    pub(super) fn to_wire(&self) -> pb::GetProviderSchemaResponse {
        pb::GetProviderSchemaResponse {
            provider: Some(self.provider.schema.to_wire()),
            resource_schemas: schemas(&self.resources),
            data_source_schemas: schemas(&self.data_sources),
            ephemeral_resource_schemas: schemas(&self.ephemerals),
            functions: self.functions_to_wire(),
            server_capabilities: Some(CAPABILITIES),
            ..Default::default()
        }
    }

    /// Only the names.
    pub(super) fn names_to_wire(&self) -> pb::GetMetadataResponse {
        use pb::get_metadata_response::{FunctionMetadata, TypeMetadata};
        let named = |name: &&str| TypeMetadata { type_name: (*name).to_owned() };
        let function = |name: &&str| FunctionMetadata { name: (*name).to_owned() };
        pb::GetMetadataResponse {
            server_capabilities: Some(CAPABILITIES),
            diagnostics: Vec::new(),
            resources: self.resources.keys().map(named).collect(),
            data_sources: self.data_sources.keys().map(named).collect(),
            ephemeral_resources: self.ephemerals.keys().map(named).collect(),
            functions: self.functions.keys().map(function).collect(),
        }
    }

    /// The functions in the protocol's form.
    pub(super) fn functions_to_wire(&self) -> HashMap<String, pb::Function> {
        let functions = self.functions.iter();
        functions.map(|(name, function)| ((*name).to_owned(), function.to_wire())).collect()
    }

    /// A provider block.
    pub(super) fn provider(&self, wire: Option<&pb::DynamicValue>) -> Result<Value, Diagnostics> {
        self.provider.read(wire)
    }

    /// The resource of this name.
    pub(super) fn resource(&self, name: &str) -> Result<&Offer<dyn Resource>, Diagnostics> {
        self.resources.get(name).ok_or_else(|| unknown(name))
    }

    /// The data source of this name.
    pub(super) fn data_source(&self, name: &str) -> Result<&Offer<dyn DataSource>, Diagnostics> {
        self.data_sources.get(name).ok_or_else(|| unknown(name))
    }

    /// The ephemeral resource of this name.
    pub(super) fn ephemeral(&self, name: &str) -> Result<&Offer<dyn Ephemeral>, Diagnostics> {
        self.ephemerals.get(name).ok_or_else(|| unknown(name))
    }

    /// The function of this name.
    pub(super) fn function(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }
}

/// What Terraform may count on. A destroy is planned too: what was noted then reaches Delete.
const CAPABILITIES: pb::ServerCapabilities = pb::ServerCapabilities {
    plan_destroy: true,
    get_provider_schema_optional: true,
    move_resource_state: false,
};

/// Names and schemas in the protocol's form.
fn schemas<T: ?Sized>(offers: &Offers<T>) -> HashMap<String, pb::Schema> {
    offers.iter().map(|(name, offer)| ((*name).to_owned(), offer.schema.to_wire())).collect()
}

impl Function {
    /// The function in the protocol's form.
    fn to_wire(&self) -> pb::Function {
        let parameters = self.parameters.iter().map(|parameter| pb::function::Parameter {
            name: parameter.name.to_owned(),
            r#type: parameter.of.to_json().to_string().into_bytes(),
            allow_null_value: parameter.nullable,
            allow_unknown_values: false,
            description: parameter.description.to_owned(),
            description_kind: pb::StringKind::Markdown.into(),
        });
        pb::Function {
            parameters: parameters.collect(),
            r#return: Some(pb::function::Return {
                r#type: self.gives.to_json().to_string().into_bytes(),
            }),
            summary: self.summary.to_owned(),
            description: self.description.to_owned(),
            description_kind: pb::StringKind::Markdown.into(),
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_their_kind() {
        let schemas = Schemas::new();
        assert!(schemas.resource("assent_approval").is_ok());
        assert!(schemas.resource("assent_credential").is_err());
        assert_eq!(schemas.ephemeral("assent_credential").unwrap().read(None), Ok(Value::Null));
        assert!(schemas.data_source("assent_approval").is_err());
    }

    #[test]
    fn what_is_only_written_needs_a_client_that_knows_of_it() {
        let schemas = Schemas::new();
        let approval = schemas.resource("assent_approval").unwrap();
        let config = |plan_digest: Value| {
            Value::object([
                ("environment", Value::text("production")),
                ("reason", Value::text("resize")),
                ("plan_digest", plan_digest),
            ])
        };
        let capable = |write_only_attributes_allowed| {
            Some(pb::ClientCapabilities { write_only_attributes_allowed, ..Default::default() })
        };
        let faults = |plan_digest: Value, client| {
            approval.validate(&config(plan_digest), client).list().len()
        };
        assert_eq!(faults(Value::Unknown, capable(true)), 0);
        assert_eq!(faults(Value::Null, None), 0);
        assert_eq!(faults(Value::Unknown, capable(false)), 1);
        assert_eq!(faults(Value::Unknown, None), 1);
    }

    #[test]
    fn names_alone_are_those_of_the_schemas() {
        let schemas = Schemas::new();
        let (names, whole) = (schemas.names_to_wire(), schemas.to_wire());
        assert_eq!(names.resources.len(), whole.resource_schemas.len());
        assert_eq!(names.data_sources.len(), whole.data_source_schemas.len());
        assert_eq!(names.ephemeral_resources.len(), whole.ephemeral_resource_schemas.len());
        assert_eq!(names.functions.len(), whole.functions.len());
    }
}
