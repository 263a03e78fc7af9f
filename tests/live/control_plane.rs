//! The part of a control plane that tests use and the benchmark does not: one shared by all tests,
//! processes that stop and restart, kubeconfigs that do not work.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use crate::harness::binaries;
pub use crate::harness::components::{Options, free_port};
use crate::harness::configuration::write_kubeconfig;
pub use crate::harness::control_plane::{BUILT_IN, ControlPlane};
use crate::kubernetes::Kubernetes;
use crate::process::Process;

/// A component that tests may stop, continue or restart.
#[derive(Debug, Clone, Copy)]
pub enum Component {
    ApiServer,
    Scheduler,
    /// The controller manager, without the DaemonSet controller.
    ControllerManager,
}

impl ControlPlane {
    /// The control plane that all tests share, started by the first that asks.
    pub async fn shared() -> Arc<Self> {
        static SHARED: OnceCell<Arc<ControlPlane>> = OnceCell::const_new();
        SHARED
            .get_or_init(|| Self::start("shared", Options::default()))
            .await
            .clone()
    }

    /// A kubeconfig whose token the API server does not know.
    pub fn refused_kubeconfig(&self) -> PathBuf {
        write_kubeconfig(&self.site.dir, self.site.api, "unknown")
    }

    /// A kubeconfig for `user` that points at a port where nobody listens.
    pub fn unreachable_kubeconfig(&self) -> PathBuf {
        let dir = self.site.dir.join("unreachable");
        std::fs::create_dir_all(&dir).expect("a directory can be created");
        std::fs::copy(
            self.site.dir.join("apiserver.crt"),
            dir.join("apiserver.crt"),
        )
        .expect("a file can be copied");
        let nowhere = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
        write_kubeconfig(&dir, nowhere, "controller")
    }

    /// Stops (SIGSTOP) a component.
    pub fn pause(&self, component: Component) {
        self.component(component).signal("STOP");
    }

    /// Continues (SIGCONT) a component that was paused.
    pub fn resume(&self, component: Component) {
        self.component(component).signal("CONT");
    }

    /// Kills the API server.
    pub fn kill_api_server(&self) {
        self.component(Component::ApiServer).kill();
    }

    /// Starts the API server again, on the same port with the same data, and waits until it is
    /// ready. Then the scheduler starts anew: it may end itself when the answer to a binding is
    /// lost, and in a cluster its kubelet starts it again.
    pub async fn start_api_server(&self) {
        let fresh = self.site.spawn_api_server();
        self.site.wait_ready(&[&fresh]).await;
        *self.component(Component::ApiServer) = fresh;
        if let Some(scheduler) = &self.scheduler {
            let mut scheduler = scheduler.lock().unwrap_or_else(PoisonError::into_inner);
            scheduler.kill();
            *scheduler = self.site.spawn_scheduler();
        }
    }

    /// Kills etcd and starts it again with the same data, and waits until the API server is ready
    /// again.
    pub async fn restart_etcd(&self) {
        {
            let mut etcd = self.etcd.lock().unwrap_or_else(PoisonError::into_inner);
            etcd.kill();
            *etcd = self.site.spawn_etcd();
        }
        self.site.wait_ready(&[]).await;
    }

    /// Replaces every component by that of another version, on the data of etcd: first etcd, then
    /// the API server, then the others.
    pub async fn upgrade(&self, to: Kubernetes) {
        let binaries = binaries::find(Some(&to.to_string()));
        self.kill_api_server();
        {
            let mut etcd = self.etcd.lock().unwrap_or_else(PoisonError::into_inner);
            etcd.kill();
            *self
                .site
                .binaries
                .write()
                .unwrap_or_else(PoisonError::into_inner) = binaries;
            *etcd = self.site.spawn_etcd();
        }
        self.component(Component::ControllerManager).kill();
        self.start_api_server().await;
        *self.component(Component::ControllerManager) =
            self.site.spawn_controller_manager(Options::default());
    }

    /// The process of a component; panics where there is none.
    fn component(&self, component: Component) -> MutexGuard<'_, Process> {
        let process = match component {
            Component::ApiServer => Some(&self.api_server),
            Component::Scheduler => self.scheduler.as_ref(),
            Component::ControllerManager => self.controller_manager.as_ref(),
        };
        let process = process.expect("this component was started");
        process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
