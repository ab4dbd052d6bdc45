//! Tokens (RFC 7519): who shows one that is signed, in time and for us may do what its claim of permissions says.
//! Where the keys come from is `keys`'.

use crate::internal::permits;
use crate::keys::{Key, KeySet};
use crate::verdict::No;
use crate::{Action, Grant, Protocol, Request};
use jsonwebtoken::{Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};
use weft_config::{JwtAuth, PathMatch, Pattern, Permission};

/// The largest token, in bytes.
const MAX_TOKEN: usize = 16 * 1024;
/// The most permissions that are looked at.
const MAX_PERMISSIONS: usize = 256;
/// Seconds that issuer's and node's clocks may differ.
const LEEWAY: u64 = 5;
/// Keys tried where a token names none.
const MAX_TRIED: usize = 8;
/// Characters of a subject.
const MAX_SUBJECT: usize = 128;

/// Judges by the token.
pub(crate) async fn judge(jwt: &JwtAuth, request: &Request, keys: &KeySet) -> Result<Grant, No> {
    if permits(&jwt.exclude, request.action, &request.path) {
        return Ok(Grant::default());
    }
    let Some(token) = shown(jwt, request) else {
        return Err(if request.credentials.is_empty() {
            No::Nothing
        } else {
            No::Login("what is shown is no token")
        });
    };
    let source = (jwt.jwks.as_str(), jwt.jwks_fingerprint.as_str());
    let known = keys.of(source).await;
    let known = known.ok_or(No::Unavailable("the keys of tokens have not come yet"))?;
    let claims = match claims(jwt, token, &known) {
        Err(Wrong::Key) => match keys.again().await {
            Some(newer) => claims(jwt, token, &newer),
            None => Err(Wrong::Key),
        },
        other => other,
    };
    let claims = claims.map_err(|wrong| {
        No::Login(match wrong {
            Wrong::Key => "the token's key is not known",
            Wrong::Token(why) => why,
        })
    })?;
    if !permits(
        &permissions(&claims, &jwt.claim_key),
        request.action,
        &request.path,
    ) {
        return Err(No::Login("the token does not allow it"));
    }
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    Ok(Grant {
        principal: subject.chars().take(MAX_SUBJECT).collect(),
    })
}

/// The token: Bearer's, the URL's where that is allowed, or, as MediaMTX takes it, the password.
fn shown<'a>(jwt: &JwtAuth, request: &'a Request) -> Option<&'a str> {
    let shown = &request.credentials;
    let over_http = request.protocol != Protocol::Rtsp;
    let token = shown
        .token
        .as_ref()
        .filter(|_| !(shown.token_in_url && over_http && !jwt.in_http_query));
    let token = token.or(shown.login.as_ref().map(|login| &login.1));
    token
        .map(|t| t.expose())
        .filter(|t| !t.is_empty() && t.len() <= MAX_TOKEN)
}

/// What is wrong with a token.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    /// No known key is the one it names.
    Key,
    Token(&'static str),
}

/// The claims of a token that is right.
fn claims(jwt: &JwtAuth, token: &str, keys: &[Key]) -> Result<Map<String, Value>, Wrong> {
    let header = decode_header(token).map_err(|_| Wrong::Token("the token cannot be read"))?;
    let named = |key: &&Key| header.kid.is_none() || key.id == header.kid;
    let mut fitting = keys
        .iter()
        .filter(named)
        .filter(|key| key.algorithms.contains(&header.alg))
        .take(MAX_TRIED)
        .peekable();
    if fitting.peek().is_none() {
        // A key of that name for another algorithm will be no other by fetching it again.
        return Err(if keys.iter().any(|key| named(&key)) && header.kid.is_some() {
            Wrong::Token("the token's algorithm is not its key's")
        } else {
            Wrong::Key
        });
    }
    let mut wrong = Wrong::Key;
    for key in fitting {
        match decode::<Map<String, Value>>(token, &key.key, &validation(jwt, key)) {
            Ok(token) => return Ok(token.claims),
            Err(error) => wrong = Wrong::Token(why(error.kind())),
        }
    }
    Err(wrong)
}

fn validation(jwt: &JwtAuth, key: &Key) -> Validation {
    let mut validation = Validation::default();
    validation.algorithms.clone_from(&key.algorithms);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    let mut required = vec!["exp"];
    if !jwt.issuer.is_empty() {
        validation.set_issuer(&[&jwt.issuer]);
        required.push("iss");
    }
    if jwt.audience.is_empty() {
        validation.validate_aud = false;
    } else {
        validation.set_audience(&[&jwt.audience]);
        required.push("aud");
    }
    validation.set_required_spec_claims(&required);
    validation
}

fn why(kind: &jsonwebtoken::errors::ErrorKind) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::InvalidSignature => "the token's signature is wrong",
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidIssuer => "the token is of another issuer",
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::MissingRequiredClaim(_) => "the token lacks exp, iss or aud",
        _ => "the token cannot be read",
    }
}

/// The permissions of a claim: a list of `{action, path}`, or a string that holds one. What is none is left out.
fn permissions(claims: &Map<String, Value>, key: &str) -> Vec<Permission> {
    #[derive(Deserialize)]
    struct Entry {
        action: Action,
        #[serde(default)]
        path: String,
    }
    let list = match claims.get(key) {
        Some(Value::Array(list)) => list.clone(),
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        _ => Vec::new(),
    };
    let entries = list.into_iter().take(MAX_PERMISSIONS);
    let entries = entries.filter_map(|entry| serde_json::from_value::<Entry>(entry).ok());
    entries
        .filter_map(|entry| {
            let path = match entry.path.strip_prefix('~') {
                _ if entry.path.is_empty() => PathMatch::Any,
                Some(pattern) => PathMatch::Pattern(Pattern::new(pattern).ok()?),
                None => PathMatch::Exact(entry.path),
            };
            Some(Permission {
                action: entry.action,
                path,
            })
        })
        .collect()
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
