//! The documents keep up with the code: flags are those of `--help`, links lead somewhere, the plan
//! in the README is what `plan` prints, and what the documents quote from the log is in the source.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A flag's environment variable, default (empty where there is none) and short form.
type Flag = (String, String, String);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn readme() -> String {
    read(&root().join("README.md"))
}

fn ours(args: &[&str]) -> String {
    let mut command = crate::binary::alone();
    let output = command.args(args).current_dir(root()).output().unwrap();
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_readme_lists_the_flags_of_help_and_no_others() {
    let readme = readme();
    let tables = flags_of_readme(&readme);
    let both = tables
        .get("All commands but `demo`:")
        .expect("a table of all the others");
    for command in [
        "demo", "run", "plan", "explain", "rehearse", "snapshot", "status", "hold", "resume",
        "approve", "history", "handback",
    ] {
        let own = tables.get(&*format!("`{command}`:"));
        let shared = both.iter().filter(|_| command != "demo");
        let listed: BTreeMap<String, Flag> = shared
            .chain(own.expect("a table of its own"))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        assert_eq!(
            listed,
            flags_of_help(&ours(&[command, "--help"])),
            "left: README.md, right: {command} --help"
        );
    }
}

/// Flags by their long names, as clap prints them.
fn flags_of_help(help: &str) -> BTreeMap<String, Flag> {
    let mut flags = BTreeMap::new();
    let mut last: Option<String> = None;
    for line in help.lines().map(str::trim) {
        let between = |name: &str| {
            let inside = line.strip_prefix('[')?.strip_suffix(']')?;
            inside.strip_prefix(name).map(str::to_owned)
        };
        if line.starts_with('-') && !line.starts_with("- ") {
            let words = || {
                line.split([' ', ',', '=', '['])
                    .filter(|w| w.starts_with('-'))
            };
            let long = words().find(|w| w.starts_with("--")).expect("a long name");
            let short = words().find(|w| !w.starts_with("--")).unwrap_or_default();
            last = (long != "--help").then(|| long.to_owned());
            if last.is_some() {
                let flag = (String::new(), String::new(), short.to_owned());
                flags.insert(long.to_owned(), flag);
            }
        } else if let Some(flag) = last.as_ref().and_then(|l| flags.get_mut(l)) {
            if let Some(env) = between("env: ") {
                flag.0 = env.split('=').next().unwrap_or_default().to_owned();
            } else if let Some(default) = between("default: ") {
                flag.1 = default;
            }
        }
    }
    flags
}

/// The tables of flags by the line above them, and in each the flags by their long names.
fn flags_of_readme(text: &str) -> BTreeMap<&str, BTreeMap<String, Flag>> {
    let mut tables: BTreeMap<&str, BTreeMap<String, Flag>> = BTreeMap::new();
    let mut above = "";
    for line in text.lines() {
        if !line.starts_with('|') && !line.is_empty() {
            above = line;
        }
        let code = |cell: &str| cell.trim().trim_matches('`').to_owned();
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [names, env, default, _] = cells[..] else {
            continue;
        };
        if !names.trim().starts_with("`--") {
            continue;
        }
        let mut names = names.split(',').map(code);
        let long = names.next().unwrap_or_default();
        let flag = (code(env), code(default), names.next().unwrap_or_default());
        let before = tables.entry(above).or_default().insert(long.clone(), flag);
        assert_eq!(before, None, "{long} is listed twice");
    }
    tables
}

#[test]
fn the_plan_in_the_readme_is_what_plan_prints() {
    let readme = readme();
    let command = readme
        .lines()
        .find_map(|l| l.strip_prefix("cargo run --release -- plan "))
        .expect("the first command");
    let shown = blocks(&readme, "text")
        .into_iter()
        .find(|b| b.starts_with("DaemonSet "))
        .expect("its answer");
    let time = shown
        .lines()
        .find_map(|l| l.strip_prefix("Time "))
        .expect("its time")
        .trim();
    let mut args = vec!["plan", "--now", time];
    args.extend(command.split(' '));
    assert_eq!(shown, ours(&args), "left: README.md");
}

#[test]
fn the_explanations_in_the_documents_are_what_explain_prints() {
    let text = fs::read_to_string(root().join("docs/explain.md")).unwrap();
    let mut held = 0;
    for block in blocks(&text, "console") {
        let (command, shown) = block.split_once('\n').expect("a command and its answer");
        let command = command
            .strip_prefix("$ daemonset-controller ")
            .expect("a command");
        let args: Vec<&str> = command.split(' ').collect();
        assert_eq!(shown, ours(&args), "left: docs/explain.md, {command}");
        held += 1;
    }
    assert!(held >= 2, "docs/explain.md has its examples");
}

/// Every word that a program can meet is described: they are read from the source, where each is
/// the answer of an `as_str`.
#[test]
fn every_hold_state_and_cause_is_described() {
    let text = fs::read_to_string(root().join("docs/explain.md")).unwrap();
    for file in [
        "hold.rs",
        "left_alone.rs",
        "pod_state.rs",
        "rollout/blocked.rs",
        "explain.rs",
    ] {
        let source = fs::read_to_string(root().join("src/plan").join(file)).unwrap();
        let words: Vec<&str> = source
            .lines()
            .filter_map(|line| line.trim().strip_suffix("\","))
            .filter_map(|line| line.rsplit_once("=> \""))
            .map(|(_, word)| word)
            .filter(|word| word.bytes().all(|b| b.is_ascii_alphanumeric()) && !word.is_empty())
            .filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase()))
            .collect();
        assert!(words.len() > 2, "{file}: this test no longer finds words");
        for word in words {
            assert!(
                text.contains(&format!("`{word}`")),
                "docs/explain.md lacks {word} of {file}"
            );
        }
    }
}

