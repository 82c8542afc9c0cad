//! The authority's GitHub App.

use assent_core::wire;

use crate::transport::Call;
use crate::{Client, ClientError};

impl Client {
    /// What weakens the gates of a repository at GitHub, `OWNER/REPO`, or of one environment of it.
    /// Only for administrators.
    ///
    /// # Errors
    /// [`ClientError`]; code `no_github_app` where the authority is no App.
    pub async fn github_doctor(
        &self,
        repository: &str,
        environment: Option<&str>,
    ) -> Result<wire::GithubCheckup, ClientError> {
        let mut query = vec![("repository", repository)];
        query.extend(environment.map(|name| ("environment", name)));
        self.transport.send(Call::get("/v1/github/doctor").with_query(&query)).await
    }
}
