//! The defaults that the API server adds to a DaemonSet or a pod.
//!
//! A manifest leaves out what the server fills in: update strategy, restart policy, probe periods
//! and so on. Compared with the revisions and pods of a cluster such an object would look changed,
//! so it is completed and brought into the server's form first (Kubernetes 1.37). Only `spec` is
//! touched. `tests/data/defaults` holds pairs that the real code wrote.

use serde_json::value::RawValue;

use super::edit::{Edit, WrongType};
use super::image;
use super::normal::normalise;
use crate::wire::raw::RawObject;

/// An object as the API server would store it.
#[derive(Debug)]
pub struct Defaulted {
    /// The object, byte for byte as it was where nothing was missing.
    pub json: Box<RawValue>,
    /// The fields that were added or rewritten, as `spec.updateStrategy.type=RollingUpdate`. Empty
    /// fields that were removed are not listed, because they mean nothing.
    pub added: Vec<String>,
}

/// Completes a DaemonSet. Fails where a field is not of the type that it needs.
pub fn daemon_set(raw: &RawValue) -> Result<Defaulted, WrongType> {
    let mut edit = Edit::default();
    let mut object = RawObject::parse(raw).map_err(|_| edit.wrong("a mapping"))?;
    edit.child(&mut object, "spec", |edit, spec| {
        normalise(edit, spec, "DaemonSetSpec")?;
        edit.fill(spec, "revisionHistoryLimit", "10");
        edit.child(spec, "updateStrategy", strategy)?;
        edit.child(spec, "template", |edit, template| {
            edit.child(template, "spec", pod_spec)
        })
    })?;
    Ok(Defaulted {
        json: object.to_raw(),
        added: edit.notes,
    })
}

/// Completes a pod like the pod of a template. The defaults that the server has for pods alone
/// (requests from limits, host ports) are not added. Fails where a field is not of the type that it
/// needs.
pub fn pod(raw: &RawValue) -> Result<Defaulted, WrongType> {
    let mut edit = Edit::default();
    let mut object = RawObject::parse(raw).map_err(|_| edit.wrong("a mapping"))?;
    edit.child(&mut object, "spec", |edit, spec| {
        normalise(edit, spec, "PodSpec")?;
        pod_spec(edit, spec)
    })?;
    Ok(Defaulted {
        json: object.to_raw(),
        added: edit.notes,
    })
}

type Result<T, E = WrongType> = std::result::Result<T, E>;

/// The string under `key`; empty where there is none.
fn text(object: &RawObject, key: &str) -> String {
    object.read(key).ok().flatten().unwrap_or_default()
}

fn strategy(edit: &mut Edit, strategy: &mut RawObject) -> Result<()> {
    edit.fill(strategy, "type", "\"RollingUpdate\"");
    // With another type both values mean nothing, but the server's Go types hold 0 for them.
    let is_rolling_update = text(strategy, "type") == "RollingUpdate";
    if is_rolling_update && !strategy.has("rollingUpdate") {
        strategy.set("rollingUpdate", RawObject::new().to_raw());
    }
    edit.child(strategy, "rollingUpdate", |edit, rolling| {
        edit.fill(
            rolling,
            "maxUnavailable",
            if is_rolling_update { "1" } else { "0" },
        );
        edit.fill(rolling, "maxSurge", "0");
        Ok(())
    })
}

fn pod_spec(edit: &mut Edit, spec: &mut RawObject) -> Result<()> {
    // Both names of the service account get one value; the newer name takes precedence.
    let account = match spec
        .get("serviceAccountName")
        .or(spec.get("serviceAccount"))
    {
        Some(name) => name.to_owned(),
        None => RawObject::new().to_raw(),
    };
    if account.get() != "{}" {
        for key in ["serviceAccount", "serviceAccountName"] {
            if spec.get(key).map(RawValue::get) != Some(account.get()) {
                edit.set(spec, key, account.clone());
            }
        }
    }
    edit.fill(spec, "dnsPolicy", "\"ClusterFirst\"");
    edit.fill(spec, "restartPolicy", "\"Always\"");
    edit.fill(spec, "securityContext", "{}");
    edit.fill(spec, "terminationGracePeriodSeconds", "30");
    edit.fill(spec, "schedulerName", "\"default-scheduler\"");
    edit.each(spec, "volumes", volume)?;
    for containers in ["initContainers", "containers", "ephemeralContainers"] {
        edit.each(spec, containers, container)?;
    }
    Ok(())
}

