//! What the kernel tells of this process in `/proc`. Without a `/proc` all values are missing.

use std::fs;

/// The kernel shows times to programs in hundredths of a second.
const TICKS: f64 = 100.0;

/// The values that the kernel tells; each is None where it cannot be read.
#[derive(Debug, Default, PartialEq)]
pub struct Process {
    /// User and system time, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Resident memory, in bytes.
    pub resident_bytes: Option<u64>,
    /// Open files and sockets.
    pub open_fds: Option<u64>,
    /// The limit of open files and sockets.
    pub max_fds: Option<u64>,
    /// The start of the process, in seconds since the Unix epoch.
    pub start_time_seconds: Option<f64>,
}

impl Process {
    /// Reads the values of this process.
    pub fn read() -> Process {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let open = fs::read_dir("/proc/self/fd").ok();
        Process {
            // The directory that is being read is open too.
            open_fds: open.map(|files| (files.count() as u64).saturating_sub(1)),
            ..Process::parse(
                &text("/proc/self/stat"),
                &text("/proc/self/status"),
                &text("/proc/self/limits"),
                &text("/proc/stat"),
            )
        }
    }

    fn parse(stat: &str, status: &str, limits: &str, machine: &str) -> Process {
        // The second field is the name in parentheses and may hold spaces; the state is the third.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map_or("", |(_, rest)| rest)
            .split_whitespace()
            .collect();
        let ticks = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let cpu = ticks(14).zip(ticks(15)).map(|(user, system)| user + system);
        let started = ticks(22).zip(number_after(machine, "btime "));
        Process {
            cpu_seconds: cpu.map(|ticks| ticks as f64 / TICKS),
            resident_bytes: number_after(status, "VmRSS:").map(|kib| kib * 1024),
            open_fds: None,
            max_fds: number_after(limits, "Max open files"),
            start_time_seconds: started.map(|(ticks, boot)| boot as f64 + ticks as f64 / TICKS),
        }
    }
}

/// The first number after this word at the beginning of a line.
fn number_after(text: &str, word: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(word))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_tells_is_read() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 4 0 1250 1000 10";
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024      4096      files\n";
        let read = Process::parse(
            stat,
            "Name:\ta\nVmRSS:\t    2048 kB\n",
            limits,
            "cpu  1 2\nbtime 1700000000\n",
        );
        let expected = Process {
            cpu_seconds: Some(2.0),
            resident_bytes: Some(2 << 20),
            open_fds: None,
            max_fds: Some(1024),
            start_time_seconds: Some(1_700_000_012.5),
        };
        assert_eq!(read, expected);
        assert_eq!(Process::parse("", "", "", ""), Process::default());
    }
}
