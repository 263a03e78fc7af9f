//! The metrics as Prometheus reads them. docs/metrics.md says what each means; a test holds the
//! document against this file.

use std::{collections::BTreeMap, fmt, sync::Arc, sync::atomic::Ordering};

use crate::model::{DaemonSetStatus, Key, Kind, Time};
use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric,
        text::{encode_eof, encode_registry},
    },
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{Monitor, Row, held::HeldBy, lock, process::Process, watched::Watched};

/// The media type of [`Monitor::exposition`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The prefix of the metrics that only this controller has.
const PREFIX: &str = "daemonset_controller";

/// The label of the one queue, as in Kubernetes' metrics of work queues.
const QUEUE: [Label<'static>; 1] = [("name", "daemonset")];

type Label<'a> = (&'static str, &'a str);

/// A count in the status of a DaemonSet: the metric's name, its help, and how to read it.
type Count = (&'static str, &'static str, fn(&DaemonSetStatus) -> i32);

const COUNTS: [Count; 6] = [
    (
        "desired_pods",
        "Nodes that are to have a pod of the DaemonSet.",
        |s| s.desired_number_scheduled,
    ),
    (
        "current_pods",
        "Nodes that are to have a pod and have one.",
        |s| s.current_number_scheduled,
    ),
    (
        "ready_pods",
        "Nodes that are to have a pod and have one that is ready.",
        |s| s.number_ready,
    ),
    (
        "available_pods",
        "Nodes that are to have a pod and have one that has been ready for minReadySeconds.",
        |s| s.number_available,
    ),
    (
        "updated_pods",
        "Nodes that are to have a pod and have one of the current revision.",
        |s| s.updated_number_scheduled,
    ),
    (
        "misscheduled_pods",
        "Nodes that are not to have a pod and have one.",
        |s| s.number_misscheduled,
    ),
];

impl Monitor {
    /// All metrics, as OpenMetrics text.
    pub fn exposition(self: &Arc<Monitor>) -> String {
        let mut own = Registry::with_prefix(PREFIX);
        own.register_collector(Box::new(Own(self.clone())));
        let mut usual = Registry::default();
        usual.register_collector(Box::new(Usual(self.clone())));
        let mut text = String::new();
        encode_registry(&mut text, &own)
            .and_then(|()| encode_registry(&mut text, &usual))
            .and_then(|()| encode_eof(&mut text))
            .expect("writing to a String does not fail");
        text
    }
}

/// The metrics that only this controller has.
#[derive(Debug)]
struct Own(Arc<Monitor>);

/// The metrics that many programs have, by their usual names.
#[derive(Debug)]
struct Usual(Arc<Monitor>);

impl Collector for Own {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Families(encoder);
        let monitor = &self.0;
        out.info(
            "build",
            "What runs.",
            &[("version", env!("CARGO_PKG_VERSION"))],
        )?;
        let flag = |flag: bool| i64::from(flag);
        out.gauge(
            "leader",
            "1 while this process is the leader and syncs DaemonSets, 0 while it stands by.",
            None,
            flag(monitor.leader.load(Ordering::Relaxed)),
        )?;
        out.gauge(
            "conflict",
            "1 while another DaemonSet controller is active on the same DaemonSets.",
            None,
            flag(monitor.conflict.load(Ordering::Relaxed)),
        )?;
        out.gauge(
            "rollout_defaults_valid",
            "0 while the file with the cluster defaults cannot be used, and those that were read before stay; else 1.",
            None,
            flag(monitor.rollout_defaults_valid.load(Ordering::Relaxed)),
        )?;
        out.certificate(monitor)?;
        out.daemon_sets(monitor)?;
        out.watches(monitor)?;
        let requests = lock(&monitor.requests).clone();
        out.counters(
            "api_requests",
            "Requests to the API server that were answered, failed or timed out.",
            requests.iter().map(|((verb, resource, outcome), n)| {
                let labels = [
                    ("verb", verb.as_str()),
                    ("resource", resource.as_str()),
                    ("outcome", *outcome),
                ];
                (labels, *n)
            }),
        )?;
        let actions = lock(&monitor.actions).clone();
        out.counters(
            "actions",
            "What was done to pods and revisions, and why.",
            actions
                .iter()
                .map(|((action, cause), n)| ([("action", *action), ("cause", *cause)], *n)),
        )?;
        let syncs = lock(&monitor.syncs).clone();
        out.counters(
            "syncs",
            "Times that a DaemonSet was planned for and its plan carried out.",
            syncs
                .iter()
                .map(|(how, n)| ([("result", how.as_str())], *n)),
        )
    }
}

