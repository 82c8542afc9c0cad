//! Policy as code: documents, groups, calendars and trusts that the server keeps, as resources and data sources.
//!
//! Every kind is one resource with the same life: plan asks the server whether the policy would still
//! stand, together with what else this run plans to change; apply writes, and waits for people where
//! policy wants its changes approved. The server alone judges what is right; nothing here reads rules.

mod calendar;
mod change;
mod document;
mod fault;
mod foresight;
mod group;
mod kind;
mod looked_up;
mod managed;
mod overlay;
mod trust;

pub(crate) use calendar::Calendar;
pub(crate) use document::Document;
pub(crate) use group::Group;
pub(crate) use looked_up::{LookedUpGroup, LookedUpPolicy};
pub(crate) use managed::Managed;
pub(crate) use overlay::Overlay;
pub(crate) use trust::Trust;
