//! What `-f` may name: files in several encodings, directories, and things that are no manifests.

use std::{fs, path::Path};

use daemonset_controller::cli::files::{Contents, FileError, read};

fn node(name: &str) -> String {
    format!("apiVersion: v1\nkind: Node\nmetadata:\n  name: {name}\n")
}

fn stdin(bytes: &[u8]) -> Result<Contents, FileError> {
    read(&["-"], false, &mut &bytes[..])
}

/// The names of the objects.
fn names(contents: &Contents) -> Vec<&str> {
    contents.documents.iter().map(|d| &*d.name).collect()
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let with_mark = format!("\u{feff}{text}");
    with_mark.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn utf_16_is_read_by_its_byte_order_mark() {
    let text = format!("# é \u{1f600}\r\n{}", node("n1"));
    for bytes in [
        utf16(&text, u16::to_le_bytes),
        utf16(&text, u16::to_be_bytes),
    ] {
        let contents = stdin(&bytes).unwrap();
        assert_eq!(names(&contents), ["n1"]);
        assert_eq!(contents.documents[0].line_of("metadata.name"), Some(5));
    }
    let json = r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}"#;
    assert_eq!(
        names(&stdin(&utf16(json, u16::to_le_bytes)).unwrap()),
        ["n1"]
    );
}

#[test]
fn a_byte_order_mark_of_utf_8_is_no_part_of_the_text() {
    let text = format!("\u{feff}{}", node("n1"));
    assert_eq!(names(&stdin(text.as_bytes()).unwrap()), ["n1"]);
}

/// kubectl replaces such bytes everywhere; in a value that would be another value.
#[test]
fn a_byte_that_is_no_text_is_let_pass_in_a_comment_only() {
    let with = |comment: &str, value: &str| {
        let text = format!(
            "# {comment}\n{}--- # {comment}\n{}  labels:\n    a: {value} # {comment}\n    b: c\n",
            node("n1"),
            node("n2")
        );
        text.chars().map(|c| c as u8).collect::<Vec<u8>>()
    };
    assert_eq!(
        names(&stdin(&with("caf\u{e9}", "x")).unwrap()),
        ["n1", "n2"]
    );
    for (value, line) in [
        ("caf\u{e9}", 12),
        ("|\n      x\n      caf\u{e9}", 14),
        ("&caf\u{e9} x", 12),
    ] {
        let error = stdin(&with("caf\u{e9}", value)).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("standard input: line {line} is not UTF-8"),
            "{value}"
        );
    }
    let json = b"{\"apiVersion\": \"v1\",\n\"kind\": \"caf\xe9\"}";
    assert_eq!(
        stdin(json).unwrap_err().to_string(),
        "standard input: line 2 is not UTF-8"
    );
    assert_eq!(
        stdin(b"\xff\xfea\0:\0 \0\0\xd8").unwrap_err().to_string(),
        "standard input: line 1 is not UTF-8"
    );
    // An error elsewhere is not the byte's fault.
    let error = stdin(b"# caf\xe9\na: b: c\n").unwrap_err().to_string();
    assert!(
        error.contains("line 2: mapping values are not allowed"),
        "{error}"
    );
}

fn write(directory: &Path, files: &[(&str, &str)]) {
    for (file, text) in files {
        let path = directory.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

#[test]
fn of_a_directory_the_manifests_are_read_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let json = r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"json"}}"#;
    write(
        directory.path(),
        &[
            ("b.yml", &node("yml")),
            ("a.yaml", &node("yaml")),
            ("c.json", json),
            ("README.md", "# no manifest"),
            ("b/z.yaml", &node("deeper")),
            ("b/y/x.yaml", &node("deepest")),
            (".hidden.yaml", &node("hidden")),
        ],
    );
    let shallow = read(&[directory.path()], false, &mut &b""[..]).unwrap();
    assert_eq!(names(&shallow), ["hidden", "yaml", "yml", "json"]);
    let deep = read(&[directory.path()], true, &mut &b""[..]).unwrap();
    assert_eq!(
        names(&deep),
        ["hidden", "yaml", "deepest", "deeper", "yml", "json"]
    );
    let file = directory.path().join("a.yaml");
    assert_eq!(deep.documents[1].origin.file, file.display().to_string());
}

#[test]
fn a_directory_without_manifests_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let name = directory.path().display().to_string();
    let error = |recursive| {
        let read = read(&[directory.path()], recursive, &mut &b""[..]);
        read.unwrap_err().to_string()
    };
    let nothing = format!("{name}: no file in it ends with .json, .yaml or .yml");
    assert_eq!(error(false), nothing);
    write(directory.path(), &[("a/b.txt", "")]);
    assert_eq!(
        error(false),
        format!("{nothing}; -R reads its subdirectories too")
    );
    assert_eq!(error(true), nothing);
}

