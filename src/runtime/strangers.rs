//! Pods of our DaemonSets that another controller creates while we work.

use tokio::sync::watch;

use crate::model::{Key, Str};

/// A pod of one of our DaemonSets that another controller created.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stranger {
    /// The DaemonSet.
    pub daemon_set: Key,
    /// The pod's name.
    pub pod: Str,
}

/// The strangers so far: how many, and the last one.
#[derive(Clone, Default, Debug)]
pub struct Strangers {
    count: u64,
    last: Option<Stranger>,
}

impl Strangers {
    /// One more.
    pub fn add(&mut self, stranger: Stranger) {
        self.count += 1;
        self.last = Some(stranger);
    }
}

/// The next stranger; None when there can be no more.
pub async fn next(strangers: &mut watch::Receiver<Strangers>) -> Option<Stranger> {
    strangers.changed().await.ok()?;
    strangers.borrow_and_update().last.clone()
}
