//! How a wait for a request ends, by what its state means.

pub(crate) use assent_gate::Standing;

use crate::failure::Exit;

/// How a wait for it ends.
pub(crate) fn exit(standing: Standing) -> Exit {
    match standing {
        Standing::Granted => Exit::Granted,
        Standing::Pending | Standing::Ended => Exit::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use crate::show::tests::request;

    #[test]
    fn only_a_grant_exits_with_0() {
        for (state, code) in [
            ("approved", 0),
            ("consumed", 0),
            ("pending", 1),
            ("denied", 1),
            ("expired", 1),
            ("canceled", 1),
            ("revoked", 1),
        ] {
            assert_eq!(exit(Standing::of(&request(state)).unwrap()).code(), code, "{state}");
        }
    }

    #[test]
    fn a_state_that_is_not_known_is_no_grant() {
        match Failure::from(Standing::of(&request("granted!")).unwrap_err()) {
            Failure::Told(told) => assert_eq!(told.exit.code(), 3),
            Failure::OutputClosed => panic!("it is told"),
        }
    }
}
