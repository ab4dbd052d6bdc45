//! Who may do what, as the configuration says it: users with their permissions, the HTTP callback, JWT.
//! Judging a request by it is the auth crate's business.

use crate::{IpRule, Paths, Pattern, Secret};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use weft_wire::StreamName;

/// What somebody wants to do; MediaMTX's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Send a stream.
    Publish,
    /// Take a stream.
    Read,
    /// Read recordings; nothing is recorded yet.
    Playback,
    /// Ask and change by the control API.
    Api,
    /// Read metrics.
    Metrics,
    /// Profile; there is no such port.
    Pprof,
}

impl Action {
    /// The word in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Read => "read",
            Self::Playback => "playback",
            Self::Api => "api",
            Self::Metrics => "metrics",
            Self::Pprof => "pprof",
        }
    }
}

/// Which streams a permission is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PathMatch {
    /// Every one.
    #[default]
    Any,
    /// The one of this name.
    Exact(String),
    /// `~...`: those whose name the expression finds.
    Pattern(Pattern),
    /// Those that come under the path of this name, among these paths; what the logins of paths mean in older files.
    Under(String, Arc<Paths>),
}

impl PathMatch {
    /// True for a stream of it.
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(name) => name == path,
            Self::Pattern(pattern) => pattern.is_match(path),
            Self::Under(name, paths) => StreamName::new(path)
                .ok()
                .and_then(|stream| paths.find(&stream))
                .is_some_and(|found| found.conf.name == *name),
        }
    }
}

/// One thing that somebody may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// What.
    pub action: Action,
    /// With which streams; of no meaning for `api`, `metrics` and `pprof`.
    pub path: PathMatch,
}

/// How a password is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// There is none: any is right.
    None,
    /// As it is.
    Plain(Secret),
    /// `sha256:` and Base64 of the digest.
    Sha256(Secret),
    /// `argon2:` and the PHC string (`$argon2id$v=19$...`).
    Argon2(Secret),
}

/// A user, `authInternalUsers`.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// `user`; `None`: `any`, whoever asks.
    pub name: Option<UserName>,
    /// `pass`.
    pub password: Password,
    /// `ips`; empty: from everywhere.
    pub ips: Vec<IpRule>,
    /// `permissions`.
    pub permissions: Vec<Permission>,
}

/// A user's name, plain or hashed as passwords are.
pub type UserName = Password;

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("ips", &self.ips)
            .field("permissions", &self.permissions)
            .finish_non_exhaustive()
    }
}

/// Who knows who may do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMethod {
    /// The file.
    #[default]
    Internal,
    /// A server that is asked.
    Http,
    /// The bearer's signed token.
    Jwt,
}

/// How RTSP readers may show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RtspAuthMethod {
    /// User and password as they are (RFC 7617).
    Basic,
    /// A digest of them (RFC 7616, MD5 without qop: what real readers do).
    Digest,
}

/// `authHTTP...`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpAuth {
    /// `authHTTPAddress`: URL that is asked by POST.
    pub address: String,
    /// `authHTTPFingerprint`: SHA-256 of its certificate in hex; empty: the system's authorities judge it.
    pub fingerprint: String,
    /// `authHTTPExclude`: what nobody is asked about.
    pub exclude: Vec<Permission>,
}

/// `authJWT...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtAuth {
    /// `authJWTJWKS`: URL of the keys.
    pub jwks: String,
    /// `authJWTJWKSFingerprint`: SHA-256 of its certificate in hex; empty: the system's authorities judge it.
    pub jwks_fingerprint: String,
    /// `authJWTClaimKey`: the claim that holds the permissions.
    pub claim_key: String,
    /// `authJWTExclude`: what needs no token.
    pub exclude: Vec<Permission>,
    /// `authJWTInHTTPQuery`: `?jwt=` and `?token=` are taken from HTTP URLs too.
    pub in_http_query: bool,
    /// `authJWTIssuer`; empty: any.
    pub issuer: String,
    /// `authJWTAudience`; empty: any.
    pub audience: String,
}

impl Default for JwtAuth {
    fn default() -> Self {
        Self {
            jwks: String::new(),
            jwks_fingerprint: String::new(),
            claim_key: "mediamtx_permissions".to_owned(),
            exclude: Vec::new(),
            in_http_query: true,
            issuer: String::new(),
            audience: String::new(),
        }
    }
}

/// Everything about who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// `authMethod`.
    pub method: AuthMethod,
    /// `authInternalUsers`.
    pub users: Vec<User>,
    /// `authHTTP...`.
    pub http: HttpAuth,
    /// `authJWT...`.
    pub jwt: JwtAuth,
    /// `rtspAuthMethods`, in the order they are offered.
    pub rtsp_methods: Vec<RtspAuthMethod>,
}

/// API, metrics and profile.
fn without_streams() -> Vec<Permission> {
    [Action::Api, Action::Metrics, Action::Pprof]
        .map(|action| Permission {
            action,
            path: PathMatch::Any,
        })
        .to_vec()
}

impl Default for Auth {
    /// MediaMTX's: anybody publishes and reads; API and metrics are for the host itself.
    fn default() -> Self {
        let anybody = |ips: &[&str], permissions| User {
            name: None,
            password: Password::None,
            ips: ips.iter().filter_map(|ip| ip.parse().ok()).collect(),
            permissions,
        };
        let streams = [Action::Publish, Action::Read, Action::Playback].map(|action| Permission {
            action,
            path: PathMatch::Any,
        });
        Self {
            method: AuthMethod::Internal,
            users: vec![
                anybody(&[], streams.to_vec()),
                anybody(&["127.0.0.1", "::1"], without_streams()),
            ],
            http: HttpAuth::default(),
            jwt: JwtAuth::default(),
            rtsp_methods: vec![RtspAuthMethod::Basic],
        }
    }
}