impl Collector for Usual {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Families(encoder);
        out.queue(&self.0)?;
        out.process(&Process::read())
    }
}

/// Writes families of metrics.
struct Families<'e>(DescriptorEncoder<'e>);

impl Families<'_> {
    /// Nothing where the endpoints are served without TLS.
    fn certificate(&mut self, monitor: &Monitor) -> fmt::Result {
        let Some(shown) = *lock(&monitor.certificate) else {
            return Ok(());
        };
        self.gauge(
            "certificate_valid",
            "0 while the files of the endpoints' certificate cannot be used, and the one from before is shown; else 1.",
            None,
            i64::from(shown.current),
        )?;
        let Some(end) = shown.not_after else {
            return Ok(());
        };
        self.gauge(
            "certificate_expiry_timestamp",
            "Until when the endpoints' certificate is valid, since the Unix epoch.",
            Some(Unit::Seconds),
            // Dates before the epoch are no dates of certificates that anybody uses.
            end.since(Time::default()).as_secs_f64(),
        )
    }

    /// A row for each DaemonSet that this process plans for.
    fn daemon_sets(&mut self, monitor: &Monitor) -> fmt::Result {
        let now = monitor.now();
        let rows = lock(&monitor.rows);
        for (name, help, count) in COUNTS {
            let values = rows.iter().map(|(key, row)| {
                let count = i64::from(count(&row.status));
                (of(key), count)
            });
            self.gauges(name, help, None, values)?;
        }
        let age = |row: &Row| row.rollout.as_ref().map(|rollout| rollout.age(now));
        self.gauges(
            "rollout_age",
            "The time since this process first saw the rollout that is under way; 0 without one.",
            Some(Unit::Seconds),
            rows.iter()
                .map(|(key, row)| (of(key), age(row).unwrap_or_default().as_secs_f64())),
        )?;
        let stuck = |row: &Row| {
            let rollout = row.rollout.as_ref();
            i64::from(rollout.is_some_and(|r| r.stuck_since(row.refused, now).is_some()))
        };
        self.gauges(
            "rollout_stuck",
            "1 while the rollout that is under way is stuck.",
            None,
            rows.iter().map(|(key, row)| (of(key), stuck(row))),
        )?;
        self.held(&rows)?;
        self.stalled(&rows)
    }

    /// A row for each rule of rollout control that holds something of a DaemonSet.
    fn held(&mut self, rows: &BTreeMap<Key, Row>) -> fmt::Result {
        let each = || {
            rows.iter().flat_map(|(key, row)| {
                let [namespace, daemon_set] = of(key);
                let held = row.held.0.iter();
                held.map(move |(rule, by)| ([namespace, daemon_set, ("rule", *rule)], by))
            })
        };
        let since = |by: &HeldBy| by.since.since(Time::default()).as_secs_f64();
        self.gauges(
            "hold_start_timestamp",
            "When this process first saw that the annotations of the DaemonSet hold something, since the Unix epoch.",
            Some(Unit::Seconds),
            each().map(|(labels, by)| (labels, since(by))),
        )?;
        self.gauges(
            "held_nodes",
            "Nodes on which the annotations of the DaemonSet hold something.",
            None,
            each().map(|(labels, by)| (labels, by.nodes as i64)),
        )
    }

    /// A row for each DaemonSet with rollout control that goes on only when a person acts.
    fn stalled(&mut self, rows: &BTreeMap<Key, Row>) -> fmt::Result {
        let each = rows.iter().filter_map(|(key, row)| {
            let [namespace, daemon_set] = of(key);
            let stalled = row.stalled.as_ref()?;
            let since = stalled.since.since(Time::default()).as_secs_f64();
            Some(([namespace, daemon_set, ("reason", stalled.reason)], since))
        });
        self.gauges(
            "rollout_stalled_start_timestamp",
            "When this process first saw that the rollout of the DaemonSet goes on only when a person acts, since the Unix epoch.",
            Some(Unit::Seconds),
            each,
        )
    }

    fn watches(&mut self, monitor: &Monitor) -> fmt::Result {
        let each = |f: fn(&Watched) -> u64| {
            Kind::ALL.map(|kind| {
                (
                    [("kind", kind.as_str())],
                    monitor.watched(kind, |w, _| f(w)),
                )
            })
        };
        let age = |kind| monitor.watched(kind, |w, now| now - w.last_told());
        self.gauges(
            "watch_age",
            "The time since the API server last sent something for the cache: an event, a bookmark, a list, an opened watch.",
            Some(Unit::Seconds),
            Kind::ALL.map(|kind| ([("kind", kind.as_str())], age(kind).as_secs_f64())),
        )?;
        self.counters(
            "relists",
            "Lists begun after the first complete one.",
            each(|w| w.relists),
        )?;
        self.counters(
            "decode_failures",
            "Times that an object could not be decoded.",
            each(|w| w.undecodable),
        )
    }

    fn queue(&mut self, monitor: &Monitor) -> fmt::Result {
        let Some(queue) = lock(&monitor.running).queue.upgrade() else {
            return Ok(());
        };
        let gauges = queue.gauges();
        let seconds = || Some(Unit::Seconds);
        self.gauges(
            "workqueue_depth",
            "DaemonSets that wait for a worker.",
            None,
            [(QUEUE, gauges.depth as i64)],
        )?;
        self.counters(
            "workqueue_adds",
            "Times that a DaemonSet was added to those that wait.",
            [(QUEUE, gauges.adds)],
        )?;
        self.histogram(
            "workqueue_queue_duration",
            "How long a DaemonSet waited for a worker after it was due.",
            queue.waited(),
        )?;
        self.histogram(
            "workqueue_work_duration",
            "How long a worker took for a DaemonSet.",
            queue.worked(),
        )?;
        self.counters(
            "workqueue_retries",
            "Times that a DaemonSet was put back, to be retried after a backoff.",
            [(QUEUE, gauges.retries)],
        )?;
        self.gauges(
            "workqueue_unfinished_work",
            "The time that workers have spent on the DaemonSets that they have now, added up.",
            seconds(),
            [(QUEUE, gauges.unfinished.as_secs_f64())],
        )?;
        self.gauges(
            "workqueue_longest_running_processor",
            "The time that a worker has spent on the DaemonSet that it has had longest.",
            seconds(),
            [(QUEUE, gauges.longest.as_secs_f64())],
        )
    }

    fn process(&mut self, process: &Process) -> fmt::Result {
        let seconds = Some(Unit::Seconds);
        if let Some(cpu) = process.cpu_seconds {
            let help = "User and system time spent.";
            let metric = self.0.encode_descriptor(
                "process_cpu",
                help,
                seconds.as_ref(),
                MetricType::Counter,
            )?;
            ConstCounter::new(cpu).encode(metric)?;
        }
        if let Some(at) = process.start_time_seconds {
            let help = "When the process started, since the Unix epoch.";
            self.gauge("process_start_time", help, seconds, at)?;
        }
        if let Some(bytes) = process.resident_bytes {
            let help = "Resident memory.";
            self.gauge("process_resident_memory", help, Some(Unit::Bytes), bytes)?;
        }
        if let Some(open) = process.open_fds {
            self.gauge("process_open_fds", "Open files and sockets.", None, open)?;
        }
        if let Some(max) = process.max_fds {
            let help = "How many files and sockets may be open.";
            self.gauge("process_max_fds", help, None, max)?;
        }
        Ok(())
    }

    fn info(&mut self, name: &str, help: &str, labels: &[Label<'_>]) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Info)?;
        metric.encode_info(&labels)
    }

    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        value: impl EncodeGaugeValue,
    ) -> fmt::Result {
        let metric = self
            .0
            .encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        ConstGauge::new(value).encode(metric)
    }

    fn gauges<'a, const N: usize, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        values: impl IntoIterator<Item = ([Label<'a>; N], V)>,
    ) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        for (labels, value) in values {
            ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn counters<'a, const N: usize, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([Label<'a>; N], V)>,
    ) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            ConstCounter::new(value).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) -> fmt::Result {
        let unit = Unit::Seconds;
        let mut metric =
            self.0
                .encode_descriptor(name, help, Some(&unit), MetricType::Histogram)?;
        histogram.encode(metric.encode_family(&QUEUE)?)
    }
}

/// The labels of a DaemonSet.
fn of(key: &Key) -> [Label<'_>; 2] {
    [("namespace", &key.namespace), ("daemonset", &key.name)]
}
