//! Whether a session may stay when the configuration changes.
//! Who ends those that may not is the program's business.

use crate::compare::{Compared, compare, equal};
use crate::gate::allows_address;
use crate::internal::{permits, user_permits};
use crate::{Action, argon};
use std::net::IpAddr;
use weft_config::{Auth, AuthMethod, Config, Password, Permission, User};
use weft_wire::StreamName;

/// Whether a session that was let in under the old configuration may stay under the new one: its path is still there, its
/// address still allowed, its user still has the permission and the same password. A function of its arguments alone, so
/// that any node can judge any session by its principal.
///
/// Under another method nobody can be judged by a name, so only those stay who would need to show nothing. Who was let in by
/// the callback or a token stays as long as the method does: what these would say now is not known here, and neither
/// another address of theirs nor another key is a reason to end an exam; another issuer or audience is.
#[must_use]
pub fn still_allowed(
    old: &Config,
    new: &Config,
    principal: &str,
    action: Action,
    path: &str,
    ip: IpAddr,
) -> bool {
    let with_streams = matches!(action, Action::Publish | Action::Read | Action::Playback);
    if with_streams && StreamName::new(path).is_ok_and(|name| new.paths.find(&name).is_none()) {
        return false;
    }
    if !allows_address(new, action, path, ip) {
        return false;
    }
    if needs_nothing(&new.auth, action, path, ip) {
        return true;
    }
    let (old, new) = (&old.auth, &new.auth);
    if old.method != new.method {
        return false;
    }
    let excluded = |list: &[Permission]| permits(list, action, path);
    match new.method {
        AuthMethod::Internal => user_stays(old, new, principal, action, path, ip),
        // Who needed to be asked about nothing has to be asked about now.
        AuthMethod::Http => !excluded(&old.http.exclude),
        AuthMethod::Jwt => {
            let same = |old: &str, new: &str| new.is_empty() || old == new;
            !excluded(&old.jwt.exclude)
                && same(&old.jwt.issuer, &new.jwt.issuer)
                && same(&old.jwt.audience, &new.jwt.audience)
        }
    }
}

/// True when anybody may do it.
fn needs_nothing(auth: &Auth, action: Action, path: &str, ip: IpAddr) -> bool {
    match auth.method {
        AuthMethod::Internal => auth
            .users
            .iter()
            .any(|user| user.name.is_none() && user_permits(user, action, path, ip)),
        AuthMethod::Http => permits(&auth.http.exclude, action, path),
        AuthMethod::Jwt => permits(&auth.jwt.exclude, action, path),
    }
}

/// True when a user of this name has the permission now, with a password that was one of its passwords then.
fn user_stays(old: &Auth, new: &Auth, principal: &str, action: Action, path: &str, ip: IpAddr) -> bool {
    // Nobody of no name is let in by a name.
    if principal.is_empty() {
        return false;
    }
    let may = |user: &&User| user_permits(user, action, path, ip);
    let named = |user: &&User| user.name.as_ref().is_some_and(|name| is(name, principal));
    // Under the old one it was let in by one of these: by which is not known, so each of their passwords counts.
    let then: Vec<_> = old.users.iter().filter(may).filter(named).collect();
    new.users
        .iter()
        .filter(may)
        .filter(named)
        .any(|now| then.iter().any(|then| same(&then.password, &now.password)))
}

fn is(kept: &Password, given: &str) -> bool {
    match compare(kept, given) {
        Compared::Same => true,
        Compared::Other => false,
        // Nobody hashes names this way without need; those who do wait for it at a change.
        Compared::Argon2(phc) => argon::verify(phc, given),
    }
}

/// True when whoever knows the one password knows the other: also where it is only kept another way.
fn same(then: &Password, now: &Password) -> bool {
    match (then, now) {
        // None is needed any more.
        (_, Password::None) => true,
        (Password::Plain(a), Password::Plain(b))
        | (Password::Sha256(a), Password::Sha256(b))
        | (Password::Argon2(a), Password::Argon2(b)) => equal(a.expose().as_bytes(), b.expose().as_bytes()),
        (Password::Plain(text), hashed) | (hashed, Password::Plain(text)) => is(hashed, text.expose()),
        _ => false,
    }
}

#[cfg(test)]
#[path = "still_tests.rs"]
mod tests;
