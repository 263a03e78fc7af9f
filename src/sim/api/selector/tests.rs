//! The messages are those of a real API server 1.37.1.

use serde_json::{Value, json};

use super::super::resource::*;
use super::super::status::ApiStatus;
use super::*;

const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const NAME: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

fn said(result: Result<impl std::fmt::Debug, ApiStatus>) -> String {
    let status = result.unwrap_err();
    assert_eq!((status.code, status.reason), (400, "BadRequest"));
    status.message
}

#[test]
fn label_selectors_select_by_table() {
    let object =
        json!({"metadata": {"labels": {"a": "b", "n": "5", "e": "", "x.io/y": "z", "in": "in"}}});
    let bare = json!({"metadata": {"name": "p"}});
    for (text, labelled, unlabelled) in [
        ("", true, true),
        ("  ", true, true),
        ("a=b", true, false),
        (" a == b ", true, false),
        ("a=c", false, false),
        ("a!=b", false, true),
        ("a!=c", true, true),
        ("a!=", true, true),
        ("e=", true, false),
        ("e==,a=b", true, false),
        ("a", true, false),
        ("!a", false, true),
        ("! z", true, true),
        ("a in (b,c)", true, false),
        ("a in(c)", false, false),
        ("e in ()", true, false),
        ("e in (,x)", true, false),
        ("e in (x,)", true, false),
        ("e in (x,,y)", true, false),
        ("e in (x,y)", false, false),
        ("a notin (b,c)", false, true),
        ("a notin (,)", true, true),
        ("n>4", true, false),
        ("n>5", false, false),
        ("n<6", true, false),
        ("a>1", false, false),
        ("x.io/y=z,a,!q,n notin (4)", true, false),
        ("x.io/y=z,a=c", false, false),
        ("in", true, false),
        ("in in (in)", true, false),
        ("in=notin", false, false),
    ] {
        let selector = labels(text).expect(text);
        assert_eq!(matches(&selector, &object), labelled, "{text}");
        assert_eq!(
            matches(&selector, &bare),
            unlabelled,
            "{text} without labels"
        );
    }
}

#[test]
fn malformed_label_selectors_by_table() {
    const OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";
    const INTEGER: &str = "for 'Gt', 'Lt' operators, the value must be an integer";
    for (text, message) in [
        ("a,", "found '', expected: identifier after ','".to_owned()),
        ("a=b,,c", "found ',', expected: identifier after ','".into()),
        (
            "=a",
            "found '=', expected: !, identifier, or 'end of string'".into(),
        ),
        (
            ")",
            "found ')', expected: !, identifier, or 'end of string'".into(),
        ),
        (
            "a=b=c",
            "found '=', expected: ',' or 'end of string'".into(),
        ),
        (
            "a=b c",
            "found 'c', expected: ',' or 'end of string'".into(),
        ),
        ("!a=b", "found '=', expected: ',' or 'end of string'".into()),
    ] {
        assert_eq!(said(labels(text)), message, "{text}");
    }
    for (text, why) in [
        ("a in (", "found '', expected: ',', ')' or identifier".to_owned()),
        ("a in (x", "found '', expected: ',' or ')'".into()),
        ("a in x", "found 'x' expected: '('".into()),
        ("a in (x y)", "found 'y', expected: ',' or ')'".into()),
        ("a in (x,=)", "found '=', expected: ',', or identifier".into()),
        ("a b", format!("found 'b', expected: {OPERATORS}")),
        ("a!b", format!("found '!', expected: {OPERATORS}")),
        ("a in (,", "found '', expected: ',', or identifier".into()),
        ("a=b,!", "found '', expected: identifier".into()),
        ("!", "found '', expected: identifier".into()),
        ("a=(", "found '(', expected: identifier".into()),
        ("a<>b", "found '>', expected: identifier".into()),
        ("a===b", "found '=', expected: identifier".into()),
        ("a>x", format!("values[0]: Invalid value: \"x\": {INTEGER}")),
        ("a>", format!("values[0]: Invalid value: \"\": {INTEGER}")),
        (
            "a>-",
            format!("[values[0]: Invalid value: \"-\": {INTEGER}, values[0][a]: Invalid value: \"-\": {VALUE}]"),
        ),
        ("a=-b", format!("values[0][a]: Invalid value: \"-b\": {VALUE}")),
        (
            "a in (x,-y)",
            format!("values[0][a]: Invalid value: \"-y\": {VALUE}"),
        ),
        ("-a", format!("<nil>: Invalid value: \"-a\": name part {NAME}")),
        ("/a=1", "<nil>: Invalid value: \"/a\": prefix part must be non-empty".into()),
        (
            "a.b/=c",
            format!("<nil>: Invalid value: \"a.b/\": name part must be non-empty; name part {NAME}"),
        ),
        (
            "a/b/c=d",
            format!("<nil>: Invalid value: \"a/b/c\": a valid label key {NAME} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"),
        ),
        (
            "UP/x=1",
            "<nil>: Invalid value: \"UP/x\": prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')".into(),
        ),
    ] {
        let message = format!("unable to parse requirement: {why}");
        assert_eq!(said(labels(text)), message, "{text}");
    }
    let long = "x".repeat(64);
    assert_eq!(
        said(labels(&long)),
        format!(
            "unable to parse requirement: <nil>: Invalid value: \"{long}\": name part must be no more than 63 bytes"
        )
    );
    assert_eq!(
        said(labels(&format!("a={long}"))),
        format!(
            "unable to parse requirement: values[0][a]: Invalid value: \"{long}\": must be no more than 63 bytes"
        )
    );
}

