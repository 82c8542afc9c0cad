//! The calls that Terraform makes: decode, call, encode, and nothing else.
//!
//! What a call means is on the far side of this module; the protocol's messages
//! do not go there, except for diagnostics' and schemas' own conversions.

mod messages;
mod schemas;

use std::sync::Arc;

use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::configure;
use crate::diagnostic::{Diagnostics, legible};
use crate::offer::Function;
use crate::plugin::{Controller, Farewell, Stdio};
use crate::session::Session;
use crate::trace::Trace;
use crate::value::Value;
use messages::{state, told};
use pb::provider_server::{Provider, ProviderServer};
use plugin_pb::grpc_controller_server::GrpcControllerServer;
use plugin_pb::grpc_stdio_server::GrpcStdioServer;
use schemas::Schemas;

/// Terraform's provider protocol, version 6.
#[expect(
    unreachable_pub,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "the code is generated"
)]
pub(crate) mod pb {
    tonic::include_proto!("tfplugin6");
}

/// The services of a plugin process.
#[expect(
    unreachable_pub,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "the code is generated"
)]
pub(crate) mod plugin_pb {
    tonic::include_proto!("plugin");
}

/// The largest message in either direction. States can be large; the usual
/// limit of 4 MiB is not enough.
const LARGEST_MESSAGE: usize = 256 * 1024 * 1024;

/// The services of this process.
pub(crate) fn routes(session: &Arc<Session>, trace: &Trace) -> Routes {
    let rpc = Rpc { session: Arc::clone(session), schemas: Schemas::new(), trace: trace.clone() };
    let provider = ProviderServer::new(rpc)
        .max_decoding_message_size(LARGEST_MESSAGE)
        .max_encoding_message_size(LARGEST_MESSAGE);
    let farewell: Arc<dyn Farewell> = Arc::<Session>::clone(session);
    let controller = Controller::new(farewell, Arc::clone(&session.lifetime), trace.clone());
    Routes::new(provider)
        .add_service(GrpcControllerServer::new(controller))
        .add_service(GrpcStdioServer::new(Stdio(Arc::clone(&session.lifetime))))
}

/// Answers Terraform.
#[derive(Debug)]
struct Rpc {
    session: Arc<Session>,
    schemas: Schemas,
    trace: Trace,
}

