//! One copy of each text and label set, however many objects carry it.

use std::{collections::HashSet, sync::Arc};

use super::{Labels, Str};

/// Hands out shared texts; ten thousand daemon pods of one revision share one label set.
#[derive(Clone, Default, Debug)]
pub struct Interner {
    texts: HashSet<Str>,
    labels: HashSet<Labels>,
}

impl Interner {
    /// The shared copy of this text.
    pub fn text(&mut self, text: &str) -> Str {
        match self.texts.get(text) {
            Some(shared) => shared.clone(),
            None => {
                let shared: Str = text.into();
                self.texts.insert(shared.clone());
                shared
            }
        }
    }

    /// The shared copy of this label set.
    pub fn labels(&mut self, labels: Labels) -> Labels {
        match self.labels.get(&labels) {
            Some(shared) => shared.clone(),
            None => {
                self.labels.insert(labels.clone());
                labels
            }
        }
    }

    /// Forgets what nobody else holds any more. Returns how many entries went.
    pub fn sweep(&mut self) -> usize {
        let before = self.texts.len() + self.labels.len();
        self.labels.retain(|l| l.holders() > 1);
        self.texts.retain(|t| Arc::strong_count(t) > 1);
        before - self.texts.len() - self.labels.len()
    }

    /// How many texts and label sets are held.
    pub fn len(&self) -> usize {
        self.texts.len() + self.labels.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
