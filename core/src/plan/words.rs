//! Terraform's own words.

/// What kind of thing an address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A resource that Terraform looks after.
    Managed,
    Data,
    Ephemeral,
}

impl Mode {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::Data => "data",
            Self::Ephemeral => "ephemeral",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Managed, Self::Data, Self::Ephemeral].into_iter().find(|mode| mode.word() == word)
    }
}

/// What Terraform does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    NoOp,
    Create,
    Read,
    Update,
    Delete,
    /// No longer looks after it.
    Forget,
}

impl Action {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NoOp => "no-op",
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Forget => "forget",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        let all = [Self::NoOp, Self::Create, Self::Read, Self::Update, Self::Delete, Self::Forget];
        all.into_iter().find(|action| action.word() == word)
    }
}

pub(crate) fn words(actions: &[Action]) -> Vec<String> {
    actions.iter().map(|action| action.word().to_owned()).collect()
}