/// What every call answers.
type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Provider for Rpc {
    async fn get_metadata(
        &self,
        _: Request<pb::GetMetadataRequest>,
    ) -> Answer<pb::GetMetadataResponse> {
        self.trace.note("GetMetadata", None);
        Ok(Response::new(self.schemas.names_to_wire()))
    }

    async fn get_provider_schema(
        &self,
        _: Request<pb::GetProviderSchemaRequest>,
    ) -> Answer<pb::GetProviderSchemaResponse> {
        self.trace.note("GetProviderSchema", None);
        Ok(Response::new(self.schemas.to_wire()))
    }

    async fn validate_provider_config(
        &self,
        request: Request<pb::ValidateProviderConfigRequest>,
    ) -> Answer<pb::ValidateProviderConfigResponse> {
        self.trace.note("ValidateProviderConfig", None);
        let config = self.schemas.provider(request.into_inner().config.as_ref());
        let diagnostics = told(config.map(|config| configure::validate(&config)));
        Ok(Response::new(pb::ValidateProviderConfigResponse { diagnostics }))
    }

    async fn configure_provider(
        &self,
        request: Request<pb::ConfigureProviderRequest>,
    ) -> Answer<pb::ConfigureProviderResponse> {
        self.trace.note("ConfigureProvider", None);
        let config = self.schemas.provider(request.into_inner().config.as_ref());
        let configured =
            config.and_then(|config| configure::configure(&config, &self.session.defaults));
        let diagnostics = told(configured.map(|(configured, known)| {
            self.session.configure(configured);
            known
        }));
        Ok(Response::new(pb::ConfigureProviderResponse { diagnostics }))
    }

    async fn validate_resource_config(
        &self,
        request: Request<pb::ValidateResourceConfigRequest>,
    ) -> Answer<pb::ValidateResourceConfigResponse> {
        let request = request.into_inner();
        self.trace.note("ValidateResourceConfig", Some(&request.type_name));
        let validated = self.schemas.resource(&request.type_name).and_then(|resource| {
            let config = resource.read(request.config.as_ref())?;
            Ok(resource.validate(&config, request.client_capabilities))
        });
        let diagnostics = told(validated);
        Ok(Response::new(pb::ValidateResourceConfigResponse { diagnostics }))
    }

    async fn validate_data_resource_config(
        &self,
        request: Request<pb::ValidateDataResourceConfigRequest>,
    ) -> Answer<pb::ValidateDataResourceConfigResponse> {
        let request = request.into_inner();
        self.trace.note("ValidateDataResourceConfig", Some(&request.type_name));
        let validated = self.schemas.data_source(&request.type_name).and_then(|source| {
            let config = source.read(request.config.as_ref())?;
            Ok(source.what.validate(&config))
        });
        let diagnostics = told(validated);
        Ok(Response::new(pb::ValidateDataResourceConfigResponse { diagnostics }))
    }

    async fn validate_ephemeral_resource_config(
        &self,
        request: Request<pb::ValidateEphemeralResourceConfigRequest>,
    ) -> Answer<pb::ValidateEphemeralResourceConfigResponse> {
        let request = request.into_inner();
        self.trace.note("ValidateEphemeralResourceConfig", Some(&request.type_name));
        let validated = self.schemas.ephemeral(&request.type_name).and_then(|ephemeral| {
            let config = ephemeral.read(request.config.as_ref())?;
            Ok(ephemeral.what.validate(&config))
        });
        let diagnostics = told(validated);
        Ok(Response::new(pb::ValidateEphemeralResourceConfigResponse { diagnostics }))
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<pb::UpgradeResourceStateRequest>,
    ) -> Answer<pb::UpgradeResourceStateResponse> {
        let request = request.into_inner();
        self.trace.note("UpgradeResourceState", Some(&request.type_name));
        let raw = request.raw_state.unwrap_or_default();
        let resource = self.schemas.resource(&request.type_name);
        let upgraded = resource.and_then(|resource| resource.read_state(&raw.json));
        let (upgraded_state, diagnostics) = state(upgraded.map(|value| (value, None)))?;
        Ok(Response::new(pb::UpgradeResourceStateResponse { upgraded_state, diagnostics }))
    }

    async fn read_resource(
        &self,
        request: Request<pb::ReadResourceRequest>,
    ) -> Answer<pb::ReadResourceResponse> {
        let request = request.into_inner();
        self.trace.note("ReadResource", Some(&request.type_name));
        let read = async {
            let resource = self.schemas.resource(&request.type_name)?;
            let current = resource.read(request.current_state.as_ref())?;
            resource.what.read(&self.session, current).await
        };
        let (new_state, diagnostics) = state(read.await.map(messages::with))?;
        let private = request.private;
        let answer =
            pb::ReadResourceResponse { new_state, diagnostics, private, ..Default::default() };
        Ok(Response::new(answer))
    }

    async fn plan_resource_change(
        &self,
        request: Request<pb::PlanResourceChangeRequest>,
    ) -> Answer<pb::PlanResourceChangeResponse> {
        let request = request.into_inner();
        self.trace.note("PlanResourceChange", Some(&request.type_name));
        let planned = async {
            let resource = self.schemas.resource(&request.type_name)?;
            let change = resource.change_to_plan(&request)?;
            resource.what.plan(&self.session, change).await
        };
        let (planned, requires_replace, planned_private) = match planned.await {
            Ok(plan) => {
                let paths = plan.requires_replace.iter().map(|path| path.to_wire()).collect();
                (Ok((plan.state, Some(plan.diagnostics))), paths, plan.private)
            }
            Err(faults) => (Err(faults), Vec::new(), request.prior_private),
        };
        let (planned_state, diagnostics) = state(planned)?;
        Ok(Response::new(pb::PlanResourceChangeResponse {
            planned_state,
            requires_replace,
            planned_private,
            diagnostics,
            ..Default::default()
        }))
    }

    async fn apply_resource_change(
        &self,
        request: Request<pb::ApplyResourceChangeRequest>,
    ) -> Answer<pb::ApplyResourceChangeResponse> {
        let request = request.into_inner();
        self.trace.note("ApplyResourceChange", Some(&request.type_name));
        let made = async {
            let resource = self.schemas.resource(&request.type_name)?;
            let change = resource.change_to_make(&request)?;
            resource.what.apply(&self.session, change).await
        };
        // After an error the new state is null: a create then leaves nothing
        // behind that Terraform would call tainted, and an update or a delete
        // keeps the prior state together with its private data.
        let (made, private) = match made.await {
            Ok(made) => (Ok((made.state, Some(made.diagnostics))), made.private),
            Err(faults) => (Err(faults), request.planned_private),
        };
        let (new_state, diagnostics) = state(made)?;
        let answer = pb::ApplyResourceChangeResponse {
            new_state,
            private,
            diagnostics,
            ..Default::default()
        };
        Ok(Response::new(answer))
    }

    async fn import_resource_state(
        &self,
        request: Request<pb::ImportResourceStateRequest>,
    ) -> Answer<pb::ImportResourceStateResponse> {
        let request = request.into_inner();
        self.trace.note("ImportResourceState", Some(&request.type_name));
        let imported = async {
            let resource = self.schemas.resource(&request.type_name)?;
            resource.what.import(&self.session, &request.id).await
        };
        let (state, diagnostics) = state(imported.await.map(|value| (value, None)))?;
        let type_name = request.type_name;
        let imported = state.map(|state| pb::ImportedResource {
            type_name,
            state: Some(state),
            private: Vec::new(),
        });
        Ok(Response::new(pb::ImportResourceStateResponse {
            imported_resources: imported.into_iter().collect(),
            diagnostics,
            ..Default::default()
        }))
    }

    async fn move_resource_state(
        &self,
        request: Request<pb::MoveResourceStateRequest>,
    ) -> Answer<pb::MoveResourceStateResponse> {
        let request = request.into_inner();
        self.trace.note("MoveResourceState", Some(&request.target_type_name));
        let faults = messages::cannot_move(&request.source_type_name, &request.target_type_name);
        let (target_state, diagnostics) = state(Err(faults))?;
        let target_private = Vec::new();
        let answer = pb::MoveResourceStateResponse { target_state, diagnostics, target_private };
        Ok(Response::new(answer))
    }

    async fn read_data_source(
        &self,
        request: Request<pb::ReadDataSourceRequest>,
    ) -> Answer<pb::ReadDataSourceResponse> {
        let request = request.into_inner();
        self.trace.note("ReadDataSource", Some(&request.type_name));
        let read = async {
            let source = self.schemas.data_source(&request.type_name)?;
            let config = source.read(request.config.as_ref())?;
            source.what.read(&self.session, config).await
        };
        let (state, diagnostics) = state(read.await.map(messages::with))?;
        let answer = pb::ReadDataSourceResponse { state, diagnostics, ..Default::default() };
        Ok(Response::new(answer))
    }

    async fn open_ephemeral_resource(
        &self,
        request: Request<pb::OpenEphemeralResourceRequest>,
    ) -> Answer<pb::OpenEphemeralResourceResponse> {
        let request = request.into_inner();
        self.trace.note("OpenEphemeralResource", Some(&request.type_name));
        let opened = async {
            let ephemeral = self.schemas.ephemeral(&request.type_name)?;
            let config = ephemeral.read(request.config.as_ref())?;
            ephemeral.what.open(&self.session, config).await
        };
        let (opened, renew_at, private) = match opened.await {
            Ok(opened) => (Ok((opened.result, Some(opened.told))), opened.renew_at, opened.private),
            Err(faults) => (Err(faults), None, None),
        };
        let (result, diagnostics) = state(opened)?;
        Ok(Response::new(pb::OpenEphemeralResourceResponse {
            diagnostics,
            renew_at: renew_at.map(messages::instant),
            result,
            private,
            ..Default::default()
        }))
    }

    async fn renew_ephemeral_resource(
        &self,
        request: Request<pb::RenewEphemeralResourceRequest>,
    ) -> Answer<pb::RenewEphemeralResourceResponse> {
        let request = request.into_inner();
        self.trace.note("RenewEphemeralResource", Some(&request.type_name));
        let private = request.private;
        let renewed = async {
            let ephemeral = self.schemas.ephemeral(&request.type_name)?;
            ephemeral.what.renew(&self.session, private.as_deref()).await
        };
        let diagnostics = told(renewed.await.map(|()| Diagnostics::default()));
        let answer =
            pb::RenewEphemeralResourceResponse { diagnostics, private, ..Default::default() };
        Ok(Response::new(answer))
    }

    async fn close_ephemeral_resource(
        &self,
        request: Request<pb::CloseEphemeralResourceRequest>,
    ) -> Answer<pb::CloseEphemeralResourceResponse> {
        let request = request.into_inner();
        self.trace.note("CloseEphemeralResource", Some(&request.type_name));
        let closed = async {
            let ephemeral = self.schemas.ephemeral(&request.type_name)?;
            ephemeral.what.close(&self.session, request.private.as_deref()).await
        };
        let diagnostics = told(closed.await.map(|()| Diagnostics::default()));
        Ok(Response::new(pb::CloseEphemeralResourceResponse { diagnostics }))
    }

    async fn get_functions(
        &self,
        _: Request<pb::GetFunctionsRequest>,
    ) -> Answer<pb::GetFunctionsResponse> {
        self.trace.note("GetFunctions", None);
        let functions = self.schemas.functions_to_wire();
        Ok(Response::new(pb::GetFunctionsResponse { functions, diagnostics: Vec::new() }))
    }

    async fn call_function(
        &self,
        request: Request<pb::CallFunctionRequest>,
    ) -> Answer<pb::CallFunctionResponse> {
        let request = request.into_inner();
        self.trace.note("CallFunction", Some(&request.name));
        let Some(function) = self.schemas.function(&request.name) else {
            let text = format!("The provider `assent` has no function `{}`.", request.name);
            let error = Some(pb::FunctionError { text: legible(&text), function_argument: None });
            return Ok(Response::new(pb::CallFunctionResponse { result: None, error }));
        };
        let answer = match called(function, &request.arguments) {
            Ok(value) => {
                let (result, _) = state(Ok((value, None)))?;
                pb::CallFunctionResponse { result, error: None }
            }
            Err(error) => pb::CallFunctionResponse { result: None, error: Some(error) },
        };
        Ok(Response::new(answer))
    }

    async fn stop_provider(
        &self,
        _: Request<pb::StopProviderRequest>,
    ) -> Answer<pb::StopProviderResponse> {
        self.trace.note("StopProvider", None);
        self.session.interrupts.stop();
        Ok(Response::new(pb::StopProviderResponse::default()))
    }
}

/// What a function gives for these arguments.
fn called(function: &Function, sent: &[pb::DynamicValue]) -> Result<Value, pb::FunctionError> {
    let at = |index: usize, text: String| pb::FunctionError {
        text: legible(&text),
        function_argument: i64::try_from(index).ok(),
    };
    if sent.len() != function.parameters.len() {
        let (wanted, given) = (function.parameters.len(), sent.len());
        let text = format!("`{}` takes {wanted} arguments; {given} are given.", function.name);
        return Err(pb::FunctionError { text, function_argument: None });
    }
    let mut arguments = Vec::new();
    for (index, (parameter, sent)) in function.parameters.iter().zip(sent).enumerate() {
        let value = messages::decode(sent, &parameter.of)
            .map_err(|error| at(index, format!("{error}.")))?;
        arguments.push(value);
    }
    (function.call)(&arguments).map_err(|wrong| at(wrong.index, wrong.text))
}

#[cfg(test)]
#[path = "rpc/hostile_tests.rs"]
mod hostile_tests;