#[test]
fn field_selectors_select_by_table() {
    let pod = json!({
        "metadata": {"name": "p", "namespace": "n"},
        "spec": {"nodeName": "a=b,c\\d", "hostNetwork": true},
        "status": {"phase": "Running", "podIP": "9.9.9.9", "podIPs": [{"ip": "1.2.3.4"}, {"ip": "::1"}]},
    });
    let node = json!({"metadata": {"name": "n"}, "spec": {}});
    let old = json!({"involvedObject": {"name": "o"}, "reportingComponent": "r", "source": {"component": "s"}});
    let new = json!({"regarding": {"name": "o"}, "reportingController": "r"});
    let lease = json!({"metadata": {"name": "l", "namespace": "n"}});
    let cases: [(&Resource, &Value, &str, bool); 33] = [
        (&PODS, &pod, "", true),
        (&PODS, &pod, ",", true),
        (&PODS, &pod, "=", true),
        (&PODS, &pod, "!=", true),
        (&PODS, &pod, "metadata.name=p", true),
        (&PODS, &pod, "metadata.name==p", true),
        (&PODS, &pod, "metadata.name= p", false),
        (&PODS, &pod, "metadata.name!=p", false),
        (&PODS, &pod, "metadata.name=p,metadata.namespace=m", false),
        (&PODS, &pod, "metadata.name=p,metadata.namespace!=m,", true),
        (&PODS, &pod, "spec.nodeName=a\\=b\\,c\\\\d", true),
        (&PODS, &pod, "spec.host=a\\=b\\,c\\\\d", true),
        (&PODS, &pod, "spec.nodeName=", false),
        (&PODS, &pod, "spec.schedulerName=", true),
        (&PODS, &pod, "spec.hostNetwork=true", true),
        (&PODS, &pod, "status.phase!=Running", false),
        (&PODS, &pod, "status.podIP=1.2.3.4", true),
        (&PODS, &pod, "status.podIP=9.9.9.9", false),
        (&PODS, &pod, "status.podIPs=1.2.3.4", false),
        (&PODS, &pod, "status.podIPs=", true),
        (&NODES, &node, "spec.unschedulable=false", true),
        (&NODES, &node, "spec.unschedulable=", false),
        (&NAMESPACES, &node, "status.phase=Active", false),
        (&EVENTS, &old, "involvedObject.name=o", true),
        (&EVENTS, &new, "involvedObject.name=o", true),
        (&EVENTS, &old, "source=s", true),
        (&EVENTS, &new, "source=r", true),
        (&EVENTS, &old, "reportingComponent=r,reason=", true),
        (&NEW_EVENTS, &old, "regarding.name=o", true),
        (&NEW_EVENTS, &new, "reportingController=x", false),
        (
            &LEASES,
            &lease,
            "metadata.name=l,metadata.namespace=n",
            true,
        ),
        (&DAEMON_SETS, &lease, "metadata.name!=l", false),
        (&CONTROLLER_REVISIONS, &lease, "metadata.namespace=m", false),
    ];
    for (resource, object, text, expected) in cases {
        let selector = FieldSelector::parse(resource, text).expect(text);
        assert_eq!(selector.matches(object), expected, "{text}");
    }
}

#[test]
fn field_selectors_that_are_refused_by_table() {
    let only = "only \"metadata.name\", \"metadata.namespace\"";
    let cases: [(&Resource, &str, &str); 16] = [
        (&PODS, "spec.nope=1", "field label not supported: spec.nope"),
        (&PODS, "=x", "field label not supported: "),
        (&PODS, "a", "invalid selector: 'a'; can't understand 'a'"),
        (
            &PODS,
            "spec.z=1,b",
            "invalid selector: 'spec.z=1,b'; can't understand 'b'",
        ),
        (&PODS, "z.z=1,b.b=1", "field label not supported: b.b"),
        (
            &PODS,
            "spec.nodeName=a=b",
            "invalid field selector: unescaped character in value: 61",
        ),
        (
            &PODS,
            "spec.nodeName=a\\",
            "invalid field selector: invalid escape sequence: \\",
        ),
        (
            &PODS,
            "spec.nodeName=a\\x",
            "invalid field selector: invalid escape sequence: \\x",
        ),
        (
            &NODES,
            "metadata.namespace=x",
            "field label not supported: metadata.namespace",
        ),
        (
            &NAMESPACES,
            "name=default",
            "field label not supported: name",
        ),
        (
            &EVENTS,
            "regarding.name=x",
            "field label not supported: regarding.name",
        ),
        (&NEW_EVENTS, "source=x", "field label not supported: source"),
        (
            &NEW_EVENTS,
            "involvedObject.name=x",
            "field label not supported: involvedObject.name",
        ),
        (
            &DAEMON_SETS,
            "spec.x=1",
            &format!("\"spec.x\" is not a known field selector: {only}"),
        ),
        (
            &LEASES,
            "a=b",
            &format!("\"a\" is not a known field selector: {only}"),
        ),
        (
            &CONTROLLER_REVISIONS,
            "revision=1",
            &format!("\"revision\" is not a known field selector: {only}"),
        ),
    ];
    for (resource, text, message) in cases {
        assert_eq!(
            said(FieldSelector::parse(resource, text)),
            message,
            "{text}"
        );
    }
}

#[test]
fn a_field_selector_says_what_it_requires() {
    let selector =
        FieldSelector::parse(&PODS, "metadata.name=p,metadata.namespace!=n,spec.host=x").unwrap();
    assert_eq!(selector.required("metadata.name"), Some("p"));
    assert_eq!(selector.required("metadata.namespace"), None);
    assert_eq!(selector.required("spec.nodeName"), Some("x"));
}
