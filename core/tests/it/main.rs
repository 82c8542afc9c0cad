//! The domain from outside, on data that others have made.

mod plans;
