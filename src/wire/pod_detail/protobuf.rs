//! What explains, read from messages.

use crate::wire::{
    partial::{
        Lenient,
        protobuf::{lenient_text, stamp},
    },
    protobuf::reader::{Field, Message, Result},
};

use super::{ContainerState, ContainerStatus, Terminated, Waiting};

/// `ContainerStatus`. A field that is malformed inside is not known.
pub fn container_status<'a>(message: Message<'a>) -> Result<ContainerStatus<'a>> {
    let mut status = ContainerStatus::default();
    for field in message {
        let field = field?;
        match field.number {
            1 => status.name = lenient_text(field),
            2 => status.state = leniently(field, container_state),
            3 => status.last_state = leniently(field, container_state),
            5 => status.restart_count = Lenient(number(field)),
            _ => {}
        }
    }
    Ok(status)
}

fn leniently<'a, T>(field: Field<'a>, read: impl FnOnce(Message<'a>) -> Result<T>) -> Lenient<T> {
    Lenient(field.message("", read).ok())
}

fn number<T: TryFrom<i64>>(field: Field<'_>) -> Option<T> {
    field.number("").ok().and_then(|n| n.try_into().ok())
}

fn container_state<'a>(message: Message<'a>) -> Result<ContainerState<'a>> {
    let mut state = ContainerState::default();
    for field in message {
        let field = field?;
        match field.number {
            1 => state.waiting = leniently(field, waiting),
            3 => state.terminated = leniently(field, terminated),
            _ => {}
        }
    }
    Ok(state)
}

fn waiting<'a>(message: Message<'a>) -> Result<Waiting<'a>> {
    let mut waiting = Waiting::default();
    for field in message {
        let field = field?;
        match field.number {
            1 => waiting.reason = lenient_text(field),
            2 => waiting.message = lenient_text(field),
            _ => {}
        }
    }
    Ok(waiting)
}

fn terminated<'a>(message: Message<'a>) -> Result<Terminated<'a>> {
    let mut terminated = Terminated {
        // A number that is absent is zero.
        exit_code: Lenient(Some(0)),
        ..Terminated::default()
    };
    for field in message {
        let field = field?;
        match field.number {
            1 => terminated.exit_code = Lenient(number(field)),
            3 => terminated.reason = lenient_text(field),
            6 => terminated.finished_at = Lenient(field.message("", stamp).ok().flatten()),
            _ => {}
        }
    }
    Ok(terminated)
}
