//! The GitHub Action as it is shipped: the shim, the binary behind it, and the workflows that use it.

mod canceled;
mod comments;
mod container;
mod crowd;
mod example;
mod jobs;
mod lost;
mod modes;
mod opened;
mod plans;
mod post;
mod relay;
mod shim;
mod untrusted;
mod waiting;
mod workflows;
mod world;
