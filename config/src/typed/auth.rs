//! Who may do what: users, their passwords and permissions, the callback, JWT, and the logins that older files give to paths.
//! Judging a request by it is the auth crate's business.

use super::document::{Document, PermissionDocument, UserDocument};
use crate::layers::Effective;
use crate::secret::Secret;
use crate::{
    Action, Auth, AuthMethod, HttpAuth, JwtAuth, Password, PathMatch, Paths, Pattern, Permission, Problem,
    RtspAuthMethod, User, validate,
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The keys of a path that give it logins of its own.
const OF_PATHS: [&str; 4] = ["publishUser", "publishPass", "readUser", "readPass"];

pub(super) fn auth(
    effective: &Effective,
    document: &Document,
    paths: &Paths,
    problems: &mut Vec<Problem>,
) -> Auth {
    let users = if effective.paths.values().any(has_logins) {
        if effective.users_are_written {
            problems.push(Problem::of(
                "authInternalUsers",
                "logins of paths (publishUser, publishPass, readUser, readPass) are an older form of it; keep one of the two",
            ));
        }
        of_paths(effective, paths, problems)
    } else {
        let users = document.auth_internal_users.iter().enumerate();
        users
            .map(|(n, user)| self::user(user, &format!("authInternalUsers.{n}"), problems))
            .collect()
    };
    let auth = Auth {
        method: document.auth_method,
        users,
        http: HttpAuth {
            address: document.auth_http_address.clone(),
            fingerprint: hex(&document.auth_http_fingerprint, "authHTTPFingerprint", problems),
            exclude: permissions(&document.auth_http_exclude, "authHTTPExclude", problems),
        },
        jwt: JwtAuth {
            jwks: document.auth_jwt_jwks.clone(),
            jwks_fingerprint: hex(
                &document.auth_jwt_jwks_fingerprint,
                "authJWTJWKSFingerprint",
                problems,
            ),
            claim_key: document.auth_jwt_claim_key.clone(),
            exclude: permissions(&document.auth_jwt_exclude, "authJWTExclude", problems),
            in_http_query: document.auth_jwt_in_http_query,
            issuer: document.auth_jwt_issuer.clone(),
            audience: document.auth_jwt_audience.clone(),
        },
        rtsp_methods: document.rtsp_auth_methods.clone(),
    };
    together(&auth, problems);
    auth
}

/// What the ways to show who one is must be together.
fn together(auth: &Auth, problems: &mut Vec<Problem>) {
    let mut say = |key: &str, text: &str| problems.push(Problem::of(key, text));
    match auth.method {
        AuthMethod::Internal => {}
        AuthMethod::Http if !validate::is_http(&auth.http.address) => say(
            "authHTTPAddress",
            "'authMethod: http' asks a server; write its URL as 'http://host/path' or 'https://host/path'",
        ),
        AuthMethod::Jwt if !validate::is_http(&auth.jwt.jwks) => say(
            "authJWTJWKS",
            "'authMethod: jwt' needs the URL of the keys; write it as 'https://host/path'",
        ),
        AuthMethod::Jwt if auth.jwt.claim_key.is_empty() => {
            say(
                "authJWTClaimKey",
                "'authMethod: jwt' needs the claim that holds the permissions",
            );
        }
        AuthMethod::Http | AuthMethod::Jwt => {}
    }
    if auth.rtsp_methods.is_empty() {
        say("rtspAuthMethods", "empty; write '[basic]', '[digest]' or both");
    }
    if auth.rtsp_methods.contains(&RtspAuthMethod::Digest) {
        let hashed = |password: &Password| matches!(password, Password::Sha256(_) | Password::Argon2(_));
        let any_hashed = |user: &User| hashed(&user.password) || user.name.as_ref().is_some_and(hashed);
        if auth.method != AuthMethod::Internal {
            say(
                "rtspAuthMethods",
                "'digest' works with 'authMethod: internal' alone",
            );
        } else if auth.users.iter().any(any_hashed) {
            say(
                "rtspAuthMethods",
                "'digest' needs users and passwords as they are; those that are hashed work with 'basic'",
            );
        }
    }
}

fn user(user: &UserDocument, place: &str, problems: &mut Vec<Problem>) -> User {
    let mut say = |key: &str, text: &str| problems.push(Problem::of(&format!("{place}.{key}"), text));
    match user.user.as_str() {
        "" => say("user", "empty; name somebody, or write 'any' for whoever asks"),
        "any" if !user.pass.is_empty() => say("pass", "'any' is whoever asks, and has no password"),
        _ => {}
    }
    let name = credential(&user.user).unwrap_or_else(|why| {
        say("user", why);
        Password::None
    });
    if matches!(&name, Password::Plain(name) if name.expose().contains(':')) {
        say("user", "a name cannot hold ':', which stands before the password");
    }
    let password = credential(user.pass.expose()).unwrap_or_else(|why| {
        say("pass", why);
        Password::None
    });
    User {
        name: (user.user != "any").then_some(name),
        password,
        ips: user.ips.clone(),
        permissions: permissions(&user.permissions, &format!("{place}.permissions"), problems),
    }
}

/// A name or password, plain or hashed.
fn credential(text: &str) -> Result<Password, &'static str> {
    if text.is_empty() {
        return Ok(Password::None);
    }
    if let Some(digest) = text.strip_prefix("sha256:") {
        let base64 = digest
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
        // 32 bytes.
        if !base64 || digest.len() != 44 {
            return Err("after 'sha256:' stands the digest in Base64: openssl dgst -sha256 -binary | base64");
        }
        return Ok(Password::Sha256(Secret::new(digest)));
    }
    if let Some(phc) = text.strip_prefix("argon2:") {
        let fields: Vec<&str> = phc.split('$').collect();
        let known = ["argon2id", "argon2i", "argon2d"];
        let argon2 = fields.len() >= 5 && fields[0].is_empty() && known.contains(&fields[1]);
        if !argon2 {
            return Err(
                "after 'argon2:' stands what argon2 -e prints: $argon2id$v=19$m=...,t=...,p=...$salt$hash",
            );
        }
        return Ok(Password::Argon2(Secret::new(phc)));
    }
    if text.chars().any(char::is_control) {
        return Err("holds a letter that cannot be typed");
    }
    Ok(Password::Plain(Secret::new(text)))
}

