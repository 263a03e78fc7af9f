//! The fields of a DaemonSet's `status` that the controller owns, and its conditions, which it
//! shares.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::DaemonSetStatus;

#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusObject<'a> {
    current_number_scheduled: i32,
    number_misscheduled: i32,
    desired_number_scheduled: i32,
    number_ready: i32,
    updated_number_scheduled: i32,
    number_available: i32,
    number_unavailable: i32,
    observed_generation: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    collision_count: Option<i32>,
    /// The whole list; absent in a patch that leaves it as it is.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<&'a RawValue>,
}

impl From<&DaemonSetStatus> for StatusObject<'_> {
    fn from(status: &DaemonSetStatus) -> Self {
        StatusObject {
            current_number_scheduled: status.current_number_scheduled,
            number_misscheduled: status.number_misscheduled,
            desired_number_scheduled: status.desired_number_scheduled,
            number_ready: status.number_ready,
            updated_number_scheduled: status.updated_number_scheduled,
            number_available: status.number_available,
            number_unavailable: status.number_unavailable,
            observed_generation: status.observed_generation,
            collision_count: status.collision_count,
            conditions: None,
        }
    }
}

impl From<StatusObject<'_>> for DaemonSetStatus {
    fn from(object: StatusObject<'_>) -> Self {
        DaemonSetStatus {
            current_number_scheduled: object.current_number_scheduled,
            number_misscheduled: object.number_misscheduled,
            desired_number_scheduled: object.desired_number_scheduled,
            number_ready: object.number_ready,
            updated_number_scheduled: object.updated_number_scheduled,
            number_available: object.number_available,
            number_unavailable: object.number_unavailable,
            observed_generation: object.observed_generation,
            collision_count: object.collision_count,
        }
    }
}

impl<'a> StatusObject<'a> {
    /// The counts, and the whole list of conditions where that is to be written.
    pub fn new(status: &DaemonSetStatus, conditions: Option<&'a RawValue>) -> Self {
        StatusObject {
            conditions,
            ..status.into()
        }
    }
}
