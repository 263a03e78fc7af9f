//! What a plan that is made elsewhere cannot know: what the API server answered to evictions. Only
//! the controller that sent them does, and says so in its conditions.

use crate::{
    cli::commands::{keys, object::Object},
    plan::{HoldRule, Progress, Standing, control::conditions::first_upper},
};

/// What is to be noted where the standing is what the controller said.
pub const NOTE: &str = "only the controller knows what the API server answered to evictions: this is what its \
                        condition Stalled says";

/// Takes in that evictions can never be allowed, where the controller has read the keys and the
/// generation and says so. Whether it did.
pub fn take_in(object: &Object, standing: &mut Standing) -> bool {
    if standing.stalled.is_some() || standing.progress == Progress::Complete {
        return false;
    }
    let Some(rule) = refused(object) else {
        return false;
    };
    standing.progress = Progress::Paused(rule.clone());
    standing.stalled = Some(rule);
    true
}

fn refused(object: &Object) -> Option<HoldRule> {
    if !keys::are_read(object) {
        return None;
    }
    let rule = |words: &str| HoldRule::DisruptionBudgetUnusable(words.into());
    let none = rule("");
    let stalled = object.condition("Stalled")?;
    if stalled["status"] != "True" || stalled["reason"] != none.as_str() {
        return None;
    }
    // The sentence is made anew from the words.
    let message = stalled["message"].as_str().unwrap_or_default();
    let start = first_upper(&none.message());
    let words = message.strip_prefix(&*start).unwrap_or(message);
    let end = format!(", until {}", none.until_what());
    let words = words.strip_suffix(&*end).unwrap_or(words);
    Some(rule(words))
}