#[test]
fn what_other_programs_make_manifests_of_is_an_error_that_says_how() {
    let directory = tempfile::tempdir().unwrap();
    write(
        directory.path(),
        &[
            ("kustomize/kustomization.yaml", "resources: [a.yaml]\n"),
            ("kustomize/a.yaml", &node("a")),
            ("chart/Chart.yaml", "name: a\n"),
            ("above/chart/Chart.yaml", "name: a\n"),
            (
                "k.yaml",
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
            ),
        ],
    );
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("chart.tgz"), b"\x1f\x8b\x08").unwrap();
    fs::write(path("agent.yaml.gz"), b"\x1f\x8b\x08").unwrap();
    fs::write(path("chart.zip"), b"PK\x03\x04").unwrap();
    let error = |file: &str, recursive| {
        let error = read(&[file], recursive, &mut &b"\x1f\x8b"[..]).unwrap_err();
        error.to_string()
    };
    for (file, words) in [
        (
            "kustomize",
            format!("use `kubectl kustomize {} | … -f -`", path("kustomize")),
        ),
        (
            "kustomize/kustomization.yaml",
            format!("use `kubectl kustomize {} | … -f -`", path("kustomize")),
        ),
        (
            "k.yaml",
            format!(
                "use `kubectl kustomize {} | … -f -`",
                directory.path().display()
            ),
        ),
        (
            "chart",
            format!("use `helm template {} | … -f -`", path("chart")),
        ),
        (
            "chart.tgz",
            format!("use `helm template {} | … -f -`", path("chart.tgz")),
        ),
        (
            "chart.zip",
            "use `helm template DIRECTORY | … -f -`".to_owned(),
        ),
        (
            "agent.yaml.gz",
            format!("use `gunzip -c {} | … -f -`", path("agent.yaml.gz")),
        ),
    ] {
        let error = error(&path(file), false);
        assert!(
            error.starts_with(&path(file)) && error.ends_with(&words),
            "{error}"
        );
    }
    let error_above = error(&path("above"), true);
    assert!(error_above.contains("helm template"), "{error_above}");
    assert_eq!(
        error("https://example.com/agent.yaml", false),
        "https://example.com/agent.yaml: it is an address, no manifest; \
         use `curl -fsSL https://example.com/agent.yaml | … -f -`"
    );
    assert_eq!(
        error("-", false),
        "standard input: it is what gzip has packed, no manifest; use `… | gunzip | … -f -`"
    );
}

/// Two files run together: kubectl makes one object of them, without a word.
#[test]
fn keys_at_the_top_that_are_there_twice_are_noted() {
    let notes = |text: &str| stdin(text.as_bytes()).unwrap().notes;
    let text = format!("{}---\n{}{}", node("n1"), node("n2"), node("n3"));
    assert_eq!(
        notes(&text),
        [
            "standard input: document 2: the keys apiVersion, kind and metadata are there twice (apiVersion on lines \
             6 and 10); the last one counts, as for kubectl: is a `---` missing?"
        ]
    );
    assert_eq!(names(&stdin(text.as_bytes()).unwrap()), ["n1", "n3"]);
    let text = format!("{}kind: Node\n\"kind\": Node\n", node("n1"));
    assert_eq!(
        notes(&text),
        [
            "standard input: document 1: the key kind is there 3 times (lines 2, 5 and 6); the last one counts, as \
             for kubectl: is a `---` missing?"
        ]
    );
    assert!(notes(&format!("{}  labels: {{a: b, a: c}}\n", node("n1"))).is_empty());
    // In JSON nobody forgets a `---`; the last one counts there too.
    let json = br#"{"apiVersion":"v1","kind":"Pod","kind":"Node","metadata":{"name":"n"}}"#;
    assert_eq!(stdin(json).unwrap().documents[0].kind, "Node");
}

#[test]
fn plan_takes_a_directory_with_r_and_prints_the_notes_about_files() {
    let directory = tempfile::tempdir().unwrap();
    let agent = fs::read_to_string("examples/agent.yaml").unwrap();
    let twice = format!("{agent}\n{agent}");
    let nodes = fs::read_to_string("examples/nodes.yaml").unwrap();
    write(
        directory.path(),
        &[("agent.yaml", &*twice), ("more/nodes.yaml", &*nodes)],
    );
    let plan = |flags: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_daemonset-controller"))
            .args(["plan", "-f"])
            .arg(directory.path())
            .args(flags)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let without_nodes = "there is no Node in the files";
    let text = plan(&[]);
    assert!(text.contains(without_nodes), "{text}");
    let text = plan(&["-R"]);
    assert!(!text.contains(without_nodes), "{text}");
    assert!(
        text.contains(
            "agent.yaml: document 1: the keys apiVersion, kind, metadata and spec are there twice"
        ),
        "{text}"
    );
}
