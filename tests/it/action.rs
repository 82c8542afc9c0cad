//! The GitHub Action as it is shipped: the shim, the binary behind it, and the workflows that use it.

mod canceled;
mod container;
mod jobs;
mod modes;
mod shim;
mod untrusted;
mod waiting;
mod workflows;
mod world;
