//! A real browser: Chromium without a screen, driven over WebDriver (W3C), with authenticators that
//! are made of software (WebAuthn section 11) and what only its own protocol can do besides.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::tools;

/// How long a page may take until it is as it should be.
const PATIENCE: Duration = Duration::from_secs(20);
/// By what WebDriver names an element (section 11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// On what a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    name: &'static str,
    width: u32,
    height: u32,
    dark: bool,
}

impl Screen {
    pub(crate) const DESKTOP: Self =
        Self { name: "desktop", width: 1280, height: 900, dark: false };
    pub(crate) const PHONE: Self = Self { name: "phone", width: 390, height: 844, dark: false };
    pub(crate) const DARK_DESKTOP: Self =
        Self { name: "desktop-dark", dark: true, ..Self::DESKTOP };
    pub(crate) const DARK_PHONE: Self = Self { name: "phone-dark", dark: true, ..Self::PHONE };
    /// Each of them.
    pub(crate) const ALL: [Self; 4] =
        [Self::DESKTOP, Self::PHONE, Self::DARK_DESKTOP, Self::DARK_PHONE];
}

/// The driver, which opens windows, as long as it runs. Each has a profile of its own.
pub(crate) struct Chromium {
    url: String,
    port: u16,
    http: reqwest::Client,
    _child: Child,
    profiles: TempDir,
}

/// One browser with one page.
pub(crate) struct Window {
    session: String,
    http: reqwest::Client,
}

impl Chromium {
    pub(crate) async fn start() -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is missing: run scripts/setup-tests.sh");
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = loop {
            let line = told.next_line().await.unwrap().expect("chromedriver did not start");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').parse().unwrap();
            }
        };
        // It stops where nobody reads what it tells.
        tokio::spawn(async move { while let Ok(Some(_)) = told.next_line().await {} });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            url: format!("http://127.0.0.1:{port}"),
            port,
            http,
            _child: child,
            profiles: tempfile::tempdir().unwrap(),
        }
    }

    /// A browser of this size.
    pub(crate) async fn window(&self, screen: Screen) -> Window {
        let profile = tempfile::tempdir_in(self.profiles.path()).unwrap().keep();
        let profile = format!("--user-data-dir={}", profile.display());
        let args = [
            profile.as_str(),
            "--headless=new",
            // It does not run as root otherwise, and these tests do in containers.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-proxy-server",
            "--lang=en",
        ];
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": args},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let opened = ask(&self.http, &format!("{}/session", self.url), Some(capabilities)).await;
        let id = opened.unwrap()["sessionId"].as_str().unwrap().to_owned();
        let session = format!("{}/session/{id}", self.url);
        let window = Window { session, http: self.http.clone() };
        window.look(screen).await;
        // What the page's policy forbids is told to the page alone.
        let listen = "window.__violations = []; document.addEventListener(\
            'securitypolicyviolation', e => window.__violations.push(\
            e.violatedDirective + ' ' + e.blockedURI));";
        window.protocol("Page.enable", json!({})).await;
        window.protocol("Page.addScriptToEvaluateOnNewDocument", json!({"source": listen})).await;
        window
    }
}

