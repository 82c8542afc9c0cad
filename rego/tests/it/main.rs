//! Rego through real worker processes: what is asked, what is hostile, what ends.

#[cfg(test)]
mod asked;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod opa;
#[cfg(test)]
mod places;
#[cfg(test)]
mod support;
