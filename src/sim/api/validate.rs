//! Validation, in the API server's words: the rules of Kubernetes 1.37 for the kinds that are
//! served.
//!
//! The rules stand in the order in which the server checks them, because its message lists all that
//! are broken. Where the server goes through a map in random order, the keys are sorted here. Each
//! file says which rules are left out.

mod container;
mod daemon_set;
mod decode;
mod dns;
mod env;
mod errors;
mod event;
mod fields;
mod metadata;
mod mounts;
mod names;
mod node;
mod others;
mod placement;
mod pod;
mod pod_resize;
mod pod_update;
mod probe;
mod profiles;
mod references;
mod resources;
mod security;
pub mod unknown;
mod volume;
mod windows;

use serde_json::Value;

pub use decode::{check_types, decode, fill_nulls};
use errors::Errors;
use metadata::NameRule;
pub use unknown::without_unknown;

use super::resource::{self, Resource};
use super::status::FieldError;

/// The errors of a new object, which is complete ([`super::defaults`]) and has a name.
pub fn create(resource: &Resource, object: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let rule = name_rule(resource);
    match resource {
        r if *r == resource::DAEMON_SETS => {
            metadata::create_strictly(&mut errors, object, true, rule);
            daemon_set::spec(&mut errors, object);
        }
        r if *r == resource::PODS => pod::create(&mut errors, object),
        r if *r == resource::NODES => node::create(&mut errors, object),
        r if *r == resource::NAMESPACES => {
            metadata::create_strictly(&mut errors, object, false, rule);
            others::namespace(&mut errors, object);
        }
        r if *r == resource::CONTROLLER_REVISIONS => {
            metadata::create_strictly(&mut errors, object, true, rule);
            others::revision(&mut errors, object);
            others::revision_data(&mut errors, object);
        }
        r if *r == resource::LEASES => {
            metadata::create(&mut errors, object, true, rule);
            others::lease(&mut errors, object);
        }
        _ => event::create(&mut errors, resource, object),
    }
    // Whatever the rules of its kind are, a name must fit into a path.
    if errors.is_empty() {
        metadata::create(&mut errors, object, resource.namespaced, NameRule::Path);
    }
    errors.into_vec()
}

/// The errors of an update of `old` to `new`, both complete. `subresource` is empty, `status`
/// or `resize`. Conflicts of uid and resourceVersion are not checked here.
pub fn update(resource: &Resource, new: &Value, old: &Value, subresource: &str) -> Vec<FieldError> {
    let mut errors = Errors::default();
    metadata::update(&mut errors, new, old);
    match resource {
        r if *r == resource::DAEMON_SETS => {
            metadata::update_strictly(&mut errors, new, old);
            if subresource == "status" {
                daemon_set::status(&mut errors, new, old);
            } else {
                daemon_set::selector_stays(&mut errors, new, old);
                daemon_set::spec(&mut errors, new);
            }
        }
        r if *r == resource::PODS && subresource == "status" => pod::status(&mut errors, new, old),
        r if *r == resource::PODS && subresource == "resize" => {
            pod_resize::update(&mut errors, new, old);
        }
        r if *r == resource::PODS => pod_update::update(&mut errors, new, old),
        r if *r == resource::NODES => {
            if subresource != "status" {
                node::create(&mut errors, new);
            }
            node::update(&mut errors, new, old);
        }
        r if *r == resource::NAMESPACES => {
            metadata::update_strictly(&mut errors, new, old);
            if subresource == "status" {
                others::namespace_status(&mut errors, new);
            }
        }
        r if *r == resource::CONTROLLER_REVISIONS => {
            metadata::update_strictly(&mut errors, new, old);
            others::revision(&mut errors, new);
            errors.immutable("data", new, old, "data");
        }
        r if *r == resource::LEASES => {
            metadata::update(&mut errors, new, old);
            others::lease(&mut errors, new);
        }
        _ => event::update(&mut errors, resource, new, old),
    }
    metadata::fixed(&mut errors, new, old);
    errors.into_vec()
}

/// Names of namespaces are labels, names of events anything that fits into a path, all others
/// subdomains.
fn name_rule(resource: &Resource) -> NameRule {
    if *resource == resource::NAMESPACES {
        NameRule::Label
    } else {
        NameRule::Subdomain
    }
}
