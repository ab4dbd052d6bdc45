//! One row of the contract: where it stands there, a request, and what must come back.
//! Which rows there are is in the tables beside it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use weft_testkit::http::{self, Response};

/// What the body must be.
pub(super) enum Body {
    /// Nothing is said of it.
    Any,
    /// This JSON exactly.
    Json(&'static str),
    /// `{"status":"error","error":<this>}`.
    Error(&'static str),
    /// The same with these words first, and ours behind them.
    ErrorFirst(&'static str),
    /// The same with words that are ours: the contract says the status alone.
    SomeError,
    /// Plain text.
    Text(&'static str),
    /// JSON that this finds good.
    Good(fn(&Value) -> Result<()>),
}

/// One row.
pub(super) struct Row {
    /// Its place in the contract.
    pub(super) place: &'static str,
    /// `METHOD /path`, with `{names}` that the place fills in.
    pub(super) request: &'static str,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) body: &'static str,
    pub(super) status: u16,
    /// Headers of the answer; an empty value: it must not be there; `*`: any value.
    pub(super) told: &'static [(&'static str, &'static str)],
    pub(super) wants: Body,
}

/// A row without headers and body.
pub(super) const fn row(place: &'static str, request: &'static str, status: u16, wants: Body) -> Row {
    Row {
        place,
        request,
        headers: &[],
        body: "",
        status,
        told: &[],
        wants,
    }
}

impl Row {
    pub(super) const fn with(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    pub(super) const fn sends(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    pub(super) const fn told(self, told: &'static [(&'static str, &'static str)]) -> Self {
        Self { told, ..self }
    }

    /// Asks `address` and compares. `names` replace what stands in braces.
    pub(super) async fn ask(&self, at: &str, address: &str, names: &[(&str, String)]) -> Result<Response> {
        let mut request = self.request.to_owned();
        for (name, value) in names {
            request = request.replace(&format!("{{{name}}}"), value);
        }
        let (method, path) = request.split_once(' ').context("a method")?;
        let answer = http::request(method, address, path, self.headers, self.body.as_bytes()).await;
        let what = format!("{} at {at}: {request}", self.place);
        let answer = answer.with_context(|| what.clone())?;
        self.judge(&answer)
            .with_context(|| format!("{what}: {} {:?} {}", answer.status, answer.headers, answer.text()))?;
        Ok(answer)
    }

    fn judge(&self, answer: &Response) -> Result<()> {
        ensure!(answer.status == self.status, "status {} is wanted", self.status);
        for (name, value) in self.told {
            let there = answer.header(name);
            match *value {
                "" => ensure!(there.is_none(), "there is a header {name}"),
                "*" => ensure!(there.is_some_and(|v| !v.is_empty()), "there is no header {name}"),
                value => ensure!(there == Some(value), "header {name}: {value} is wanted"),
            }
        }
        let is_json = || {
            answer
                .header("content-type")
                .is_some_and(|t| t.starts_with("application/json"))
        };
        match &self.wants {
            Body::Any => {}
            Body::Json(wanted) => {
                ensure!(is_json(), "no JSON");
                let wanted: Value = serde_json::from_str(wanted)?;
                ensure!(answer.json()? == wanted, "{wanted} is wanted");
            }
            Body::Error(words) => {
                let wanted = serde_json::json!({"status": "error", "error": words});
                ensure!(is_json() && answer.json()? == wanted, "{wanted} is wanted");
            }
            Body::ErrorFirst(words) => {
                let body = answer.json()?;
                let first = body["error"]
                    .as_str()
                    .is_some_and(|error| error.starts_with(words));
                ensure!(
                    is_json() && body["status"] == "error" && first,
                    "'{words}' is wanted"
                );
            }
            Body::SomeError => {
                let body = answer.json()?;
                let words = body["error"].as_str().unwrap_or_default();
                ensure!(
                    is_json() && body["status"] == "error" && words.len() > 5,
                    "an error is wanted"
                );
            }
            Body::Text(text) => {
                let plain = answer
                    .header("content-type")
                    .is_some_and(|t| t.starts_with("text/plain"));
                ensure!(plain && answer.text() == *text, "plain text '{text}' is wanted");
            }
            Body::Good(judge) => {
                ensure!(is_json(), "no JSON");
                judge(&answer.json()?)?;
            }
        }
        Ok(())
    }
}
