//! The program as a whole, where no server is needed.

#[cfg(test)]
mod plan;
