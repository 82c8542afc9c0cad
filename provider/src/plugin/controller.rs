//! The two services that Terraform's plugin client calls beside the provider.

use std::pin::Pin;
use std::sync::Arc;

use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::Lifetime;
use crate::rpc::plugin_pb::grpc_controller_server::GrpcController;
use crate::rpc::plugin_pb::grpc_stdio_server::GrpcStdio;
use crate::rpc::plugin_pb::{Empty, StdioData};
use crate::trace::Trace;

/// What must be done before the process ends at Terraform's wish.
#[tonic::async_trait]
pub(crate) trait Farewell: Send + Sync + 'static {
    /// Does it, in bounded time.
    async fn say(&self);
}

/// Ends the process in good order.
pub(crate) struct Controller {
    farewell: Arc<dyn Farewell>,
    lifetime: Arc<Lifetime>,
    trace: Trace,
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Controller(..)")
    }
}

impl Controller {
    /// A controller that says this farewell.
    pub(crate) fn new(farewell: Arc<dyn Farewell>, lifetime: Arc<Lifetime>, trace: Trace) -> Self {
        Self { farewell, lifetime, trace }
    }
}

#[tonic::async_trait]
impl GrpcController for Controller {
    /// Says farewell, answers, then ends.
    ///
    /// Terraform waits for the answer without a limit, and kills the process two
    /// seconds after it: whatever must be done is done before.
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.trace.note("Shutdown", None);
        self.farewell.say().await;
        self.lifetime.end();
        Ok(Response::new(Empty {}))
    }
}

/// A stream of what a plugin would print; it stays empty and ends with the process.
#[derive(Debug)]
pub(crate) struct Stdio(pub(crate) Arc<Lifetime>);

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    type StreamStdioStream = Pin<Box<dyn Stream<Item = Result<StdioData, Status>> + Send>>;

    async fn stream_stdio(
        &self,
        _: Request<()>,
    ) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(Box::pin(Silence(Box::pin(self.0.ended())))))
    }
}

/// Nothing, until the process ends.
struct Silence(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Stream for Silence {
    type Item = Result<StdioData, Status>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.as_mut().poll(cx).map(|()| None)
    }
}
