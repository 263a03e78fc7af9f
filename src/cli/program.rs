//! The name by which the program was called. As `kubectl-daemonset` it is a plugin of kubectl, and
//! has the commands that are for people.

use std::{env, ffi::OsString, path::Path};

use clap::{Command, CommandFactory};

use super::args::Cli;

/// The file name by which kubectl finds the plugin.
const PLUGIN: &str = "kubectl-daemonset";

/// The commands that a plugin does not have: the controller itself, and the demo.
const NOT_IN_PLUGIN: [&str; 2] = ["run", "demo"];

/// How the program is called on a command line, for texts that name a command.
pub fn name() -> &'static str {
    if is_plugin(env::args_os().next().as_ref()) {
        "kubectl daemonset"
    } else {
        "daemonset-controller"
    }
}

/// Whether the program was called by the plugin's name.
fn is_plugin(first: Option<&OsString>) -> bool {
    let stem = first.and_then(|name| Path::new(name).file_stem());
    stem.is_some_and(|stem| stem == PLUGIN)
}

/// The command line as it is understood under the name of `first`, the name of the program.
pub fn command(first: Option<&OsString>) -> Command {
    let whole = Cli::command();
    if !is_plugin(first) {
        return whole;
    }
    let commands = whole.get_subcommands();
    let commands = commands.filter(|c| !NOT_IN_PLUGIN.contains(&c.get_name()));
    Command::new(PLUGIN)
        .bin_name("kubectl daemonset")
        .about("Rollouts of DaemonSets: how they stand and why, and what to do about it")
        .version(env!("CARGO_PKG_VERSION"))
        .max_term_width(100)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(commands.cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_file_name_makes_it_a_plugin() {
        for (name, plugin) in [
            ("kubectl-daemonset", true),
            ("/usr/local/bin/kubectl-daemonset", true),
            ("kubectl-daemonset.exe", true),
            ("daemonset-controller", false),
            ("/kubectl-daemonset/daemonset-controller", false),
        ] {
            assert_eq!(is_plugin(Some(&name.into())), plugin, "{name}");
        }
        assert!(!is_plugin(None));
        command(Some(&"kubectl-daemonset".into())).debug_assert();
    }
}
