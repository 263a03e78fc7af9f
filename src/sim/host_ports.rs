//! Ports of a node that pods ask for (`hostPort`), and when two pods cannot be on one node.
//!
//! The rule is that of the real scheduler's plugin `NodePorts`, which kubelets apply too when they
//! admit a pod.

use serde::{Deserialize, Deserializer};

/// The real scheduler's words about a node whose ports are taken.
pub const TAKEN: &str = "node(s) didn't have free ports for the requested pod ports";

/// The address that means all addresses of a node.
const ANY: &str = "0.0.0.0";

/// A port of the node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostPort {
    address: String,
    protocol: String,
    port: i64,
}

impl HostPort {
    /// Whether both cannot be had on one node: the same port of the same protocol, at the same
    /// address or with one of them at all addresses.
    pub fn clashes(&self, other: &HostPort) -> bool {
        let meets = self.address == other.address || self.address == ANY || other.address == ANY;
        meets && self.port == other.port && self.protocol == other.protocol
    }
}

/// The host ports of a container; ports without `hostPort` are left out while decoding.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct HostPorts(pub Vec<HostPort>);

impl HostPorts {
    /// Adds those of a container.
    pub fn add(&mut self, more: &HostPorts) {
        self.0.extend_from_slice(&more.0);
    }

    /// Whether a port of the one clashes with a port of the other.
    pub fn clash(&self, other: &HostPorts) -> bool {
        let mut ports = self.0.iter();
        ports.any(|port| other.0.iter().any(|held| port.clashes(held)))
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerPort {
    host_port: i64,
    #[serde(rename = "hostIP")]
    host_ip: String,
    protocol: String,
}

impl<'de> Deserialize<'de> for HostPorts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let or = |text: String, default: &str| match text.is_empty() {
            true => default.to_owned(),
            false => text,
        };
        let ports = Vec::<ContainerPort>::deserialize(deserializer)?;
        let ports = ports.into_iter().filter(|port| port.host_port > 0);
        let ports = ports.map(|port| HostPort {
            address: or(port.host_ip, ANY),
            protocol: or(port.protocol, "TCP"),
            port: port.host_port,
        });
        Ok(HostPorts(ports.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn two_ports_clash_by_number_protocol_and_address() {
        let ports = |of| serde_json::from_value::<HostPorts>(of).expect("ports");
        for (one, other, clash) in [
            (
                json!([{ "hostPort": 80 }]),
                json!([{ "hostPort": 80 }]),
                true,
            ),
            (
                json!([{ "hostPort": 80 }]),
                json!([{ "hostPort": 81 }]),
                false,
            ),
            (
                json!([{ "containerPort": 80 }]),
                json!([{ "containerPort": 80 }]),
                false,
            ),
            (
                json!([{ "hostPort": 80 }]),
                json!([{ "hostPort": 80, "protocol": "TCP" }]),
                true,
            ),
            (
                json!([{ "hostPort": 53, "protocol": "UDP" }]),
                json!([{ "hostPort": 53, "protocol": "TCP" }]),
                false,
            ),
            (
                json!([{ "hostPort": 80, "hostIP": "127.0.0.1" }]),
                json!([{ "hostPort": 80, "hostIP": "10.0.0.1" }]),
                false,
            ),
            (
                json!([{ "hostPort": 80, "hostIP": "127.0.0.1" }]),
                json!([{ "hostPort": 80 }]),
                true,
            ),
            (
                json!([{ "hostPort": 80, "hostIP": "0.0.0.0" }]),
                json!([{ "hostPort": 7 }, { "hostPort": 80, "hostIP": "10.0.0.1" }]),
                true,
            ),
        ] {
            assert_eq!(
                ports(one.clone()).clash(&ports(other.clone())),
                clash,
                "{one} {other}"
            );
            assert_eq!(
                ports(other.clone()).clash(&ports(one.clone())),
                clash,
                "{other} {one}"
            );
        }
    }
}
