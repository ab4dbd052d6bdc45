//! One table: what changed, and who may stay.
//! Each row changes one thing of a configuration with two users, an open lobby and two paths.

use super::*;
use std::sync::Arc;
use weft_config::{PathConf, PathMatch, Paths, Secret};

fn user(name: Option<&str>, password: Password, action: Action, path: &str) -> User {
    User {
        name: name.map(|name| Password::Plain(Secret::new(name))),
        password,
        ips: vec![],
        permissions: vec![Permission {
            action,
            path: match path {
                "" => PathMatch::Any,
                path => PathMatch::Exact(path.to_owned()),
            },
        }],
    }
}

fn plain(text: &str) -> Password {
    Password::Plain(Secret::new(text))
}

/// `cam` publishes anywhere, `desk` reads `hall`, anybody reads `lobby`.
fn base() -> Config {
    let mut config = Config::default();
    config.auth.users = vec![
        user(Some("cam"), plain("secret"), Action::Publish, ""),
        user(Some("desk"), plain("other"), Action::Read, "hall"),
        user(None, Password::None, Action::Read, "lobby"),
    ];
    config.paths = Paths::new(vec![PathConf::named("hall"), PathConf::named("all_others")]);
    config
}

/// Those who stay: `c`am publishing hall, `d`esk reading hall, somebody of no name reading `l`obby.
fn stay(old: &Config, new: &Config) -> String {
    let ip = "192.0.2.1".parse().unwrap();
    let sessions = [
        ('c', "cam", Action::Publish, "hall"),
        ('d', "desk", Action::Read, "hall"),
        ('l', "", Action::Read, "lobby"),
    ];
    sessions
        .iter()
        .filter(|(_, principal, action, path)| still_allowed(old, new, principal, *action, path, ip))
        .map(|s| s.0)
        .collect()
}

type Change = Box<dyn Fn(&mut Config)>;

fn users(change: impl Fn(&mut Vec<User>) + 'static) -> Change {
    Box::new(move |config| change(&mut config.auth.users))
}

fn paths(change: impl Fn() -> Vec<PathConf> + 'static) -> Change {
    Box::new(move |config| config.paths = Paths::new(change()))
}

#[test]
fn only_those_end_whom_a_change_touches() {
    let sha = || Password::Sha256(Secret::new("K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols="));
    let rows: Vec<(&str, Change, &str)> = vec![
        ("nothing", Box::new(|_| {}), "cdl"),
        (
            "something else",
            Box::new(|c| c.fabric.limits.failed_logins = 1),
            "cdl",
        ),
        ("a password", users(|u| u[0].password = plain("new")), "dl"),
        (
            "the same password, hashed",
            users(move |u| u[0].password = sha()),
            "cdl",
        ),
        (
            "no password any more",
            users(|u| u[0].password = Password::None),
            "cdl",
        ),
        ("a user gone", users(|u| drop(u.remove(1))), "cl"),
        (
            "another user before",
            users(|u| u.insert(0, user(Some("x"), plain("y"), Action::Api, ""))),
            "cdl",
        ),
        ("a permission gone", users(|u| u[1].permissions.clear()), "cl"),
        (
            "a permission for another path",
            users(|u| u[0].permissions[0].path = PathMatch::Exact("x".into())),
            "dl",
        ),
        (
            "an address list without it",
            users(|u| u[0].ips = vec!["10.0.0.0/8".parse().unwrap()]),
            "dl",
        ),
        (
            "an address list with it",
            users(|u| u[0].ips = vec!["192.0.2.0/24".parse().unwrap()]),
            "cdl",
        ),
        ("the lobby closed", users(|u| drop(u.pop())), "cd"),
        (
            "everything open",
            users(|u| *u = vec![user(None, Password::None, Action::Read, "")]),
            "dl",
        ),
        (
            "the name given to somebody else",
            users(|u| u[0] = user(Some("cam"), plain("new"), Action::Publish, "")),
            "dl",
        ),
        (
            "a second password for the name",
            users(|u| u.insert(0, user(Some("cam"), plain("new"), Action::Publish, ""))),
            "cdl",
        ),
        (
            "a path gone, its streams under the rest",
            paths(|| vec![PathConf::named("all_others")]),
            "cdl",
        ),
        ("the rest gone", paths(|| vec![PathConf::named("hall")]), "cd"),
        ("all paths gone", paths(Vec::new), ""),
        (
            "publishIPs of the path",
            paths(|| {
                let mut hall = PathConf::named("hall");
                hall.publish_ips = vec!["10.0.0.0/8".parse().unwrap()];
                vec![hall, PathConf::named("all_others")]
            }),
            "dl",
        ),
        (
            "readIPs of the path",
            paths(|| {
                let mut hall = PathConf::named("hall");
                hall.read_ips = vec!["10.0.0.0/8".parse().unwrap()];
                vec![hall, PathConf::named("all_others")]
            }),
            "cl",
        ),
        (
            "another method",
            Box::new(|c| c.auth.method = AuthMethod::Http),
            "",
        ),
        (
            "another method that excludes reading",
            Box::new(|c| {
                c.auth.method = AuthMethod::Jwt;
                let read = Permission {
                    action: Action::Read,
                    path: PathMatch::Any,
                };
                c.auth.jwt.exclude = vec![read];
            }),
            "dl",
        ),
    ];
    for (what, change, expected) in rows {
        let old = base();
        let mut new = old.clone();
        change(&mut new);
        assert_eq!(stay(&old, &new), expected, "{what}");
    }
}

#[test]
fn who_was_let_in_by_callback_or_token_stays_while_those_judge() {
    for method in [AuthMethod::Http, AuthMethod::Jwt] {
        let mut old = base();
        old.auth.method = method;
        let with = |change: &dyn Fn(&mut Config)| {
            let mut new = old.clone();
            change(&mut new);
            stay(&old, &new)
        };
        assert_eq!(with(&|_| {}), "cdl");
        assert_eq!(with(&|c| c.auth.users.clear()), "cdl");
        assert_eq!(with(&|c| c.auth.http.address = "http://b/".into()), "cdl");
        assert_eq!(with(&|c| c.auth.jwt.jwks = "http://b/".into()), "cdl");
        assert_eq!(with(&|c| c.auth.method = AuthMethod::Internal), "l");
        let other = if method == AuthMethod::Jwt { "" } else { "cdl" };
        assert_eq!(with(&|c| c.auth.jwt.issuer = "b".into()), other);
        assert_eq!(with(&|c| c.auth.jwt.audience = "b".into()), other);
    }
    // What needed no question needs one now.
    let mut old = base();
    old.auth.method = AuthMethod::Http;
    old.auth.http.exclude = vec![Permission {
        action: Action::Read,
        path: PathMatch::Any,
    }];
    let mut new = old.clone();
    new.auth.http.exclude.clear();
    assert_eq!(stay(&old, &new), "c");
}

#[test]
fn it_is_cheap_enough_for_every_session_at_every_change() {
    let (old, new) = (Arc::new(base()), base());
    let ip = "192.0.2.1".parse().unwrap();
    let began = std::time::Instant::now();
    for _ in 0..10_000 {
        assert!(still_allowed(&old, &new, "cam", Action::Publish, "hall", ip));
    }
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}
