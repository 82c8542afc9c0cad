//! All schemas of the provider, and reading values by them.

use std::collections::HashMap;

use super::messages::{misfit, read};
use super::pb;
use crate::approval::Change;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::schema::Schema;
use crate::value::{self, Type, Value};
use crate::{approval, configure, credential, decision};

/// One kind of thing that the provider offers.
#[derive(Debug)]
struct Offer {
    name: &'static str,
    schema: Schema,
    of: Type,
}

impl Offer {
    fn new(name: &'static str, schema: Schema) -> Self {
        let of = schema.value_type();
        Self { name, schema, of }
    }

    /// The type of its values, if this is its name.
    fn named(&self, name: &str) -> Result<&Type, Diagnostics> {
        if self.name == name {
            Ok(&self.of)
        } else {
            let detail = format!("The provider `assent` has no `{name}` of this kind.");
            Err(Diagnostic::error("Unknown type", detail).into())
        }
    }

    /// Name and schema in the protocol's form.
    fn to_wire(&self) -> HashMap<String, pb::Schema> {
        HashMap::from([(self.name.to_owned(), self.schema.to_wire())])
    }
}

/// Every schema of the provider.
#[derive(Debug)]
pub(super) struct Schemas {
    provider: Offer,
    approval: Offer,
    credential: Offer,
    decision: Offer,
}

impl Schemas {
    /// The schemas, made once.
    pub(super) fn new() -> Self {
        Self {
            provider: Offer::new("assent", configure::schema()),
            approval: Offer::new(approval::NAME, approval::schema()),
            credential: Offer::new(credential::NAME, credential::schema()),
            decision: Offer::new(decision::NAME, decision::schema()),
        }
    }

    /// All of them in the protocol's form.
    ///
    /// Terraform may skip asking for them in later processes of one command.
    pub(super) fn to_wire(&self) -> pb::GetProviderSchemaResponse {
        pb::GetProviderSchemaResponse {
            provider: Some(self.provider.schema.to_wire()),
            resource_schemas: self.approval.to_wire(),
            data_source_schemas: self.decision.to_wire(),
            ephemeral_resource_schemas: self.credential.to_wire(),
            server_capabilities: Some(pb::ServerCapabilities {
                get_provider_schema_optional: true,
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    /// A provider block.
    pub(super) fn provider(&self, wire: Option<&pb::DynamicValue>) -> Result<Value, Diagnostics> {
        read(wire, &self.provider.of)
    }

    /// A value of a resource.
    pub(super) fn resource(
        &self,
        name: &str,
        wire: Option<&pb::DynamicValue>,
    ) -> Result<Value, Diagnostics> {
        read(wire, self.approval.named(name)?)
    }

    /// A value of a data source.
    pub(super) fn data_source(
        &self,
        name: &str,
        wire: Option<&pb::DynamicValue>,
    ) -> Result<Value, Diagnostics> {
        read(wire, self.decision.named(name)?)
    }

    /// A value of an ephemeral resource.
    pub(super) fn ephemeral(
        &self,
        name: &str,
        wire: Option<&pb::DynamicValue>,
    ) -> Result<Value, Diagnostics> {
        read(wire, self.credential.named(name)?)
    }

    /// The state of a resource as Terraform keeps it.
    pub(super) fn raw_resource(&self, name: &str, json: &[u8]) -> Result<Value, Diagnostics> {
        value::decode_json(json, self.approval.named(name)?).map_err(misfit)
    }

    /// Whether there is a resource of this name.
    pub(super) fn known_resource(&self, name: &str) -> Result<(), Diagnostics> {
        self.approval.named(name).map(|_| ())
    }

    /// The change that Terraform wants planned.
    pub(super) fn change_to_plan(
        &self,
        request: &pb::PlanResourceChangeRequest,
    ) -> Result<Change, Diagnostics> {
        let of = self.approval.named(&request.type_name)?;
        Ok(Change {
            prior: read(request.prior_state.as_ref(), of)?,
            proposed: read(request.proposed_new_state.as_ref(), of)?,
            config: read(request.config.as_ref(), of)?,
        })
    }

    /// The prior and the planned state of the change that Terraform wants made.
    pub(super) fn change_to_apply(
        &self,
        request: &pb::ApplyResourceChangeRequest,
    ) -> Result<(Value, Value), Diagnostics> {
        let of = self.approval.named(&request.type_name)?;
        let prior = read(request.prior_state.as_ref(), of)?;
        let planned = read(request.planned_state.as_ref(), of)?;
        Ok((prior, planned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_their_kind() {
        let schemas = Schemas::new();
        assert!(schemas.known_resource("assent_approval").is_ok());
        assert!(schemas.known_resource("assent_credential").is_err());
        assert_eq!(schemas.ephemeral("assent_credential", None), Ok(Value::Null));
        assert!(schemas.data_source("assent_approval", None).is_err());
    }
}
