//! The call itself: AWS's own SDK, over our own way out.

use std::error::Error as _;

use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{
    BehaviorVersion, Config, HttpClient, IdentityCache, Region, RuntimeComponents,
    StalledStreamProtectionConfig,
};
use aws_sdk_sts::error::{ConnectorError, ProvideErrorMetadata as _, SdkError};
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use reqwest::{Method, Request};

use super::settings::Target;
use crate::broker::BrokerError;
use crate::broker::outside::{Outside, said, short};

/// What says nothing of this call, and of everything else there too.
const AWAY: [&str; 7] = [
    "IDPCommunicationError",
    "InternalFailure",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// A client that knows nothing but what it is told here: no files, no environment, no credentials.
/// It calls once, because whether to call again is the caller's to decide.
pub(super) fn client(target: &Target) -> aws_sdk_sts::Client {
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(target.region.clone()))
        .http_client(Way(target.outside.clone()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .identity_cache(IdentityCache::no_cache());
    config.set_endpoint_url(target.endpoint.as_ref().map(|url| url.as_str().to_owned()));
    aws_sdk_sts::Client::from_conf(config.build())
}

/// What went wrong, in the words of STS where it said something.
pub(super) fn told(error: &SdkError<AssumeRoleWithWebIdentityError, HttpResponse>) -> BrokerError {
    let status = error.raw_response().map(|response| response.status().as_u16());
    if let Some(refused) = error.as_service_error() {
        let code = refused.code().map_or_else(|| "no code".to_owned(), said);
        let text = format!("STS: {} ({code})", said(refused.message().unwrap_or("no reason")));
        let is_away = AWAY.contains(&code.as_str()) || status.is_none_or(|status| status >= 500);
        let text = short(&text);
        return if is_away { BrokerError::Away(text) } else { BrokerError::Refused(text) };
    }
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(ours) = inner.downcast_ref::<BrokerError>() {
            return ours.clone();
        }
        cause = inner.source();
    }
    let status = status.map_or_else(String::new, |status| format!(" (status {status})"));
    BrokerError::Away(format!("STS answered what cannot be read{status}"))
}

/// The way out, as the SDK takes it.
#[derive(Clone, Debug)]
struct Way(Outside);

impl HttpClient for Way {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Way {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self(outside) = self.clone();
        HttpConnectorFuture::new(async move {
            let request = translated(&request)?;
            let answer = outside.send(request).await;
            let answer = answer.map_err(|problem| ConnectorError::io(Box::new(problem)))?;
            let status = answer.status.try_into().map_err(unusable)?;
            Ok(HttpResponse::new(status, SdkBody::from(answer.body.as_slice())))
        })
    }
}

fn translated(request: &HttpRequest) -> Result<Request, ConnectorError> {
    let method = Method::from_bytes(request.method().as_bytes()).map_err(unusable)?;
    let mut made = Request::new(method, request.uri().parse().map_err(unusable)?);
    for (name, value) in request.headers() {
        let name = reqwest::header::HeaderName::try_from(name).map_err(unusable)?;
        made.headers_mut().append(name, value.try_into().map_err(unusable)?);
    }
    // What is sent is small, so it is there whole.
    *made.body_mut() = request.body().bytes().map(|bytes| bytes.to_vec().into());
    Ok(made)
}

fn unusable(problem: impl std::error::Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::user(Box::new(problem))
}
