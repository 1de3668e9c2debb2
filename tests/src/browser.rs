//! `Browser`: Chromium without a window, driven by chromedriver over WebDriver (W3C), which is HTTP and JSON.

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use ureq::Agent;

use crate::{
    gateway::folder,
    peers, port,
    process::Process,
    wait::{SOON, until, until_true},
};

/// A browser with one tab.
#[derive(Debug)]
pub struct Browser {
    /// `http://127.0.0.1:port/session/…`
    session: String,
    agent: Agent,
    axe: String,
    /// Dropped after the session was ended.
    _driver: Process,
    _profile: TempDir,
}

/// A key of the keyboard.
#[derive(Debug, Clone, Copy)]
pub enum Key<'a> {
    Left,
    Right,
    Down,
    Home,
    /// One that writes.
    Text(&'a str),
}

/// WebDriver (W3C) 12.1: the key that an element's id stands under.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const HEIGHT: u32 = 900;
const LIMIT: Duration = Duration::from_secs(60);

/// As few background doings as possible: a test talks to nobody but the gateway.
const SWITCHES: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
];

/// What WCAG 2.2 AA asks for, as axe-core names it.
const RULES: &[&str] = &["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

// === impl Key ===

impl<'a> Key<'a> {
    /// WebDriver (W3C) 17.4.2: keys that write nothing have code points of their own.
    fn text(self) -> &'a str {
        match self {
            Self::Left => "\u{e012}",
            Self::Right => "\u{e014}",
            Self::Down => "\u{e015}",
            Self::Home => "\u{e011}",
            Self::Text(text) => text,
        }
    }
}

// === impl Browser ===

