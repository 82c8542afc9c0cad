//! Why bytes are not taken as a plan. No message holds anything out of a value.

use std::fmt;

/// Where in the JSON something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path from the root, `$.resource_changes[3].change`. Names that are not the plan format's
    /// own are written `*`: a name can be somebody's data.
    pub path: String,
    /// The byte, from 0, in what was given.
    pub byte: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at `{}`, byte {}", self.path, self.byte)
    }
}

/// Why the bytes are not taken as a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// More bytes than are read.
    #[error("the plan has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// How many it has.
        bytes: usize,
        /// How many are read.
        limit: usize,
    },
    /// The bytes are not text.
    #[error("byte {byte} is {problem}")]
    Encoding {
        /// Which, from 0.
        byte: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The text ends within a value.
    #[error("the JSON ends {place}, where {expected} is expected: the file is cut off")]
    Truncated {
        /// Where it ends.
        place: Place,
        /// What should follow.
        expected: &'static str,
    },
    /// The text is not JSON (RFC 8259).
    #[error("not JSON {place}: expected {expected}, found {found}")]
    Syntax {
        /// Where.
        place: Place,
        /// What should be there.
        expected: &'static str,
        /// What kind of thing is there.
        found: &'static str,
    },
    /// Two members of one object have one name, so that two readers could see two plans.
    #[error("two members of one object have the same name {place}")]
    Duplicate {
        /// Where the second stands.
        place: Place,
    },
    /// Nested deeper than is read.
    #[error("nested deeper than {limit} levels {place}")]
    TooDeep {
        /// Where.
        place: Place,
        /// How deep is read.
        limit: usize,
    },
    /// One text longer than is read.
    #[error("a text of more than {limit} bytes {place}")]
    TooLong {
        /// Where it begins.
        place: Place,
        /// How long is read.
        limit: usize,
    },
    /// More values than are read.
    #[error("more than {limit} values, reached {place}")]
    TooManyValues {
        /// Where the limit is reached.
        place: Place,
        /// How many are read.
        limit: usize,
    },
    /// More changes than are read.
    #[error("more than {limit} changes {place}; split the change into several plans")]
    TooManyChanges {
        /// Which list is too long.
        place: Place,
        /// How many are read.
        limit: usize,
    },
    /// A member that every plan has is not there.
    #[error("`{member}` is missing {place}")]
    Missing {
        /// The object.
        place: Place,
        /// The member's name.
        member: &'static str,
    },
    /// Something is not what the plan format has there.
    #[error("expected {expected} {place}, found {found}")]
    Unexpected {
        /// Where.
        place: Place,
        /// What the format has there.
        expected: &'static str,
        /// What kind of thing is there.
        found: &'static str,
    },
    /// A format version that is not known here.
    #[error(
        "format version {found} {place} is not known: 0.1, 0.2 and 1.x are read; use a newer assent"
    )]
    Version {
        /// Where.
        place: Place,
        /// The version, where it is one.
        found: String,
    },
    /// Something else that is easily mistaken for a plan.
    #[error("not a plan: {0}")]
    NotAPlan(LooksLike),
}

impl PlanError {
    /// The same with its place found among the bytes that were given.
    pub(super) fn map_byte(mut self, byte: impl FnOnce(usize) -> usize) -> Self {
        match &mut self {
            Self::Truncated { place, .. }
            | Self::Syntax { place, .. }
            | Self::Duplicate { place }
            | Self::TooDeep { place, .. }
            | Self::TooLong { place, .. }
            | Self::TooManyValues { place, .. }
            | Self::TooManyChanges { place, .. }
            | Self::Missing { place, .. }
            | Self::Unexpected { place, .. }
            | Self::Version { place, .. } => place.byte = byte(place.byte),
            Self::TooLarge { .. } | Self::Encoding { .. } | Self::NotAPlan(_) => {}
        }
        self
    }
}

/// What was given instead of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LooksLike {
    /// What `terraform plan -out` writes: a ZIP archive.
    SavedPlan,
    /// What `terraform plan -out` writes where HCP Terraform plans: where the plan is, not the plan.
    CloudPlan,
    /// The lines of `terraform plan -json` or `apply -json`.
    Log,
    /// `terraform.tfstate`.
    State,
    /// What `terraform show -json` prints without a plan file.
    StateView,
    /// A configuration in JSON, `*.tf.json`.
    Configuration,
    /// What `terraform providers schema -json` prints.
    ProviderSchemas,
    /// What `terraform validate -json` prints.
    Validation,
    /// Text that is not JSON, such as the plan as people read it.
    Text,
    /// Nothing at all.
    Nothing,
    /// JSON, but of something else.
    Json,
}

impl fmt::Display for LooksLike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SavedPlan => {
                "this looks like a saved plan file (a ZIP archive); give what \
                 `terraform show -json FILE` prints of it"
            }
            Self::CloudPlan => {
                "this looks like a plan that HCP Terraform keeps; give what `terraform show -json FILE` \
                 prints of it"
            }
            Self::Log => {
                "this looks like the log lines of `terraform plan -json`; run `terraform plan -out=FILE` \
                 and give what `terraform show -json FILE` prints"
            }
            Self::State => {
                "this looks like a state file; run `terraform plan -out=FILE` and give what \
                 `terraform show -json FILE` prints"
            }
            Self::StateView => {
                "this looks like a state; name the plan file in `terraform show -json FILE`"
            }
            Self::Configuration => {
                "this looks like a configuration; run `terraform plan -out=FILE` and give what \
                 `terraform show -json FILE` prints"
            }
            Self::ProviderSchemas => {
                "this looks like provider schemas; give what `terraform show -json FILE` prints of \
                 a saved plan"
            }
            Self::Validation => {
                "this looks like the output of `terraform validate -json`; give what \
                 `terraform show -json FILE` prints of a saved plan"
            }
            Self::Text => {
                "this is not JSON; give what `terraform show -json FILE` prints of a saved plan"
            }
            Self::Nothing => {
                "this is empty; see whether `terraform show -json FILE` reported an error"
            }
            Self::Json => {
                "this JSON is none; give what `terraform show -json FILE` prints of a saved plan"
            }
        })
    }
}
