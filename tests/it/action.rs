//! The GitHub Action as it is shipped: the shim, the binary behind it, and the workflows that use it.

mod container;
mod shim;
mod workflows;