/// A driver that is killed leaves its browsers running: it is told to end them first.
impl Drop for Chromium {
    fn drop(&mut self) {
        let Ok(mut driver) = TcpStream::connect(("127.0.0.1", self.port)) else { return };
        // Whatever becomes of it, a test that is over waits for nothing long.
        let _ = driver.set_read_timeout(Some(Duration::from_secs(10)));
        let _ = driver
            .write_all(b"GET /shutdown HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let _ = driver.read(&mut [0; 512]);
    }
}

/// Asks the driver; what it refuses is the name of WebDriver's error and what it says.
async fn ask(http: &reqwest::Client, url: &str, body: Option<Value>) -> Result<Value, String> {
    let call = match &body {
        Some(body) => http.post(url).json(body),
        None => http.get(url),
    };
    let answer = call.timeout(Duration::from_secs(60)).send().await.unwrap();
    let is_well = answer.status().is_success();
    let mut told: Value = answer.json().await.unwrap();
    let value = told["value"].take();
    if is_well { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
}

impl Window {
    async fn order(&self, path: &str, body: Value) -> Result<Value, String> {
        ask(&self.http, &format!("{}/{path}", self.session), Some(body)).await
    }

    async fn read(&self, path: &str) -> Value {
        ask(&self.http, &format!("{}/{path}", self.session), None).await.unwrap()
    }

    /// Something that only Chromium's own protocol can do.
    pub(crate) async fn protocol(&self, command: &str, params: Value) -> Value {
        let order = json!({"cmd": command, "params": params});
        self.order("goog/cdp/execute", order).await.unwrap()
    }

    /// From now on it is this large, and light or dark.
    pub(crate) async fn look(&self, screen: Screen) {
        let Screen { width, height, dark, .. } = screen;
        let is_phone = width < 600;
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone,
        });
        self.protocol("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.protocol("Emulation.setEmulatedMedia", features).await;
    }

    /// From now on pages run no script, as for somebody who has switched that off.
    pub(crate) async fn without_scripts(&self) {
        self.protocol("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    }

    pub(crate) async fn go(&self, url: &str) {
        self.order("url", json!({"url": url})).await.unwrap();
    }

    /// Where it is.
    pub(crate) async fn url(&self) -> String {
        self.read("url").await.as_str().unwrap().to_owned()
    }

    /// The page as it stands now.
    pub(crate) async fn source(&self) -> String {
        self.read("source").await.as_str().unwrap().to_owned()
    }

    /// What a person reads of it.
    pub(crate) async fn text(&self) -> String {
        let body = self.found("body").await.expect("a page has a body");
        let text = self.read(&format!("element/{body}/text")).await;
        text.as_str().unwrap().to_owned()
    }

    async fn found(&self, css: &str) -> Option<String> {
        let order = json!({"using": "css selector", "value": css});
        let found = self.order("element", order).await.ok()?;
        Some(found[ELEMENT].as_str()?.to_owned())
    }

    /// Whether there is such an element.
    pub(crate) async fn has(&self, css: &str) -> bool {
        self.found(css).await.is_some()
    }

    /// The element, as soon as it is there.
    async fn element(&self, css: &str) -> String {
        let looking = async {
            loop {
                if let Some(element) = self.found(css).await {
                    return element;
                }
                tokio::task::yield_now().await;
            }
        };
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(element) => element,
            Err(_) => panic!("no `{css}` at {} on:\n{}", self.url().await, self.text().await),
        }
    }

    pub(crate) async fn click(&self, css: &str) {
        let element = self.element(css).await;
        let clicked = self.order(&format!("element/{element}/click"), json!({})).await;
        clicked.unwrap_or_else(|error| panic!("`{css}` cannot be clicked: {error}"));
    }

    pub(crate) async fn write(&self, css: &str, text: &str) {
        let element = self.element(css).await;
        self.order(&format!("element/{element}/value"), json!({"text": text})).await.unwrap();
    }

    /// From now on it is asked about the page in this frame.
    pub(crate) async fn enter_frame(&self, css: &str) {
        let frame = json!({"id": {(ELEMENT): self.element(css).await}});
        self.order("frame", frame).await.unwrap();
    }

    /// Presses keys, wherever the focus is.
    pub(crate) async fn press(&self, keys: &str) {
        let down = keys.chars().flat_map(|key| {
            [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
        });
        let keyboard =
            json!({"type": "key", "id": "keyboard", "actions": down.collect::<Vec<_>>()});
        self.order("actions", json!({"actions": [keyboard]})).await.unwrap();
    }

    /// What this script returns, which may be a promise.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let order = json!({"script": script, "args": []});
        self.order("execute/sync", order).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until the page says this somewhere.
    pub(crate) async fn until_it_says(&self, words: &str) {
        let looking = async {
            // While one page gives way to the next there is none.
            while !matches!(self.said().await, Some(text) if text.contains(words)) {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(PATIENCE, looking).await.is_err() {
            panic!("never said `{words}` at {}:\n{}", self.url().await, self.text().await);
        }
    }

    async fn said(&self) -> Option<String> {
        let body = self.found("body").await?;
        let url = format!("{}/element/{body}/text", self.session);
        let text = ask(&self.http, &url, None).await.ok()?;
        Some(text.as_str()?.to_owned())
    }

    /// Waits until it is at an address that ends so.
    pub(crate) async fn until_at(&self, end: &str) {
        let looking = async {
            while !self.url().await.ends_with(end) {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(PATIENCE, looking).await.is_err() {
            panic!("never at `{end}` but at {}:\n{}", self.url().await, self.text().await);
        }
    }

    /// What the page's own policy has kept from happening on it.
    pub(crate) async fn violations(&self) -> Vec<String> {
        let told = self.run("return window.__violations").await;
        told.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    }

    /// What is serious or worse by axe-core, which knows WCAG 2.2: `RULE: SELECTOR, SELECTOR`.
    pub(crate) async fn barriers(&self) -> Vec<String> {
        let axe = tools::node_modules().join("axe-core/axe.min.js");
        let axe = std::fs::read_to_string(axe).unwrap();
        let standards = json!(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]);
        let script = format!(
            "{axe}; return axe.run(document, {{runOnly: {{type: 'tag', values: {standards}}}}})"
        );
        let told = self.run(&script).await;
        let told = told["violations"].as_array().unwrap_or_else(|| panic!("{told}"));
        let is_serious =
            |one: &&Value| matches!(one["impact"].as_str(), Some("serious" | "critical"));
        let line = |one: &Value| {
            let places = one["nodes"].as_array().unwrap().iter();
            let places: Vec<_> = places.map(|node| node["target"].to_string()).collect();
            format!("{}: {}", one["id"].as_str().unwrap(), places.join(", "))
        };
        told.iter().filter(is_serious).map(line).collect()
    }

    /// Keeps the page as it looks, whole, on each of these; whether it is ever wider than the screen
    /// is no matter of taste and fails.
    pub(crate) async fn pictures(&self, name: &str, screens: &[Screen]) {
        for screen in screens {
            self.look(*screen).await;
            let metrics = self.protocol("Page.getLayoutMetrics", json!({})).await;
            let (width, height) =
                (&metrics["cssContentSize"]["width"], &metrics["cssContentSize"]["height"]);
            let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
            let params = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
            let picture = self.protocol("Page.captureScreenshot", params).await;
            let picture = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
            let folder = screenshots();
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format!("{name}-{}.png", screen.name)), picture).unwrap();
            let width = width.as_f64().unwrap();
            assert!(width <= f64::from(screen.width), "{name} is {width} wide on {screen:?}");
        }
    }

    /// Gives it an authenticator like those that are built into phones: resident keys, and user
    /// verification, which succeeds or not.
    pub(crate) async fn authenticator(&self, verifies: bool) -> Authenticator<'_> {
        let options = json!({
            "protocol": "ctap2_1", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": verifies, "isUserConsenting": true,
        });
        let id = self.order("webauthn/authenticator", options).await.unwrap();
        Authenticator { window: self, id: id.as_str().unwrap().to_owned() }
    }

    /// Ends it.
    pub(crate) async fn close(self) {
        self.http.delete(&self.session).send().await.unwrap();
    }
}

/// Where pictures are kept.
fn screenshots() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots")
}

/// An authenticator of software.
pub(crate) struct Authenticator<'w> {
    window: &'w Window,
    id: String,
}

impl Authenticator<'_> {
    /// From now on it verifies whoever holds it, or not.
    pub(crate) async fn verifies(&self, verifies: bool) {
        let path = format!("webauthn/authenticator/{}/uv", self.id);
        self.window.order(&path, json!({"isUserVerified": verifies})).await.unwrap();
    }

    /// From now on what it answers is wrong: its signature, or that it verified somebody.
    pub(crate) async fn answers_wrongly(&self, signature: bool, verified: bool) {
        self.window.protocol("WebAuthn.enable", json!({})).await;
        let params = json!({
            "authenticatorId": self.id, "isBogusSignature": signature, "isBadUV": verified,
        });
        self.window.protocol("WebAuthn.setResponseOverrideBits", params).await;
    }

    /// How many passkeys it holds.
    pub(crate) async fn passkeys(&self) -> usize {
        let path = format!("webauthn/authenticator/{}/credentials", self.id);
        self.window.read(&path).await.as_array().unwrap().len()
    }
}
