//! A headless browser, by the protocol that chromedriver speaks:
//! <https://www.w3.org/TR/webdriver2/>. A command is one request, with JSON both ways.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpStream, runtime::Runtime};

/// How the protocol names an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys, as the protocol has them.
pub mod key {
    pub const TAB: char = '\u{e004}';
    pub const ENTER: char = '\u{e007}';
    pub const PAGE_UP: char = '\u{e00e}';
    pub const PAGE_DOWN: char = '\u{e00f}';
    pub const END: char = '\u{e010}';
    pub const HOME: char = '\u{e011}';
    pub const LEFT: char = '\u{e012}';
    pub const UP: char = '\u{e013}';
    pub const RIGHT: char = '\u{e014}';
    pub const DOWN: char = '\u{e015}';
}

/// A browser with one window. It ends with this value.
pub struct Browser {
    runtime: Runtime,
    driver: Child,
    // chromedriver would end where nobody can read what it says.
    _says: BufReader<ChildStdout>,
    port: u16,
    session: String,
}

impl Browser {
    /// Starts one.
    pub fn start() -> Browser {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver, see tests/browser/run.sh");
        let mut says = BufReader::new(driver.stdout.take().expect("its output"));
        let port = port_of(&mut says);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut browser = Browser {
            runtime,
            driver,
            _says: says,
            port,
            session: String::new(),
        };
        let wanted = json!({"capabilities": {"alwaysMatch": {
            // Root needs the second, and a container with little shared memory the third.
            "goog:chromeOptions": {"args": [
                "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1000",
            ]},
            // A machine that is busy elsewhere is not what a test is about.
            "timeouts": {"script": 300_000, "pageLoad": 300_000},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let session = browser.ask("POST", "/session", &wanted);
        browser.session = text(&session["sessionId"]);
        browser
    }

    /// Opens a file, with what comes after it in the address, and waits until it is drawn.
    pub fn open(&self, page: &Path, rest: &str) {
        let url = format!("file://{}{rest}", page.display());
        self.post("/url", &json!({"url": url}));
    }

    /// What a script returns. `arguments` has what is handed to it.
    pub fn run(&self, script: &str, arguments: Value) -> Value {
        self.post(
            "/execute/sync",
            &json!({"script": script, "args": arguments}),
        )
    }

    /// What a script hands to its one argument, a function, sooner or later.
    pub fn run_until_done(&self, script: &str) -> Value {
        self.post("/execute/async", &json!({"script": script, "args": []}))
    }

    /// Waits for two frames: what was asked for before the first one is drawn by then.
    pub fn drawn(&self) {
        self.run_until_done("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))");
    }

    /// Presses a key and lets it go, and waits until what follows is drawn.
    pub fn press(&self, key: char) {
        let (down, up) = (
            json!({"type": "keyDown", "value": key}),
            json!({"type": "keyUp", "value": key}),
        );
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": [down, up]});
        self.post("/actions", &json!({"actions": [keyboard]}));
        self.drawn();
    }

    /// Presses the keys of a text.
    pub fn write(&self, text: &str) {
        for key in text.chars() {
            self.press(key);
        }
    }

    /// Clicks on the first element of a selector.
    pub fn click(&self, selector: &str) {
        let element = self.post(
            "/element",
            &json!({"using": "css selector", "value": selector}),
        );
        let element = text(&element[ELEMENT]);
        self.post(&format!("/element/{element}/click"), &json!({}));
        self.drawn();
    }

    /// Role and name of the element with the focus, as assistive technology gets them.
    pub fn focused(&self) -> (String, String) {
        let element = text(&self.get("/element/active")[ELEMENT]);
        let of = |what: &str| text(&self.get(&format!("/element/{element}/{what}")));
        (of("computedrole"), of("computedlabel"))
    }

    /// Shows the page as on paper (`print`) or on a screen, with a light or a dark scheme.
    pub fn emulate(&self, media: &str, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({"media": media, "features": features}),
        );
        self.drawn();
    }

    /// A command of the browser's own protocol.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.post("/goog/cdp/execute", &body)
    }

    /// What was complained of since this was asked last.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "browser"}));
        let entries = log.as_array().expect("a log").iter();
        entries.map(|entry| text(&entry["message"])).collect()
    }

    /// The addresses that were asked for since this was asked last.
    pub fn requests(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "performance"}));
        let entries = log.as_array().expect("a log").iter();
        let messages = entries.map(|entry| {
            let message: Value = serde_json::from_str(&text(&entry["message"])).expect("JSON");
            message["message"].clone()
        });
        messages
            .filter(|message| message["method"] == "Network.requestWillBeSent")
            .map(|message| text(&message["params"]["request"]["url"]))
            .collect()
    }

    fn get(&self, path: &str) -> Value {
        let path = format!("/session/{}{path}", self.session);
        self.ask("GET", &path, &Value::Null)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}{path}", self.session);
        self.ask("POST", &path, body)
    }

    /// The value of the answer.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let asked = self.runtime.block_on(ask(self.port, method, path, body));
        let (ok, mut answer) = asked.unwrap_or_else(|why| panic!("{method} {path}: {why}"));
        assert!(ok, "{method} {path} {body}: {answer}");
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser with the session, and does not when it is killed.
        let path = format!("/session/{}", self.session);
        let ended = ask(self.port, "DELETE", &path, &Value::Null);
        let _ = self.runtime.block_on(ended);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The port on which a driver says that it listens.
fn port_of(says: &mut impl BufRead) -> u16 {
    let mut line = String::new();
    while says.read_line(&mut line).expect("text") > 0 {
        if let Some((_, port)) = line.trim().split_once("successfully on port ") {
            return port.trim_end_matches('.').parse().expect("a port");
        }
        line.clear();
    }
    panic!("chromedriver ended without listening");
}

/// Whether the answer is a good one, and the answer.
async fn ask(
    port: u16,
    method: &str,
    path: &str,
    body: &Value,
) -> Result<(bool, Value), Box<dyn std::error::Error>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let served = tokio::spawn(connection);
    let body = match method {
        "POST" => Bytes::from(body.to_string()),
        _ => Bytes::new(),
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", format!("127.0.0.1:{port}"))
        .body(Full::new(body))?;
    let answer = sender.send_request(request).await?;
    let ok = answer.status().is_success();
    let bytes = answer.into_body().collect().await?.to_bytes();
    served.abort();
    Ok((ok, serde_json::from_slice(&bytes)?))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
