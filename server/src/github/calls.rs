//! Calls to GitHub's REST API, as the App itself or as one of its installations.
//!
//! octocrab proves who calls and keeps the tokens of installations. What it would do beyond that is
//! left out: it sends nothing again that GitHub did not refuse to know us for, follows no redirect
//! and keeps no answers; those are kept here, where they are bounded and belong to an installation.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use octocrab::Octocrab;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::GithubError;
use super::budget::{Budget, Urgency, names_a_limit};
use crate::broker::outside::{said, short};
use crate::clock::Clock;
use crate::unreached;

/// The version of the API that is written for.
const VERSION: &str = "2022-11-28";
/// The largest answer that is read: a hundred commits with their files are large.
const LARGEST: usize = 16 * 1024 * 1024;
/// How many pages a list may have. More is no list that anybody decides by.
const PAGES: usize = 100;
/// How many bytes of answers are kept to be asked about again.
const KEPT: usize = 16 * 1024 * 1024;
/// The largest answer of those.
const KEPT_EACH: usize = 512 * 1024;

/// A line to GitHub, as somebody. Clones share what is known of it.
#[derive(Clone)]
pub(super) struct Line {
    octocrab: Arc<Octocrab>,
    shared: Arc<Shared>,
    urgency: Urgency,
}

struct Shared {
    api: Url,
    clock: Clock,
    between_writes: Duration,
    /// Held while a token of the installation is asked for, so that one is.
    proving: tokio::sync::Mutex<()>,
    is_installation: bool,
    budget: Mutex<Budget>,
    kept: Mutex<Kept>,
    /// When the last write ended. Held while one is under way: GitHub asks for one at a time.
    writing: tokio::sync::Mutex<Option<Instant>>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let api = self.shared.api.as_str();
        f.debug_struct("Line").field("api", &api).field("urgency", &self.urgency).finish()
    }
}

/// What GitHub answered, if it did what was asked.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: Bytes,
    next: Option<String>,
}

impl Answer {
    /// What stands in it.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, GithubError> {
        let mut json = serde_json::Deserializer::from_slice(&self.body);
        serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let told = format!("its answer is not understood at `{}`", error.path());
            GithubError::Away(short(&told))
        })
    }
}

/// A turn to change something.
pub(super) struct Turn<'a> {
    line: &'a Line,
    last: tokio::sync::MutexGuard<'a, Option<Instant>>,
}

impl Turn<'_> {
    /// See [`Line::write`].
    pub(super) async fn write(
        mut self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Answer, GithubError> {
        let sent = self.line.send(method, path, None, body.to_string()).await;
        *self.last = Some(Instant::now());
        sent.map(|(answer, _)| answer)
    }
}

impl Line {
    /// A line of this octocrab to the API there. `is_installation` says that it needs tokens.
    pub(super) fn new(
        octocrab: Octocrab,
        api: Url,
        clock: Clock,
        between_writes: Duration,
        is_installation: bool,
    ) -> Self {
        let shared = Shared {
            api,
            clock,
            between_writes,
            proving: tokio::sync::Mutex::default(),
            is_installation,
            budget: Mutex::default(),
            kept: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
        };
        Self { octocrab: Arc::new(octocrab), shared: Arc::new(shared), urgency: Urgency::Awaited }
    }

    /// The same, for what can be done later.
    pub(super) fn in_background(&self) -> Self {
        Self { urgency: Urgency::Background, ..self.clone() }
    }

