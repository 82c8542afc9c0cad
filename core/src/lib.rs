#![doc = include_str!("../README.md")]

pub mod access;
pub mod audit;
pub mod canonical;
pub mod credential;
pub mod digest;
pub mod grant;
pub mod id;
pub mod intent;
pub mod membership;
pub mod plan;
pub mod policy;
pub mod principal;
pub mod request;
pub mod time;
#[cfg(feature = "wire")]
pub mod wire;
