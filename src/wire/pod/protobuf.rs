//! Reads the message of a pod.

use crate::wire::{
    partial::protobuf::{affinity, condition, lenient_text, metadata, text},
    pod_detail::protobuf::container_status,
    protobuf::reader::{Malformed, Message, Result},
};

use super::{ContainerStatuses, PodObject, PodStatus, SchedulingGate, Spec};

pub(super) fn read(object: &[u8]) -> Result<PodObject<'_, ContainerStatuses<'_>>> {
    let (mut meta, mut spec, mut status) = (None, None, None);
    for field in Message::new(object) {
        let field = field?;
        match field.number {
            1 => meta = Some(field.message("metadata", metadata)?),
            2 => spec = Some(field.message("spec", read_spec)?),
            3 => status = Some(field.message("status", read_status)?),
            _ => {}
        }
    }
    Ok(PodObject {
        metadata: meta.ok_or_else(|| Malformed::new("missing field `metadata`"))?,
        spec,
        status,
    })
}

fn read_spec<'a>(message: Message<'a>) -> Result<Spec<'a>> {
    let mut spec = Spec::default();
    for field in message {
        let field = field?;
        match field.number {
            10 => spec.node_name = text(field, "nodeName")?,
            18 => spec.affinity = Some(field.message("affinity", affinity)?),
            38 => {
                let gate = field.message("schedulingGates", scheduling_gate)?;
                spec.scheduling_gates.get_or_insert_default().push(gate);
            }
            _ => {}
        }
    }
    Ok(spec)
}

fn scheduling_gate<'a>(message: Message<'a>) -> Result<SchedulingGate<'a>> {
    let mut gate = SchedulingGate { name: None };
    for field in message {
        let field = field?;
        if field.number == 1 {
            gate.name = text(field, "name")?;
        }
    }
    Ok(gate)
}

fn read_status<'a>(message: Message<'a>) -> Result<PodStatus<'a, ContainerStatuses<'a>>> {
    let mut status = PodStatus::default();
    let mut conditions = Vec::new();
    let (mut init, mut main) = (Vec::new(), Vec::new());
    for field in message {
        let field = field?;
        match field.number {
            1 => status.phase = text(field, "phase")?,
            2 => conditions.push(field.message("conditions", condition)?),
            3 => status.message = lenient_text(field),
            4 => status.reason = lenient_text(field),
            // What only explains must not spoil the pod.
            8 => main.extend(field.message("containerStatuses", container_status).ok()),
            10 => init.extend(
                field
                    .message("initContainerStatuses", container_status)
                    .ok(),
            ),
            _ => {}
        }
    }
    status.conditions = Some(conditions);
    status.container_statuses = Some(main);
    status.init_container_statuses = Some(init);
    Ok(status)
}
