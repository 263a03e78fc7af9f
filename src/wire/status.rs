//! The fields of a DaemonSet's `status` that the controller owns.

use serde::{Deserialize, Serialize};

use crate::model::DaemonSetStatus;

#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusObject {
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
}

impl From<&DaemonSetStatus> for StatusObject {
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
        }
    }
}

impl From<StatusObject> for DaemonSetStatus {
    fn from(object: StatusObject) -> Self {
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