/// The fenced blocks of a language.
fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(of) = line.strip_prefix("```") {
            let inside = lines.by_ref().take_while(|l| *l != "```");
            let block: String = inside.map(|l| format!("{l}\n")).collect();
            if of == language {
                found.push(block);
            }
        }
    }
    found
}

#[test]
fn what_is_quoted_from_the_log_and_from_events_is_in_the_source() {
    let source = source();
    let mut quotes = Vec::new();
    for block in blocks(&read(&root().join("docs/troubleshooting.md")), "text") {
        quotes.extend(block.lines().map(str::to_owned));
    }
    assert!(quotes.len() > 20, "this test no longer reads quotes");
    quotes.extend(events_of(&read(&root().join("docs/decisions.md"))));
    let wrong: Vec<&String> = quotes.iter().filter(|q| !is_in(&source, q)).collect();
    assert!(wrong.is_empty(), "not in src: {wrong:#?}");
}

/// The reasons and messages of the table of events.
fn events_of(decisions: &str) -> Vec<String> {
    let rows = decisions
        .lines()
        .filter(|l| l.starts_with("| Normal |") || l.starts_with("| Warning |"));
    let cells: Vec<String> = rows
        .flat_map(|row| row.split('|').skip(2).take(2))
        .map(|cell| cell.trim().trim_matches('`').to_owned())
        .collect();
    assert!(cells.len() > 10, "this test no longer reads events");
    cells
}

/// All parts of a quote, but for what varies (`…`), are in the source.
fn is_in(source: &str, quote: &str) -> bool {
    let parts = quote.split('…').map(str::trim);
    let parts: Vec<&str> = parts.filter(|p| p.len() > 3).collect();
    !parts.is_empty() && parts.iter().all(|p| source.contains(p))
}

/// All of `src`, with texts as they read: no escapes, no line ends within, `…` for what is filled
/// in.
fn source() -> String {
    let mut files = Vec::new();
    collect(&root().join("src"), "rs", &mut files);
    files.iter().map(|f| readable(&read(f))).collect()
}

fn readable(source: &str) -> String {
    let mut out = String::new();
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('\n')) => while chars.next_if(|c| c.is_whitespace()).is_some() {},
            ('\\', Some(_)) => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
}

fn collect(dir: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extension, files);
        } else if path.extension().is_some_and(|e| e == extension) {
            files.push(path);
        }
    }
}

