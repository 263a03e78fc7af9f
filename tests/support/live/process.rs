//! Child processes that never outlive the tests, whatever becomes of these.
//!
//! Dropping a [`Process`] ends it. For what Drop does not reach (statics, a killed test run) there
//! is one guardian, a small shell that reads the ids of what was started from a pipe: when the pipe
//! closes, because the test process is gone in whatever way, it kills what is left and removes the
//! directories. (A parent death signal would not do: it goes off when the starting *thread* ends,
//! and each test is a thread.)

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

const GUARDIAN: &str = r#"
trap '' INT TERM HUP
pids= dirs=
without() { rest=; for item in $1; do [ "$item" = "$2" ] || rest="$rest $item"; done; echo "$rest"; }
while read -r what item; do
  case $what in
    start) pids="$pids $item" ;;
    end) pids=$(without "$pids" "$item") ;;
    dir) dirs="$dirs $item" ;;
    keep) dirs=$(without "$dirs" "$item") ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
for dir in $dirs; do rm -rf "$dir" || { sleep 1; rm -rf "$dir"; }; done
"#;

struct Guard {
    _shell: Child, // never waited for: it ends after this process
    orders: ChildStdin,
}

static GUARD: LazyLock<Mutex<Guard>> = LazyLock::new(|| {
    let mut shell = Command::new("sh")
        .args(["-c", GUARDIAN])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0) // Ctrl-C is not for it
        .spawn()
        .expect("sh can be started");
    let orders = shell.stdin.take().expect("stdin is piped");
    Mutex::new(Guard {
        _shell: shell,
        orders,
    })
});

fn tell(what: &str, item: &dyn std::fmt::Display) {
    let mut guard = GUARD.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(guard.orders, "{what} {item}").expect("the guardian of child processes is alive");
}

/// Creates a fresh directory that is removed when the test process ends, unless [`keep`] is called
/// for it.
pub fn scratch_dir(name: &str) -> PathBuf {
    let dir = tempfile::Builder::new()
        .prefix(&format!("live-{name}-"))
        .tempdir()
        .expect("a temporary directory can be created")
        .keep();
    tell("dir", &dir.display());
    dir
}

/// Leaves the directory for a person to read.
pub fn keep(dir: &Path) {
    tell("keep", &dir.display());
}

/// A running child whose output goes to a file.
pub struct Process {
    /// Its name in messages.
    pub name: String,
    log: PathBuf,
    child: Child,
    /// Its exit status, if it is known to have ended.
    pub exited: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` with both outputs appended to `log`.
    pub fn spawn(name: &str, command: &mut Command, log: &Path) -> Self {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("the log can be opened");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the log's handle can be cloned"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start {name} ({:?}): {error}", command.get_program())
            });
        tell("start", &child.id());
        Self {
            name: name.to_owned(),
            log: log.to_owned(),
            child,
            exited: None,
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, once it has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        if self.exited.is_none() {
            self.exited = self.child.try_wait().expect("a child can be waited for");
            if self.exited.is_some() {
                tell("end", &self.child.id());
            }
        }
        self.exited
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        if self.exited().is_none() {
            let _ = self.child.kill();
            self.exited = self.child.wait().ok();
            tell("end", &self.child.id());
        }
    }

    /// Its output so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last `lines` lines of its output, with a header.
    pub fn tail(&self, lines: usize) -> String {
        let output = self.output();
        let all: Vec<&str> = output.lines().collect();
        let last = &all[all.len().saturating_sub(lines)..];
        format!(
            "--- {} ({}), last lines:\n{}\n",
            self.name,
            self.log.display(),
            last.join("\n")
        )
    }

    /// Processor time used so far (user and system) and peak resident memory, while it runs.
    pub fn usage(&self) -> Usage {
        let read = |what: &str| {
            std::fs::read_to_string(format!("/proc/{}/{what}", self.id()))
                .unwrap_or_else(|error| panic!("cannot read /proc of {}: {error}", self.name))
        };
        Usage::parse(&read("stat"), &read("status"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Processor time and memory of a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// User and system time, in seconds.
    pub cpu_seconds: f64,
    /// Peak resident memory, in MiB.
    pub peak_mib: f64,
}

impl Usage {
    /// From the texts of `/proc/PID/stat` and `/proc/PID/status`. Clock ticks are 1/100 s, as on
    /// every Linux.
    fn parse(stat: &str, status: &str) -> Self {
        // The second field is the name in parentheses and may hold spaces; utime and stime are the
        // 14th and 15th.
        let after_name = stat.rsplit_once(')').map_or(stat, |(_, rest)| rest);
        let ticks: u64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|n| n.parse::<u64>().ok())
            .sum();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: f64 = peak
            .and_then(|text| text.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or(0.0);
        Self {
            cpu_seconds: ticks as f64 / 100.0,
            peak_mib: kib / 1024.0,
        }
    }
}

#[test]
fn usage_is_read_from_proc() {
    let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 4 0 100 1000 10";
    let usage = Usage::parse(stat, "Name:\ta\nVmHWM:\t    2048 kB\n");
    assert_eq!(
        usage,
        Usage {
            cpu_seconds: 2.0,
            peak_mib: 2.0
        }
    );
}
