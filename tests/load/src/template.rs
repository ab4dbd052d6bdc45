//! The address of each stream from one pattern: `http://host:8889/{name}/whip` and the name. Whether anybody listens there
//! shows when it is used.

use base64::Engine as _;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use url::Url;

/// Stands for the stream's name.
const PLACE: &str = "{name}";

/// A pattern is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It has no place for the name.
    #[error(
        "'{0}' has no {{name}} in it: put it where the stream's name belongs, as in http://host:8889/{{name}}/whip"
    )]
    NoName(String),
    /// It is no URL.
    #[error("'{0}' is no URL: {1}")]
    NotUrl(String, String),
    /// It is of another kind.
    #[error("'{0}' is not supported: give an http:// address to --whip and an rtsp:// address to --rtsp")]
    Scheme(String),
}

/// A pattern that gives a URL for each name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if !text.contains(PLACE) {
            return Err(TemplateError::NoName(text.to_owned()));
        }
        let url = Url::parse(&text.replace(PLACE, "name"))
            .map_err(|error| TemplateError::NotUrl(text.to_owned(), error.to_string()))?;
        if !matches!(url.scheme(), "http" | "rtsp") || url.host_str().is_none() {
            return Err(TemplateError::Scheme(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Template {
    /// Whether it is a pattern of this scheme.
    #[must_use]
    pub fn is(&self, scheme: &str) -> bool {
        self.0.starts_with(&format!("{scheme}://"))
    }

    /// The address of a stream.
    ///
    /// # Errors
    /// When the name makes a URL that is none.
    pub fn target(&self, name: &str) -> anyhow::Result<Target> {
        Target::new(&self.0.replace(PLACE, name))
    }
}

/// A URL in the parts that a request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Without user and password.
    pub url: String,
    /// `host:port`, as in a Host header.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// The value of an Authorization header, if user and password were given.
    pub authorization: Option<String>,
}

impl Target {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(text: &str) -> anyhow::Result<Self> {
        let mut url = Url::parse(text).map_err(|error| anyhow::anyhow!("'{text}' is no URL: {error}"))?;
        let default = if url.scheme() == "rtsp" { 554 } else { 80 };
        let host = url.host_str().unwrap_or_default();
        let authority = format!("{host}:{}", url.port().unwrap_or(default));
        let authorization = (!url.username().is_empty()).then(|| {
            let both = format!("{}:{}", url.username(), url.password().unwrap_or_default());
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(both))
        });
        // Neither fails for a URL with a host.
        url.set_username("").ok();
        url.set_password(None).ok();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(Self {
            authority,
            path: format!("{}{query}", url.path()),
            url: url.to_string(),
            authorization,
        })
    }

    /// The first address that the host's name leads to.
    ///
    /// # Errors
    /// When it leads to none.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        let wrong = |why: String| anyhow::anyhow!("no address for {}: {why}", self.authority);
        let mut addresses = self
            .authority
            .to_socket_addrs()
            .map_err(|error| wrong(error.to_string()))?;
        addresses.next().ok_or_else(|| wrong("it has none".to_owned()))
    }

    /// Another URL, possibly relative to this one.
    ///
    /// # Errors
    /// When they do not make a URL together.
    pub fn join(&self, other: &str) -> anyhow::Result<Self> {
        let url = Url::parse(&self.url)?.join(other)?;
        let mut joined = Self::new(url.as_str())?;
        if joined.authority == self.authority {
            joined.authorization.clone_from(&self.authorization);
        }
        Ok(joined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_put_into_its_place() {
        let template: Template = "http://u:p@host/{name}/whip?x=1".parse().unwrap();
        let target = template.target("cam-1").unwrap();
        assert_eq!(target.url, "http://host/cam-1/whip?x=1");
        assert_eq!(target.authority, "host:80");
        assert_eq!(target.path, "/cam-1/whip?x=1");
        assert_eq!(target.authorization.as_deref(), Some("Basic dTpw"));
        let session = target.join("/cam-1/whip/s1").unwrap();
        assert_eq!(session.path, "/cam-1/whip/s1");
        assert_eq!(session.authorization, target.authorization);
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_mend() {
        let no_name = "rtsp://host/cam".parse::<Template>().unwrap_err();
        assert!(no_name.to_string().contains("{name}"), "{no_name}");
        assert!(matches!(
            "{name}".parse::<Template>(),
            Err(TemplateError::NotUrl(..))
        ));
        assert!(matches!(
            "https://h/{name}".parse::<Template>(),
            Err(TemplateError::Scheme(_))
        ));
    }
}
