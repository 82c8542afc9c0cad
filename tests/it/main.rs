//! Whole-system tests of Assent: the authority over HTTP, its ledgers, races, crashes, and what
//! holds for the tree as a whole. One binary; every test is alone with its own server and files.

#[cfg(test)]
mod action;
#[cfg(test)]
mod authorities;
#[cfg(test)]
mod brokers;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod canary;
#[cfg(test)]
mod checking;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod github;
#[cfg(test)]
mod http;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod races;
#[cfg(test)]
mod records;
#[cfg(test)]
mod runner;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod support;
#[cfg(test)]
mod terraform;
#[cfg(test)]
mod threats;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod verifiers;