fn documents() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for dir in ["docs", "tests", ".github", "charts", "deploy"] {
        collect(&root().join(dir), "md", &mut files);
    }
    for entry in fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "md") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let documents = documents();
    assert!(documents.len() > 5, "this test no longer finds documents");
    let wrong: Vec<String> = documents
        .iter()
        .flat_map(|path| broken(path, &read(path)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The files that the documents name in `code`: `src/plan/names.rs`, `plan/names.rs`, `tests/live`.
#[test]
fn every_file_that_the_documents_for_contributors_name_is_there() {
    for (document, least) in [
        ("docs/design.md", 21),
        ("docs/simulation.md", 5),
        ("CONTRIBUTING.md", 10),
    ] {
        let mut named = 0;
        for word in code(&read(&root().join(document))) {
            let is_path = word.contains('/') && word.ends_with(".rs") || word.starts_with("tests/");
            if is_path && !word.contains('*') {
                named += 1;
                let there = ["", "src"]
                    .iter()
                    .any(|d| root().join(d).join(&word).exists());
                assert!(there, "{document}: {word} is not there");
            }
        }
        assert!(
            named >= least,
            "{document}: this test no longer finds names of files"
        );
    }
}

/// The texts between single backticks, outside of fenced blocks.
fn code(markdown: &str) -> Vec<String> {
    let prose = prose(markdown);
    let parts = prose.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

/// The text without its fenced blocks.
fn prose(markdown: &str) -> String {
    let mut fenced = false;
    let mut out = String::new();
    for line in markdown.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// Relative links of a document that lead nowhere.
fn broken(path: &Path, markdown: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let prose = prose(markdown);
    for rest in prose.split("](").skip(1) {
        let link = rest.split(')').next().unwrap_or_default();
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, heading) = link.split_once('#').unwrap_or((link, ""));
        let target = match file {
            "" => path.to_owned(),
            file => path.parent().unwrap_or(root()).join(file),
        };
        let found = match (target.exists(), heading, target == path) {
            (false, _, _) => false,
            (true, "", _) => true,
            (true, heading, true) => headings(markdown).contains(heading),
            (true, heading, false) => headings(&read(&target)).contains(heading),
        };
        if !found {
            wrong.push(format!("{}: {link}", path.display()));
        }
    }
    wrong
}

/// The anchors of a document's headings, as forges make them.
fn headings(markdown: &str) -> BTreeSet<String> {
    let prose = prose(markdown);
    let titles = prose.lines().filter(|l| l.starts_with('#'));
    titles
        .map(|title| {
            let title = title.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn made_up_documents_are_judged() {
    let here = root().join("README.md");
    let text = "# A b\n[x](Cargo.toml) [y](#a-b) [z](https://example.com/x)\n```\n[n](none)\n```\n";
    assert_eq!(broken(&here, text), [""; 0]);
    let text = "[x](none.md) [y](#none) [z](Cargo.toml#none)\n";
    assert_eq!(broken(&here, text).len(), 3);

    let help = "Options:\n      --burst <N>\n          Pods\n          \n          [env: A_BURST=]\n          [default: 2]\n\n  \
                -n, --namespace <NAMESPACE>\n          - scheduler: text\n          [env: A_N=x]\n  -h, --help\n          Print\n";
    let flag = |env: &str, default: &str, short: &str| (env.into(), default.into(), short.into());
    let expected: BTreeMap<String, Flag> = [
        ("--burst".to_owned(), flag("A_BURST", "2", "")),
        ("--namespace".to_owned(), flag("A_N", "", "-n")),
    ]
    .into();
    assert_eq!(flags_of_help(help), expected);
    let table = "Both:\n\n| Flag | E | D | |\n|---|---|---|---|\n| `--burst` | `A_BURST` | `2` | Pods |\n\
                 | `--namespace`, `-n` | `A_N` | | One |\n";
    assert_eq!(flags_of_readme(table), [("Both:", expected)].into());

    let source = readable("error!(\"it \\\n    failed: {why} \\\"twice\\\"\")");
    assert!(is_in(&source, "it failed: … \"twice\""));
    assert!(!is_in(&source, "it succeeded: …"));
    assert!(!is_in(&source, "…"));
}