impl Browser {
    /// A browser with a profile of its own.
    ///
    /// # Panics
    /// When chromedriver or Chromium do not start.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        let (profile, port) = (folder(), port::free());
        let mut command = Command::new(peers::chromedriver());
        command.arg(format!("--port={port}"));
        let driver = Process::start("chromedriver", &mut command);
        let agent: Agent = Agent::config_builder()
            .timeout_global(Some(LIMIT))
            .http_status_as_error(false)
            .build()
            .into();
        let base = format!("http://127.0.0.1:{port}");
        until_true("chromedriver to listen", SOON, || {
            agent.get(format!("{base}/status")).call().is_ok()
        });
        let mut arguments: Vec<String> =
            SWITCHES.iter().map(|switch| (*switch).to_owned()).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "binary": peers::chromium(), "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = request(&agent, "POST", &format!("{base}/session"), &wanted)
            .unwrap_or_else(|error| panic!("no session: {error}"));
        let id = session["sessionId"].as_str().expect("a session has an id");
        let browser = Self {
            session: format!("{base}/session/{id}"),
            agent,
            axe: fs::read_to_string(peers::axe()).expect("axe.min.js can be read"),
            _driver: driver,
            _profile: profile,
        };
        // What moves is neither text nor contrast yet.
        let still =
            json!({ "features": [{ "name": "prefers-reduced-motion", "value": "reduce" }] });
        browser.devtools("Emulation.setEmulatedMedia", &still);
        browser.resize(1440);
        browser
    }

    /// Loads a page.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// The window's width in CSS pixels; a phone's too, which no real window is as narrow as.
    #[track_caller]
    pub fn resize(&self, width: u32) {
        let size =
            json!({ "width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Waits for an element.
    #[track_caller]
    pub fn wait_for(&self, selector: &str) {
        until(selector, SOON, || self.find(selector));
    }

    /// Waits for the text of the first element of a CSS selector, as it is shown.
    #[track_caller]
    #[must_use]
    pub fn text(&self, selector: &str) -> String {
        until(&format!("the text of {selector}"), SOON, || {
            let element = self.find(selector)?;
            let text = self.try_get(&format!("element/{element}/text"))?;
            Ok::<_, String>(text.as_str().unwrap_or_default().to_owned())
        })
    }

    /// Waits until the text of the first element of a CSS selector satisfies.
    #[track_caller]
    pub fn text_is(&self, selector: &str, wanted: impl Fn(&str) -> bool) -> String {
        until(
            &format!("another text of {selector}"),
            SOON,
            || match self.text(selector) {
                text if wanted(&text) => Ok(text),
                text => Err(format!("it is `{text}`")),
            },
        )
    }

    /// Clicks an element, once it is there and can be clicked.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        until(&format!("a click on {selector}"), SOON, || {
            let element = self.find(selector)?;
            // WebDriver scrolls no further than to the window's edge, where something else may lie above it.
            let middle = "arguments[0].scrollIntoView({ block: 'center' })";
            let handle = json!({ "script": middle, "args": [{ ELEMENT: &element }] });
            self.try_post("execute/sync", &handle)?;
            self.try_post(&format!("element/{element}/click"), &json!({}))
        });
    }

    /// Replaces what stands in a field.
    #[track_caller]
    pub fn fill(&self, selector: &str, text: &str) {
        until(&format!("{selector} to take a text"), SOON, || {
            let element = self.find(selector)?;
            self.try_post(&format!("element/{element}/clear"), &json!({}))?;
            self.try_post(
                &format!("element/{element}/value"),
                &json!({ "text": text }),
            )
        });
    }

    /// Chooses a file in an `input` for files.
    #[track_caller]
    pub fn upload(&self, selector: &str, file: &Path) {
        let path = file.to_str().expect("a path of a test is text");
        until(&format!("{selector} to take a file"), SOON, || {
            let element = self.find(selector)?;
            self.try_post(
                &format!("element/{element}/value"),
                &json!({ "text": path }),
            )
        });
    }

    /// Puts what is downloaded from now on into this folder.
    #[track_caller]
    pub fn downloads_to(&self, folder: &Path) {
        let path = json!({ "behavior": "allow", "downloadPath": folder.to_str() });
        self.devtools("Browser.setDownloadBehavior", &path);
    }

    /// Presses a key where the focus is.
    #[track_caller]
    pub fn press(&self, key: Key<'_>) {
        until(&format!("{key:?} to be pressed"), SOON, || {
            let focused = self.try_get("element/active")?;
            let element = focused[ELEMENT].as_str().unwrap_or_default();
            self.try_post(
                &format!("element/{element}/value"),
                &json!({ "text": key.text() }),
            )
        });
    }

    /// Chooses the option of a `select` whose label contains `label`.
    #[track_caller]
    pub fn choose(&self, selector: &str, label: &str) {
        let script = "const select = document.querySelector(arguments[0]);
            const option = select && [...select.options].find(option => option.label.includes(arguments[1]));
            if (!option) return null;
            select.value = option.value;
            select.dispatchEvent(new Event('change', { bubbles: true }));
            return true;";
        until_true(&format!("{selector} to offer {label}"), SOON, || {
            self.script(script, &json!([selector, label])) == json!(true)
        });
    }

    /// How many elements there are of a CSS selector.
    #[track_caller]
    #[must_use]
    pub fn count(&self, selector: &str) -> u64 {
        let script = "return document.querySelectorAll(arguments[0]).length";
        self.script(script, &json!([selector]))
            .as_u64()
            .unwrap_or(0)
    }

    /// What a script returns.
    ///
    /// # Panics
    /// When it throws.
    #[track_caller]
    #[must_use]
    pub fn script(&self, script: &str, arguments: &Json) -> Json {
        self.post(
            "execute/sync",
            &json!({ "script": script, "args": arguments }),
        )
    }

    /// As [`Self::script`], for one that calls its last argument with what it found.
    ///
    /// # Panics
    /// When it throws, or does not call it.
    #[track_caller]
    #[must_use]
    pub fn script_async(&self, script: &str, arguments: &Json) -> Json {
        self.post(
            "execute/async",
            &json!({ "script": script, "args": arguments }),
        )
    }

    /// What axe-core has against the page: rule, help, elements.
    #[track_caller]
    #[must_use]
    pub fn accessibility_violations(&self) -> Vec<String> {
        if self.script("return typeof axe", &json!([])) != "object" {
            let _ = self.script(&self.axe, &json!([]));
        }
        let script = "const done = arguments[arguments.length - 1];
            const words = violation => `${violation.id}: ${violation.help}: `
                + violation.nodes.map(node => `${node.target.join(' ')} (${node.failureSummary})`).join('; ');
            axe.run(document, { runOnly: { type: 'tag', values: arguments[0] }, resultTypes: ['violations'] })
                .then(result => done(result.violations.map(words)), error => done([`${error}`]));";
        let found = self.post(
            "execute/async",
            &json!({ "script": script, "args": [RULES] }),
        );
        serde_json::from_value(found).expect("a list of texts")
    }

    /// Fits a phone and a desk, in both themes, and is accessible.
    ///
    /// # Panics
    /// When it does not, or is not.
    #[track_caller]
    pub fn assert_fits(&self) {
        for theme in ["light", "dark"] {
            let script = "document.documentElement.dataset.theme = arguments[0]";
            let _ = self.script(script, &json!([theme]));
            for width in [320, 1440] {
                self.resize(width);
                let violations = self.accessibility_violations();
                let place = format!("{theme}, {width}");
                assert!(violations.is_empty(), "{place}: {}", violations.join("\n"));
                assert!(self.overflow() <= 0, "{place}: wider than the window");
            }
        }
    }

    /// By how many pixels the page is wider than the window.
    #[track_caller]
    #[must_use]
    pub fn overflow(&self) -> i64 {
        let script =
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.script(script, &json!([])).as_i64().unwrap_or(i64::MAX)
    }

    /// What the page complained of in its console since the last time: errors, refused requests, breaches of the CSP.
    #[track_caller]
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().cloned().unwrap_or_default();
        let severe = |entry: &Json| entry["level"] == "SEVERE";
        let message = |entry: Json| entry["message"].as_str().unwrap_or_default().to_owned();
        entries.into_iter().filter(severe).map(message).collect()
    }

    /// Writes what is seen as PNG.
    #[track_caller]
    pub fn screenshot(&self, file: &Path) {
        use base64::Engine as _;
        let picture = self.devtools("Page.captureScreenshot", &json!({ "format": "png" }));
        let picture = picture["data"].as_str().expect("a picture");
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture);
        let folder = file.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).expect("the folder can be made");
        fs::write(file, bytes.expect("base64")).expect("the file can be written");
    }

    fn find(&self, selector: &str) -> Result<String, String> {
        let query = json!({ "using": "css selector", "value": selector });
        let found = self.try_post("element", &query)?;
        Ok(found[ELEMENT].as_str().unwrap_or_default().to_owned())
    }

    #[track_caller]
    fn devtools(&self, command: &str, parameters: &Json) -> Json {
        self.post(
            "goog/cdp/execute",
            &json!({ "cmd": command, "params": parameters }),
        )
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Json) -> Json {
        self.try_post(path, body)
            .unwrap_or_else(|error| panic!("the browser: {path}: {error}"))
    }

    fn try_post(&self, path: &str, body: &Json) -> Result<Json, String> {
        request(
            &self.agent,
            "POST",
            &format!("{}/{path}", self.session),
            body,
        )
    }

    fn try_get(&self, path: &str) -> Result<Json, String> {
        request(
            &self.agent,
            "GET",
            &format!("{}/{path}", self.session),
            &Json::Null,
        )
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends Chromium; chromedriver alone would leave it behind.
        if let Err(error) = request(&self.agent, "DELETE", &self.session, &Json::Null) {
            eprintln!("the browser did not end: {error}");
        }
    }
}

/// A command of WebDriver: its value, or its error in words.
fn request(agent: &Agent, method: &str, url: &str, body: &Json) -> Result<Json, String> {
    let text = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(url)
        .header("content-type", "application/json")
        .body(text)
        .map_err(|error| error.to_string())?;
    let mut answer = agent.run(request).map_err(|error| error.to_string())?;
    let body = answer
        .body_mut()
        .with_config()
        .limit(64 << 20)
        .read_to_string();
    let answer: Json = serde_json::from_str(&body.map_err(|error| error.to_string())?)
        .map_err(|error| error.to_string())?;
    let value = answer["value"].clone();
    match value.get("error").and_then(Json::as_str) {
        Some(error) => Err(format!(
            "{error}: {}",
            value["message"].as_str().unwrap_or_default()
        )),
        None => Ok(value),
    }
}
