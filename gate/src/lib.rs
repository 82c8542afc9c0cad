//! What a program does that stands before an action: it asks, waits, is given what was granted, runs
//! what may be run now, and ends what is over.
//!
//! It decides nothing, reads no environment and prints nothing: who uses it does.

mod audience;
pub mod child;
pub mod ending;
mod obstacle;
pub mod plan;
mod signals;
mod standing;
mod text;

pub use audience::only_audience;
pub use obstacle::{Obstacle, Sort, Told};
pub use signals::{Ask, Signals};
pub use standing::Standing;
pub use text::clean;
