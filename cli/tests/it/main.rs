//! The program as a whole, where no server is needed.

mod plan;
