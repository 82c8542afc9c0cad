//! The domain from outside, on data that others have made.

#[cfg(test)]
mod plans;
