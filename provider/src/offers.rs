//! Everything that this provider offers, once: schemas, calls and documentation are made from it.

use crate::offer::{DataSource, Ephemeral, Function, Resource};
use crate::{approval, credential, decision, functions, gate, jwks, policy, request, requests};

/// The managed resources.
pub(crate) fn resources() -> Vec<Box<dyn Resource>> {
    vec![
        Box::new(approval::Approval),
        Box::new(gate::Gate),
        Box::new(policy::Managed::<policy::Document>::default()),
        Box::new(policy::Managed::<policy::Group>::default()),
        Box::new(policy::Managed::<policy::Calendar>::default()),
        Box::new(policy::Managed::<policy::Trust>::default()),
    ]
}

/// The data sources.
pub(crate) fn data_sources() -> Vec<Box<dyn DataSource>> {
    vec![
        Box::new(decision::Decision),
        Box::new(request::Request),
        Box::new(requests::Requests),
        Box::new(policy::LookedUpPolicy),
        Box::new(policy::LookedUpGroup),
        Box::new(jwks::Jwks),
    ]
}

/// The ephemeral resources.
pub(crate) fn ephemerals() -> Vec<Box<dyn Ephemeral>> {
    vec![Box::new(credential::Credential)]
}

/// The functions.
pub(crate) fn functions() -> Vec<Function> {
    functions::all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::tests::check;

    #[test]
    fn everything_is_described() {
        resources().iter().for_each(|resource| check(&resource.schema()));
        data_sources().iter().for_each(|source| check(&source.schema()));
        ephemerals().iter().for_each(|ephemeral| check(&ephemeral.schema()));
        for function in functions() {
            assert!(function.description.ends_with('.'), "{}", function.name);
            for parameter in function.parameters {
                assert!(parameter.description.ends_with('.'), "{}", parameter.name);
            }
        }
    }
}
