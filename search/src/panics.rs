//! Counts panics: of a task they end nothing but the task, and nobody may hear of it.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

thread_local! {
    static SEEN: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Carries something out, and returns the messages of panics on this thread meanwhile. They are not
/// printed. The result is None where `f` itself panicked.
pub fn watched<R>(f: impl FnOnce() -> R) -> (Option<R>, Vec<String>) {
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let said = info.to_string();
            let is_kept = SEEN.with_borrow_mut(|seen| {
                let kept = seen.as_mut();
                kept.map(|seen| seen.push(said)).is_some()
            });
            if !is_kept {
                usual(info);
            }
        }));
    });
    SEEN.set(Some(Vec::new()));
    let result = panic::catch_unwind(panic::AssertUnwindSafe(f)).ok();
    (result, SEEN.take().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_kept_and_the_next_one_is_not_counted_twice() {
        let (result, seen) = watched(|| panic!("over"));
        assert_eq!(result, None::<()>);
        assert!(seen.len() == 1 && seen[0].contains("over"), "{seen:?}");
        assert_eq!(watched(|| 7), (Some(7), Vec::new()));
    }
}
