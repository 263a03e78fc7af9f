//! Objects from files: lists, origins, and errors that name file and document.

use std::io::Write;
use std::path::PathBuf;

use daemonset_controller::cli::files::{Document, FileError, Origin, parse, read};

const NODE: &str = "apiVersion: v1\nkind: Node\nmetadata:\n  name: n1\n";

fn one_line(documents: &[Document]) -> Vec<String> {
    let line = |d: &Document| {
        let namespace = d.namespace.as_deref().unwrap_or("-");
        format!(
            "{} | {} {} {namespace}/{}",
            d.origin, d.api_version, d.kind, d.name
        )
    };
    documents.iter().map(line).collect()
}

fn objects(text: &str) -> Vec<String> {
    one_line(&parse("f", text).unwrap())
}

fn error(text: &str) -> String {
    parse("f", text).unwrap_err().to_string()
}

#[test]
fn empty_documents_are_counted() {
    let text = format!("---\n---\n# nothing\n---\n{NODE}---\nnull\n---\n{NODE}");
    assert_eq!(
        objects(&text),
        [
            "f: document 3 | v1 Node -/n1",
            "f: document 5 | v1 Node -/n1"
        ]
    );
    assert_eq!(
        objects(&format!("# a comment\n\n---\n{NODE}")),
        ["f: document 1 | v1 Node -/n1"]
    );
    assert_eq!(
        objects(&format!("\r\n---\r\n{}", NODE.replace('\n', "\r\n"))).len(),
        1
    );
    assert!(objects("# nothing\n---\n---\n").is_empty());
}

#[test]
fn json_values_one_after_another_are_documents() {
    let node = r#"{"kind":"Node","apiVersion":"v1","metadata":{"name":"n"}}"#;
    assert_eq!(
        objects(&format!("{node}{node}\n{node}")).last().unwrap(),
        "f: document 3 | v1 Node -/n"
    );
    assert_eq!(
        objects(&format!("{node}\n---\n---\n{NODE}")),
        [
            "f: document 1 | v1 Node -/n",
            "f: document 3 | v1 Node -/n1"
        ]
    );
}

#[test]
fn lists_are_taken_apart() {
    let list = r#"{"kind":"List","apiVersion":"v1","items":[
        {"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"x"},"n":1e3},
        {"kind":"NodeList","apiVersion":"v1","items":[{"metadata":{"name":"a"},"big":123456789012345678901},
            {"kind":"Other","apiVersion":"v2","metadata":{"name":"b"}}]}]}"#;
    let documents = parse("f", list).unwrap();
    assert_eq!(
        one_line(&documents),
        [
            "f: document 1, item 1 | v1 Pod x/p",
            "f: document 1, item 2 | v1 Node -/a",
            "f: document 1, item 2 | v2 Other -/b",
        ]
    );
    assert!(documents[0].json.get().contains("1e3"));
    assert_eq!(
        documents[1].json.get(),
        r#"{"apiVersion":"v1","big":123456789012345678901,"kind":"Node","metadata":{"name":"a"}}"#
    );
    assert_eq!(
        documents[1].origin,
        Origin {
            file: "f".into(),
            document: 1,
            item: Some(2)
        }
    );
    assert!(objects("kind: List\napiVersion: v1\n").is_empty());
    assert!(objects("kind: PodList\napiVersion: v1\nitems: []\n").is_empty());
    assert_eq!(
        objects("kind: AllowList\napiVersion: x/v1\nmetadata: {name: a}\n"),
        ["f: document 1 | x/v1 AllowList -/a"]
    );
}

#[test]
fn a_name_that_yaml_takes_for_something_else_is_an_error() {
    assert_eq!(
        error("kind: Node\napiVersion: v1\nmetadata:\n  name: 0755\n"),
        "f: document 1: Node: metadata: invalid type: integer `493`, expected a string"
    );
}

