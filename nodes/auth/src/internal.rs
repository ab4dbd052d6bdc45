//! The users of the file: who shows one of them may do what its permissions say, from where it may come.
//! Argon2 is the one part that takes a while, and waits for nobody but itself.

use crate::argon::Argon;
use crate::compare::{Compared, compare, digest_fits};
use crate::verdict::No;
use crate::{Action, Grant, Request};
use weft_config::{Auth, Password, Permission, User};

/// True when one of the permissions is about this.
pub(crate) fn permits(permissions: &[Permission], action: Action, path: &str) -> bool {
    let with_streams = matches!(action, Action::Publish | Action::Read | Action::Playback);
    permissions
        .iter()
        .any(|p| p.action == action && (!with_streams || p.path.contains(path)))
}

/// True when a user may do this from there, once it has shown who it is.
pub(crate) fn user_permits(user: &User, action: Action, path: &str, ip: std::net::IpAddr) -> bool {
    (user.ips.is_empty() || user.ips.iter().any(|rule| rule.contains(ip)))
        && permits(&user.permissions, action, path)
}

/// Judges by the users.
pub(crate) async fn judge(auth: &Auth, request: &Request, argon: &Argon) -> Result<Grant, No> {
    let mut unsure = false;
    for user in &auth.users {
        if !user_permits(user, request.action, &request.path, request.ip) {
            continue;
        }
        match is_user(user, request, argon).await {
            Some(Some(principal)) => return Ok(Grant { principal }),
            Some(None) => {}
            None => unsure = true,
        }
    }
    Err(if unsure {
        No::Unavailable("too many passwords are being checked")
    } else if request.credentials.is_empty() {
        No::Nothing
    } else {
        No::Login("user, password, address or permission is wrong")
    })
}

/// As whom the request is allowed, if it shows this user; `None`: there is no telling now.
async fn is_user(user: &User, request: &Request, argon: &Argon) -> Option<Option<String>> {
    let Some(name) = &user.name else {
        return Some(Some(String::new()));
    };
    let shown = &request.credentials;
    if let Some((shown_name, shown_password)) = &shown.login {
        let is = same(name, shown_name, argon).await?
            && same(&user.password, shown_password.expose(), argon).await?;
        if is {
            return Some(Some(shown_name.clone()));
        }
    }
    // A digest can be checked only by whoever has the password itself.
    if let (Some(digest), Password::Plain(name), Password::Plain(password)) =
        (&shown.digest, name, &user.password)
        && digest.username == name.expose()
        && digest_fits(digest, password.expose())
    {
        return Some(Some(digest.username.clone()));
    }
    Some(None)
}

async fn same(kept: &Password, given: &str, argon: &Argon) -> Option<bool> {
    match compare(kept, given) {
        Compared::Same => Some(true),
        Compared::Other => Some(false),
        Compared::Argon2(phc) => argon.verify(phc, given).await,
    }
}