    /// Reads one thing. What was read before and is the same still costs GitHub and us nothing.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, GithubError> {
        self.fetch(path).await?.read()
    }

    /// Reads a list to its end, a hundred at a time.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<Vec<T>, GithubError> {
        self.list_in(path, None).await
    }

    /// Reads a list to its end that stands in this field of each page.
    pub(super) async fn list_in<T: DeserializeOwned>(
        &self,
        path: &str,
        field: Option<&str>,
    ) -> Result<Vec<T>, GithubError> {
        match self.begin_of(path, field, PAGES).await? {
            (all, true) => Ok(all),
            (_, false) => Err(GithubError::Partial(format!("a list of more than {PAGES} pages"))),
        }
    }

    /// Reads so many pages of a list, and says whether that is all of it.
    pub(super) async fn begin_of<T: DeserializeOwned>(
        &self,
        path: &str,
        field: Option<&str>,
        pages: usize,
    ) -> Result<(Vec<T>, bool), GithubError> {
        let join = if path.contains('?') { '&' } else { '?' };
        let mut next = format!("{path}{join}per_page=100");
        let mut all = Vec::new();
        for _ in 0..pages {
            let answer = self.fetch(&next).await?;
            match field {
                None => all.extend(answer.read::<Vec<T>>()?),
                Some(field) => {
                    let mut page: HashMap<String, Value> = answer.read()?;
                    let missing = || GithubError::Away(format!("its answer has no `{field}`"));
                    let list = page.remove(field).ok_or_else(missing)?;
                    let unread = |_| GithubError::Away(format!("its `{field}` is not understood"));
                    all.extend(serde_json::from_value::<Vec<T>>(list).map_err(unread)?);
                }
            }
            match answer.next {
                Some(page) => next = page,
                None => return Ok((all, true)),
            }
        }
        Ok((all, false))
    }

    /// Changes something. It is sent once: whether to send it again can be said only by whoever looks
    /// what became of it.
    pub(super) async fn write(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Answer, GithubError> {
        self.turn().await.write(method, path, body).await
    }

    /// Until it may change something: whoever holds the turn does so next, and nobody else.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let last = self.shared.writing.lock().await;
        if let Some(last) = *last {
            tokio::time::sleep_until(last + self.shared.between_writes).await;
        }
        Turn { line: self, last }
    }

    async fn fetch(&self, path: &str) -> Result<Answer, GithubError> {
        let before = self.kept().get(path);
        let tag = before.as_ref().map(|before| before.tag.clone());
        let (mut answer, tag) = self.send(Method::GET, path, tag, String::new()).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            let asked = || GithubError::Away("nothing changed of what was never read".to_owned());
            let Page { body, next, .. } = before.ok_or_else(asked)?;
            answer = Answer { status: StatusCode::OK, body, next };
        } else if let Some(tag) = tag {
            let page = Page { tag, body: answer.body.clone(), next: answer.next.clone() };
            self.kept().put(path, page);
        }
        Ok(answer)
    }

    /// Sends it, and takes note of what is left.
    async fn send(
        &self,
        method: Method,
        path: &str,
        tag: Option<HeaderValue>,
        body: String,
    ) -> Result<(Answer, Option<HeaderValue>), GithubError> {
        let now = self.shared.clock.now();
        self.budget().check(self.urgency, now)?;
        let what = format!("{method} {path}");
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, "application/vnd.github+json")
            .header("x-github-api-version", VERSION);
        if let Some(tag) = tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(body);
        let request = request.map_err(|_| GithubError::NotFound(short(&format!("`{what}`"))))?;
        self.prove().await?;
        let response = self.octocrab.execute(request).await;
        let response = response.map_err(|error| self.unproven(error))?;
        let (parts, body) = response.into_parts();
        let lost = |_| GithubError::Away("its answer broke off, or is too large".to_owned());
        let body = Limited::new(body, LARGEST).collect().await.map_err(lost)?.to_bytes();
        let message = if parts.status.is_success() { String::new() } else { message(&body) };
        let now = self.shared.clock.now();
        let closed = self.budget().learn(parts.status, &parts.headers, &message, now);
        if let Some(until) = closed {
            return Err(GithubError::Limited { until });
        }
        let is_good = parts.status.is_success() || parts.status == StatusCode::NOT_MODIFIED;
        if !is_good {
            return Err(refusal(parts.status, &format!("{what}: {message}")));
        }
        let next = self.next(&parts.headers)?;
        let tag = parts.headers.get(header::ETAG).cloned();
        Ok((Answer { status: parts.status, body, next }, tag))
    }

    /// Has octocrab hold a token of the installation. Of many at once, one asks for it.
    async fn prove(&self) -> Result<(), GithubError> {
        if !self.shared.is_installation {
            return Ok(());
        }
        let _one = self.shared.proving.lock().await;
        let token = self.octocrab.installation_token().await;
        token.map(drop).map_err(|error| self.unproven(error))
    }

    /// What octocrab says where it has no answer to give: of the call, or of the token for it.
    fn unproven(&self, error: octocrab::Error) -> GithubError {
        if let octocrab::Error::GitHub { source, .. } = &error {
            let (status, told) = (source.status_code, said(&source.message));
            let now = self.shared.clock.now();
            let is_limit = status == StatusCode::TOO_MANY_REQUESTS || names_a_limit(&told);
            let status = if is_limit { StatusCode::TOO_MANY_REQUESTS } else { status };
            let closed = self.budget().learn(status, &HeaderMap::new(), &told, now);
            if let Some(until) = closed {
                return GithubError::Limited { until };
            }
            return refusal(status, &format!("a token of the installation: {told}"));
        }
        GithubError::Away(short(&cause(&error)))
    }

    /// The path of the next page, if there is one (RFC 8288). It is where the API is, or it is none.
    fn next(&self, headers: &HeaderMap) -> Result<Option<String>, GithubError> {
        let Some(links) = headers.get(header::LINK) else { return Ok(None) };
        let elsewhere = || GithubError::Away("its next page is somewhere else".to_owned());
        let links = links.to_str().map_err(|_| elsewhere())?;
        let is_next = |link: &&str| {
            link.split(';').skip(1).any(|p| matches!(p.trim(), "rel=\"next\"" | "rel=next"))
        };
        let Some(link) = links.split(',').find(is_next) else { return Ok(None) };
        let target = link.split(';').next().unwrap_or_default().trim();
        let target = target.strip_prefix('<').and_then(|target| target.strip_suffix('>'));
        let url = target.and_then(|target| Url::parse(target).ok()).ok_or_else(elsewhere)?;
        let api = &self.shared.api;
        let base = api.path().trim_end_matches('/');
        let inside = url.path().strip_prefix(base).filter(|rest| rest.starts_with('/'));
        let inside = inside.filter(|_| url.origin() == api.origin()).ok_or_else(elsewhere)?;
        Ok(Some(match url.query() {
            Some(query) => format!("{inside}?{query}"),
            None => inside.to_owned(),
        }))
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.shared.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there was no answer. Of what octocrab wraps around it nothing is told: it names addresses.
fn cause(error: &octocrab::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    loop {
        if let Some(error) = cause.downcast_ref::<reqwest::Error>() {
            return unreached::cause(error);
        }
        match cause.source() {
            Some(inner) => cause = inner,
            None => return "no call can be made, or its answer is not understood".to_owned(),
        }
    }
}

/// What GitHub says of a refusal, as one short line.
fn message(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let of = |error: &Value| text(error).or_else(|| error.get("message").and_then(text));
    let mut told: Vec<String> = body.get("message").and_then(text).into_iter().collect();
    let errors = body.get("errors");
    told.extend(errors.and_then(Value::as_array).into_iter().flatten().filter_map(of));
    told.extend(errors.and_then(text));
    said(&if told.is_empty() { "no reason".to_owned() } else { told.join("; ") })
}

fn refusal(status: StatusCode, told: &str) -> GithubError {
    let told = short(&format!("{told} ({})", status.as_u16()));
    match status.as_u16() {
        401 | 403 => GithubError::Refused(told),
        404 | 410 | 301 | 302 | 307 | 308 => GithubError::NotFound(told),
        409 | 422 => GithubError::Conflict(told),
        _ => GithubError::Away(told),
    }
}

/// Answers that GitHub need not send again while they are the same.
#[derive(Default)]
struct Kept {
    pages: HashMap<String, Page>,
    /// Oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

#[derive(Clone)]
struct Page {
    tag: HeaderValue,
    body: Bytes,
    next: Option<String>,
}

impl Kept {
    fn get(&self, path: &str) -> Option<Page> {
        self.pages.get(path).cloned()
    }

    fn put(&mut self, path: &str, page: Page) {
        let size = |page: &Page| page.body.len() + 512;
        if size(&page) > KEPT_EACH {
            return;
        }
        self.bytes += size(&page);
        match self.pages.insert(path.to_owned(), page) {
            Some(before) => self.bytes -= size(&before),
            None => self.order.push_back(path.to_owned()),
        }
        while self.bytes > KEPT {
            let Some(oldest) = self.order.pop_front() else { return };
            let gone = self.pages.remove(&oldest);
            self.bytes -= gone.as_ref().map_or(0, size);
        }
    }
}

/// A path of these segments, each escaped. `None` for what would be another path than it reads.
pub(super) fn path<'s>(segments: impl IntoIterator<Item = &'s str>) -> Option<String> {
    let mut url = Url::parse("http://path").ok()?;
    let mut all = url.path_segments_mut().ok()?;
    all.clear();
    for segment in segments {
        if matches!(segment, "" | "." | "..") || segment.contains(char::is_control) {
            return None;
        }
        all.push(segment);
    }
    drop(all);
    Some(url.path().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_stays_a_segment() {
        let of = |segments: &[&str]| path(segments.iter().copied());
        assert_eq!(of(&["repos", "acme", "shop"]).unwrap(), "/repos/acme/shop");
        assert_eq!(
            of(&["environments", "eu/prod 1?#%"]).unwrap(),
            "/environments/eu%2Fprod%201%3F%23%25"
        );
        for bad in ["", ".", "..", "a\nb", "a\tb"] {
            assert_eq!(of(&["repos", bad]), None, "{bad:?}");
        }
    }

    #[test]
    fn what_github_says_is_one_short_line_without_secrets() {
        let body =
            br#"{"message":"Validation\nFailed","errors":["There was a problem",{"message":"x"}]}"#;
        assert_eq!(message(body), "Validation Failed; There was a problem; x");
        assert_eq!(message(b"<html>"), "no reason");
        let token = format!(r#"{{"message":"bad token ghs_{}"}}"#, "a".repeat(36));
        assert!(!message(token.as_bytes()).contains("aaaa"));
    }

    #[test]
    fn answers_are_kept_within_bounds() {
        let page = |size: usize| Page {
            tag: HeaderValue::from_static("\"t\""),
            body: Bytes::from(vec![0; size]),
            next: None,
        };
        let mut kept = Kept::default();
        kept.put("/large", page(KEPT_EACH));
        assert!(kept.get("/large").is_none());
        for n in 0..200 {
            kept.put(&format!("/{n}"), page(KEPT_EACH / 2));
            kept.put("/same", page(10));
        }
        assert!(kept.bytes <= KEPT && kept.get("/199").is_some() && kept.get("/0").is_none());
    }
}