#[test]
fn errors_say_where() {
    let second = |text: &str| error(&format!("{NODE}---\n{text}"));
    for (text, message) in [
        (
            "- a\n",
            "f: document 2: a sequence where an object (a mapping with kind, apiVersion and metadata) is needed",
        ),
        (
            "foo\n",
            "f: document 2: a text where an object (a mapping with kind, apiVersion and metadata) is needed",
        ),
        ("a: 1\n", "f: document 2: the object has no kind"),
        ("kind: Pod\n", "f: document 2: Pod has no apiVersion"),
        (
            "kind: Pod\napiVersion: v1\n",
            "f: document 2: Pod has no metadata.name",
        ),
        (
            "kind: Pod\napiVersion: v1\nmetadata:\n",
            "f: document 2: Pod has no metadata.name",
        ),
        (
            "kind: Pod\napiVersion: v1\nmetadata: {generateName: x-}\n",
            "f: document 2: Pod has no metadata.name",
        ),
        (
            "kind: Pod\napiVersion: v1\nmetadata: []\n",
            "f: document 2: Pod: metadata must be a mapping",
        ),
        (
            "kind: 5\n",
            "f: document 2: invalid type: integer `5`, expected a string",
        ),
        (
            "kind: List\napiVersion: v1\nitems: [{kind: Pod, apiVersion: v1, metadata: {name: a}}, 5]\n",
            "f: document 2, item 2: a number where an object (a mapping with kind, apiVersion and metadata) is needed",
        ),
        (
            "kind: List\napiVersion: v1\nitems: {}\n",
            "f: document 2: the items of a list must be a sequence",
        ),
        (
            "a: [1\n",
            "f: document 2: line 6: did not find expected ',' or ']'",
        ),
        (
            "a: b\nc: .inf\n",
            "f: document 2: line 7: inf has no form in JSON",
        ),
        (
            "a: 1\n--- b\n",
            "f: document 3: line 7: only a comment may follow `---` on its line, not `b`",
        ),
    ] {
        assert_eq!(second(text), message, "{text}");
    }
    assert_eq!(
        error("{\"a\": 1,\n \"b\": [}"),
        "f: document 1: line 2: expected value"
    );
    assert_eq!(
        error("{a: 1,\n b: [}"),
        "f: document 1: line 2: did not find expected node content"
    );
}

#[test]
fn files_and_standard_input() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.yaml");
    std::fs::File::create(&path)
        .unwrap()
        .write_all(NODE.as_bytes())
        .unwrap();
    let files = [path.clone(), PathBuf::from("-")];
    let stdin = NODE.replace("n1", "n2");
    let documents = read(&files, false, &mut stdin.as_bytes())
        .unwrap()
        .documents;
    assert_eq!(
        one_line(&documents),
        [
            format!("{}: document 1 | v1 Node -/n1", path.display()),
            "standard input: document 1 | v1 Node -/n2".to_owned()
        ]
    );
    assert!(matches!(
        read(&["-", "-"], false, &mut "".as_bytes()),
        Err(FileError::StdinTwice)
    ));

    let absent = dir.path().join("absent");
    let message = read(&[&absent], false, &mut "".as_bytes())
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        format!(
            "{}: No such file or directory (os error 2)",
            absent.display()
        )
    );
    std::fs::write(&path, b"a: b\nc: \xff\n").unwrap();
    let message = read(&[&path], false, &mut "".as_bytes())
        .unwrap_err()
        .to_string();
    assert_eq!(message, format!("{}: line 2 is not UTF-8", path.display()));
}

#[test]
fn aliases_cannot_blow_a_document_up() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let before = format!("*a{}, ", i - 1).repeat(10);
        text += &format!("a{i}: &a{i} [{before}]\n");
    }
    assert!(error(&text).contains("too much of the document comes from aliases"));
    let mut merged = "a0: &a0 {k: x}\n".to_owned();
    for i in 1..40 {
        merged += &format!(
            "a{i}: &a{i} {{k: {{<<: *a{0}}}, l: {{<<: *a{0}}}}}\n",
            i - 1
        );
    }
    assert!(error(&merged).contains("too much of the document comes from aliases"));
    assert!(error("x: &a {k: {<<: *a}}\n").contains("nested too deeply"));
    assert!(error(&"[".repeat(100_000)).contains("line 1"));
    assert!(
        error(&("{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000))).contains("document 1")
    );
}

#[test]
fn twenty_thousand_nodes_in_one_list() {
    let node = |i| {
        format!(
            r#"{{"metadata":{{"name":"n{i}","labels":{{"a":"b"}}}},"spec":{{}},"status":{{"images":["{}"]}}}}"#,
            "x".repeat(2000)
        )
    };
    let items: Vec<_> = (0..20_000).map(node).collect();
    let text = format!(
        r#"{{"kind":"NodeList","apiVersion":"v1","items":[{}]}}"#,
        items.join(",")
    );
    let documents = parse("f", &text).unwrap();
    assert_eq!(documents.len(), 20_000);
    assert_eq!(documents[19_999].origin.item, Some(20_000));
}
