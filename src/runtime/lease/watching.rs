//! The watch of the one Lease: a standby learns at once that it was released, a leader that it was
//! taken over or deleted.

use crate::wire::{Encoded, Encoding};
use std::sync::Arc;

use kube::Client;
use rand::rngs::StdRng;
use serde_json::value::RawValue;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    model::Version,
    runtime::list_watch::{self, Resource, Sink},
};

use super::LeaseOptions;

/// What the watch told.
pub enum Noticed {
    /// The Lease was created or changed to this.
    Lease(Box<RawValue>),
    /// There is no Lease as of this version.
    Gone(Version),
}

/// Watches the Lease until `shutdown` becomes true, or the set of tasks is dropped.
pub fn watch(
    client: Client,
    server: String,
    options: &LeaseOptions,
    rng: StdRng,
    shutdown: watch::Receiver<bool>,
) -> (mpsc::UnboundedReceiver<Noticed>, JoinSet<()>) {
    let (told, receiver) = mpsc::unbounded_channel();
    let resource = Resource {
        kind: "Lease",
        path: options.leases(),
        field_selector: Some(format!("metadata.name={}", options.name)),
        page_size: 0,
        encoding: Encoding::Json,
    };
    let sink = LeaseSink {
        told,
        listed: false,
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let again = Arc::default();
        list_watch::run(client, &server, resource, sink, rng, again, shutdown).await;
    });
    (receiver, tasks)
}

struct LeaseSink {
    told: mpsc::UnboundedSender<Noticed>,
    /// Whether the Lease was in the list.
    listed: bool,
}

impl LeaseSink {
    fn tell(&self, noticed: Noticed) {
        // An error means that the receiver is gone, and the watch ends with it.
        let _ = self.told.send(noticed);
    }
}

impl Sink for LeaseSink {
    fn list_began(&mut self) {
        self.listed = false;
    }

    fn listed(&mut self, item: Encoded<'_>) {
        self.listed = true;
        self.changed(item);
    }

    fn list_completed(&mut self, version: &str) {
        if !self.listed {
            self.tell(Noticed::Gone(Version::parse(version)));
        }
    }

    fn list_failed(&mut self) {}

    fn changed(&mut self, item: Encoded<'_>) {
        if let Some(lease) = item.as_json() {
            self.tell(Noticed::Lease(lease.to_owned()));
        }
    }

    fn deleted(&mut self, item: Encoded<'_>) {
        let version = item.version().map(Version::parse);
        self.tell(Noticed::Gone(version.unwrap_or_default()));
    }

    fn bookmark(&mut self, _version: &str) {}
}
