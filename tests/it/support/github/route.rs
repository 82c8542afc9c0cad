//! What can be asked.

macro_rules! routes {
    ($($name:ident,)*) => {
        /// One thing that is asked, whatever it is asked of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Route {
            $($name,)*
            /// What this GitHub does not have.
            Unknown,
        }

        impl Route {
            /// All that this GitHub has.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

routes! {
    App,
    InstallationOfRepository,
    InstallationOfOrganization,
    InstallationToken,
    Repositories,
    Repository,
    Runs,
    Run,
    Pending,
    Callback,
    Approvals,
    Deliveries,
    Environments,
    Environment,
    BranchPatterns,
    Rules,
    CreateCheck,
    UpdateCheck,
    ChecksOfCommit,
    Commit,
    Commits,
    PullsOfCommit,
    CommitsOfPull,
    Pull,
    Installations,
    Compare,
    CreateDeploymentStatus,
    TeamMembers,
    Content,
}

impl Route {
    pub(super) fn of(method: &str, path: &[&str]) -> Self {
        // A server of GitHub Enterprise answers below a path of its own.
        let path = path.strip_prefix(&["api", "v3"]).unwrap_or(path);
        match (method, path) {
            ("GET", ["app"]) => Self::App,
            ("GET", ["app", "installations"]) => Self::Installations,
            ("GET", ["repos", _, _, "pulls", _]) => Self::Pull,
            ("GET", ["repos", _, _, "installation"]) => Self::InstallationOfRepository,
            ("GET", ["orgs", _, "installation"]) => Self::InstallationOfOrganization,
            ("POST", ["app", "installations", _, "access_tokens"]) => Self::InstallationToken,
            ("GET", ["installation", "repositories"]) => Self::Repositories,
            ("GET", ["repos", _, _]) => Self::Repository,
            ("GET", ["repos", _, _, "actions", "runs"]) => Self::Runs,
            ("GET", ["repos", _, _, "actions", "runs", _]) => Self::Run,
            ("GET", ["repos", _, _, "actions", "runs", _, "pending_deployments"]) => Self::Pending,
            ("POST", ["repos", _, _, "actions", "runs", _, "deployment_protection_rule"]) => {
                Self::Callback
            }
            ("GET", ["repos", _, _, "actions", "runs", _, "approvals"]) => Self::Approvals,
            ("GET", ["app", "hook", "deliveries"]) => Self::Deliveries,
            ("GET", ["repos", _, _, "environments"]) => Self::Environments,
            ("GET", ["repos", _, _, "environments", _, "deployment-branch-policies"]) => {
                Self::BranchPatterns
            }
            ("GET", ["repos", _, _, "environments", _]) => Self::Environment,
            ("GET", ["repos", _, _, "environments", _, "deployment_protection_rules"]) => {
                Self::Rules
            }
            ("POST", ["repos", _, _, "check-runs"]) => Self::CreateCheck,
            ("PATCH", ["repos", _, _, "check-runs", _]) => Self::UpdateCheck,
            ("GET", ["repos", _, _, "commits"]) => Self::Commits,
            ("GET", ["repos", _, _, "commits", _, "check-runs"]) => Self::ChecksOfCommit,
            ("GET", ["repos", _, _, "commits", _]) => Self::Commit,
            ("GET", ["repos", _, _, "commits", _, "pulls"]) => Self::PullsOfCommit,
            ("GET", ["repos", _, _, "pulls", _, "commits"]) => Self::CommitsOfPull,
            ("GET", ["repos", _, _, "compare", _]) => Self::Compare,
            ("POST", ["repos", _, _, "deployments", _, "statuses"]) => Self::CreateDeploymentStatus,
            ("GET", ["orgs", _, "teams", _, "members"]) => Self::TeamMembers,
            ("GET", ["repos", _, _, "contents", ..]) => Self::Content,
            _ => Self::Unknown,
        }
    }

    /// Whether the App itself asks it, and not one of its installations.
    pub(super) fn is_of_app(self) -> bool {
        matches!(
            self,
            Self::App
                | Self::Deliveries
                | Self::Installations
                | Self::InstallationOfRepository
                | Self::InstallationOfOrganization
                | Self::InstallationToken
        )
    }
}
