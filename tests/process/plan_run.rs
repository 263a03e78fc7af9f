//! `plan` as a process, for the tests of this folder.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::{Value, json};

/// The time of most plans.
pub const NOW: &str = "2026-11-21T06:00:00Z";

/// The end of the process.
pub struct Answer {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// The folder of inputs and golden files.
pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/plan")
}

/// Runs `plan` where the files are.
pub fn plan_of(stdin: &str, args: &[&str]) -> Answer {
    run(stdin, args, &[])
}

/// Runs `plan` with these environment variables, and none of its own besides.
pub fn run(stdin: &str, args: &[&str], variables: &[(&str, &str)]) -> Answer {
    run_command("plan", stdin, args, variables)
}

/// As [`run`], with another command.
pub fn run_command(
    command: &str,
    stdin: &str,
    args: &[&str],
    variables: &[(&str, &str)],
) -> Answer {
    let name = command;
    let mut command = crate::binary::alone();
    let mut child = command
        .envs(variables.iter().copied())
        .current_dir(data())
        .arg(name)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = child.stdin.take().expect("piped");
    // It may end without having read all.
    let _ = input.write_all(stdin.as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Answer {
        code: output.status.code().expect("no signal"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Runs `plan` with empty standard input.
pub fn plan(args: &[&str]) -> Answer {
    plan_of("", args)
}

/// Whether golden files are to be written anew.
pub fn updating() -> bool {
    env::var_os("UPDATE_GOLDEN").is_some_and(|v| !v.is_empty())
}

/// The schema of a plan.
pub fn schema() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema_file()).expect("a schema")
}

fn schema_file() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/plan.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    jsonschema::draft202012::meta::validate(&schema).expect("a schema");
    schema
}

/// The JSON, once it is valid by the schema.
pub fn validate(schema: &jsonschema::Validator, json: &str) -> Value {
    let value: Value = serde_json::from_str(json).expect("JSON");
    let errors: Vec<String> = schema
        .iter_errors(&value)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}\n{json}", errors.join("\n"));
    value
}

/// The JSON, once it is valid by a part of the schema.
pub fn validate_as(part: &str, json: &str) -> Value {
    let all = schema_file();
    // The part refers to others of the same document.
    let schema = json!({
        "$schema": all["$schema"],
        "properties": all["properties"],
        "$defs": all["$defs"],
        "$ref": format!("#{part}"),
    });
    validate(
        &jsonschema::draft202012::new(&schema).expect("a schema"),
        json,
    )
}
