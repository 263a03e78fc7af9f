//! Whose a pod or a revision is: what a DaemonSet adopts, keeps and lets go.
//!
//! Ours is what our UID controls, whatever its name says. What matches the selector and has no
//! controller is adopted; what is ours and stopped matching is released.

use crate::model::{Controller, Labels, Selector, Uid};

/// What becomes of one object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// It is ours and stays so.
    Keep,
    /// It is nobody's and becomes ours.
    Adopt,
    /// It is ours and is let go.
    Release,
    /// It is not our business.
    Leave,
}

/// The claim on an object with these labels.
///
/// A terminating orphan is not adopted (upstream's rule); one of ours that is terminating is kept.
pub fn claim(
    uid: &Uid,
    selector: &Selector,
    controller: &Controller,
    labels: &Labels,
    terminating: bool,
) -> Claim {
    match controller {
        Controller::Uid(owner) if owner == uid => {
            if selector.matches(labels) {
                Claim::Keep
            } else {
                Claim::Release
            }
        }
        Controller::None if !terminating && selector.matches(labels) => Claim::Adopt,
        _ => Claim::Leave,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Requirement;

    #[test]
    fn by_table() {
        let selector = Selector::All(vec![Requirement::equals("app", "a")]);
        let ours = Controller::Uid(Uid::from("me"));
        let theirs = Controller::Uid(Uid::from("you"));
        for (controller, app, terminating, expected) in [
            (&ours, "a", false, Claim::Keep),
            (&ours, "a", true, Claim::Keep),
            (&ours, "b", false, Claim::Release),
            (&ours, "b", true, Claim::Release),
            (&theirs, "a", false, Claim::Leave),
            (&Controller::None, "a", false, Claim::Adopt),
            (&Controller::None, "a", true, Claim::Leave),
            (&Controller::None, "b", false, Claim::Leave),
            (&Controller::Unreadable, "a", false, Claim::Leave),
        ] {
            let labels = [("app", app)].into_iter().collect();
            assert_eq!(
                claim(
                    &Uid::from("me"),
                    &selector,
                    controller,
                    &labels,
                    terminating
                ),
                expected,
                "{controller:?} app={app} terminating={terminating}"
            );
        }
    }
}