fn permissions(list: &[PermissionDocument], place: &str, problems: &mut Vec<Problem>) -> Vec<Permission> {
    let mut permissions = Vec::new();
    for (n, permission) in list.iter().enumerate() {
        let mut say = |key: &str, text: String| {
            problems.push(Problem::of(&format!("{place}.{n}.{key}"), text));
        };
        let Some(action) = action(&permission.action) else {
            say("action", "missing; say what may be done".to_owned());
            continue;
        };
        let path = match permission.path.strip_prefix('~') {
            None if permission.path.is_empty() => PathMatch::Any,
            None => PathMatch::Exact(permission.path.clone()),
            Some(text) => match Pattern::new(text) {
                Ok(pattern) => PathMatch::Pattern(pattern),
                Err(_) => {
                    say("path", format!("'{text}' is no regular expression"));
                    continue;
                }
            },
        };
        permissions.push(Permission { action, path });
    }
    permissions
}

fn action(word: &str) -> Option<Action> {
    serde_json::from_value(Value::from(word)).ok()
}

fn hex(text: &str, key: &str, problems: &mut Vec<Problem>) -> String {
    fingerprint(text).unwrap_or_else(|why| {
        problems.push(Problem::of(key, why));
        String::new()
    })
}

/// SHA-256 in hex, in any case, with colons or without; as small letters without.
pub(super) fn fingerprint(text: &str) -> Result<String, &'static str> {
    let bare = text.replace(':', "").to_ascii_lowercase();
    if bare.is_empty() || bare.len() == 64 && bare.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(bare)
    } else {
        Err("no fingerprint: 64 letters of hex, as 'openssl x509 -fingerprint -sha256' shows them")
    }
}

fn has_logins(path: &Map<String, Value>) -> bool {
    OF_PATHS.iter().any(|key| path.contains_key(*key))
}

/// The users that the logins of paths mean: for each path one who publishes and one who reads there, and nobody else.
fn of_paths(effective: &Effective, paths: &Paths, problems: &mut Vec<Problem>) -> Vec<User> {
    let all = Arc::new(paths.clone());
    // Playback, and API and metrics for the host itself, stay as they are by default.
    let mut users = Auth::default().users;
    for user in &mut users {
        user.permissions
            .retain(|permission| !matches!(permission.action, Action::Publish | Action::Read));
    }
    for (name, values) in &effective.paths {
        for (action, user, pass) in [
            (Action::Publish, "publishUser", "publishPass"),
            (Action::Read, "readUser", "readPass"),
        ] {
            let text = |key: &str| values.get(key).and_then(Value::as_str).unwrap_or_default();
            let mut kept = |key: &str| {
                credential(text(key)).unwrap_or_else(|why| {
                    problems.push(Problem::of(&format!("paths.{name}.{key}"), why));
                    Password::None
                })
            };
            let (login, password) = (kept(user), kept(pass));
            let anybody = matches!(text(user), "" | "any");
            if anybody && password != Password::None {
                problems.push(Problem::of(
                    &format!("paths.{name}.{user}"),
                    format!("'{pass}' is given, but nobody whose it is"),
                ));
            }
            users.push(User {
                name: (!anybody).then_some(login),
                password,
                ips: Vec::new(),
                permissions: vec![Permission {
                    action,
                    path: PathMatch::Under(name.clone(), Arc::clone(&all)),
                }],
            });
        }
    }
    users
}
