//! `replace-by: eviction` on random clusters: it changes how pods go and not which, and refusals
//! only take away and have a reason.

use crate::arbitrary::troubled_world;
use crate::config::config;
use crate::reasons::missing_reasons;
use daemonset_controller::{
    model::{Time, Uid, Unallowed},
    plan::{self, DeleteBy},
};
use proptest::prelude::*;
use serde_json::json;

proptest! {
    #![proptest_config(config(250, 20_261_201))]

    #[test]
    fn the_key_changes_how_pods_go_and_refusals_only_take_away(
        world in troubled_world(),
        strict in any::<bool>(),
        refused in proptest::collection::vec((0_usize..64, 0_u64..30, any::<bool>()), 0..12),
    ) {
        let mut world = world;
        let budget = if strict { "strict" } else { "off" };
        let keyed = |by: &str| json!({"metadata": {"annotations": {
            "daemonset-controller.io/budget": budget, "daemonset-controller.io/replace-by": by,
        }}});
        let set = world.objects[0].clone();
        world.objects[0] = set.clone().with(keyed("off"));
        let mut without = world.cluster(None);
        world.objects[0] = set.with(keyed("eviction"));
        let mut with = world.cluster(None);
        let now = with.now;
        let plan_without = without.snapshot(|s| plan::plan(s, now));
        let free = with.snapshot(|s| plan::plan(s, now));
        let mut same = free.clone();
        for delete in &mut same.deletes {
            delete.by = DeleteBy::Delete;
        }
        prop_assert_eq!(&same.deletes, &plan_without.deletes);
        prop_assert_eq!(&same.creates, &plan_without.creates);
        prop_assert_eq!(&same.holds, &plan_without.holds);

        let pods: Vec<(Uid, _)> = with.snapshot(|s| {
            let key = daemonset_controller::model::Key::new("default", "web");
            s.pods.iter().map(|p| (p.uid.clone(), key.clone())).collect()
        });
        for (at, seconds, ever) in refused {
            let Some((uid, key)) = pods.get(at % pods.len().max(1)) else { break };
            let why = if ever { Unallowed::Ever } else { Unallowed::Now };
            let since = Time::from_secs(now.timestamp().as_second() - seconds as i64);
            with.cache.eviction_refused(key, uid, why("no".into()), None, since);
        }
        with.snapshot(|s| {
            let detailed = plan::in_detail(s, now);
            let missing = missing_reasons(s, &detailed);
            prop_assert!(missing.is_empty(), "{missing:#?}");
            let plan = &detailed.plan;
            let waits = |uid: &Uid| {
                s.evictions_refused.of(uid).is_some_and(|refusal| refusal.until > now)
            };
            for delete in plan.deletes.iter().filter(|d| d.by.evicts()) {
                prop_assert!(!waits(&delete.pod.uid), "{delete:?}");
            }
            // What goes now was to go, or is the turn of another.
            prop_assert!(plan.deletes.len() <= free.deletes.len());
            prop_assert!(plan.creates.len() <= free.creates.len());
            for delete in &plan.deletes {
                let was = free.deletes.iter().any(|d| d.pod == delete.pod);
                let in_turn = ["Outdated", "Misplaced", "OldUnavailable", "NodeNotEligible"];
                prop_assert!(was || in_turn.contains(&delete.cause.as_str()), "{delete:?}");
            }
            Ok(())
        })?;
    }
}