fn volume(edit: &mut Edit, volume: &mut RawObject) -> Result<()> {
    if volume.0.keys().all(|key| key == "name") {
        edit.fill(volume, "emptyDir", "{}");
    }
    for (source, defaults) in VOLUME_SOURCES {
        edit.child(volume, source, |edit, inside| {
            for (key, json) in *defaults {
                edit.fill(inside, key, json);
            }
            Ok(())
        })?;
    }
    edit.child(volume, "image", |edit, inside| {
        let policy = pull_policy(&text(inside, "reference"));
        edit.fill(inside, "pullPolicy", policy);
        Ok(())
    })?;
    edit.child(volume, "downwardAPI", downward_api)?;
    edit.child(volume, "projected", |edit, projected| {
        edit.each(projected, "sources", |edit, source| {
            edit.child(source, "downwardAPI", downward_api)?;
            edit.child(source, "serviceAccountToken", |edit, token| {
                edit.fill(token, "expirationSeconds", "3600");
                Ok(())
            })
        })
    })?;
    edit.child(volume, "ephemeral", |edit, ephemeral| {
        edit.child(ephemeral, "volumeClaimTemplate", |edit, template| {
            edit.child(template, "spec", |edit, spec| {
                edit.fill(spec, "volumeMode", "\"Filesystem\"");
                Ok(())
            })
        })
    })
}

/// The volume sources whose defaults are plain values.
const VOLUME_SOURCES: &[(&str, &[(&str, &str)])] = &[
    ("hostPath", &[("type", "\"\"")]),
    ("secret", &[("defaultMode", "420")]),
    ("configMap", &[("defaultMode", "420")]),
    ("downwardAPI", &[("defaultMode", "420")]),
    ("projected", &[("defaultMode", "420")]),
    ("iscsi", &[("iscsiInterface", "\"default\"")]),
    (
        "rbd",
        &[
            ("pool", "\"rbd\""),
            ("user", "\"admin\""),
            ("keyring", "\"/etc/ceph/keyring\""),
        ],
    ),
    (
        "azureDisk",
        &[
            ("cachingMode", "\"ReadWrite\""),
            ("fsType", "\"ext4\""),
            ("readOnly", "false"),
            ("kind", "\"Shared\""),
        ],
    ),
    (
        "scaleIO",
        &[
            ("storageMode", "\"ThinProvisioned\""),
            ("fsType", "\"xfs\""),
        ],
    ),
];

fn downward_api(edit: &mut Edit, source: &mut RawObject) -> Result<()> {
    edit.each(source, "items", |edit, item| {
        edit.child(item, "fieldRef", field_ref)
    })
}

fn field_ref(edit: &mut Edit, field: &mut RawObject) -> Result<()> {
    edit.fill(field, "apiVersion", "\"v1\"");
    Ok(())
}

fn pull_policy(image: &str) -> &'static str {
    if image::pulled_always(image) {
        "\"Always\""
    } else {
        "\"IfNotPresent\""
    }
}

fn container(edit: &mut Edit, container: &mut RawObject) -> Result<()> {
    let policy = pull_policy(&text(container, "image"));
    edit.fill(container, "imagePullPolicy", policy);
    edit.fill(
        container,
        "terminationMessagePath",
        "\"/dev/termination-log\"",
    );
    edit.fill(container, "terminationMessagePolicy", "\"File\"");
    edit.each(container, "ports", |edit, port| {
        edit.fill(port, "protocol", "\"TCP\"");
        Ok(())
    })?;
    edit.each(container, "env", |edit, env| {
        edit.child(env, "valueFrom", |edit, from| {
            edit.child(from, "fieldRef", field_ref)?;
            edit.child(from, "fileKeyRef", |edit, key| {
                edit.fill(key, "optional", "false");
                Ok(())
            })
        })
    })?;
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        edit.child(container, name, probe)?;
    }
    edit.child(container, "lifecycle", |edit, lifecycle| {
        for hook in ["postStart", "preStop"] {
            edit.child(lifecycle, hook, |edit, hook| {
                edit.child(hook, "httpGet", http_get)
            })?;
        }
        Ok(())
    })
}

fn probe(edit: &mut Edit, probe: &mut RawObject) -> Result<()> {
    edit.fill(probe, "timeoutSeconds", "1");
    edit.fill(probe, "periodSeconds", "10");
    edit.fill(probe, "successThreshold", "1");
    edit.fill(probe, "failureThreshold", "3");
    edit.child(probe, "httpGet", http_get)?;
    edit.child(probe, "grpc", |edit, grpc| {
        edit.fill(grpc, "service", "\"\"");
        Ok(())
    })
}

fn http_get(edit: &mut Edit, get: &mut RawObject) -> Result<()> {
    edit.fill(get, "path", "\"/\"");
    edit.fill(get, "scheme", "\"HTTP\"");
    Ok(())
}
